#!/usr/bin/python3
"""Position embeddings of tests/golden/tiny-a for other image sizes, and what they make of images: open_clip's own
resize_pos_embed and VisionTransformer, in double precision but for the resize, which is float32 as it is when open_clip
loads a file. usage: make_places.py OPEN_CLIP/src STUBS MODEL OUT, where STUBS is a folder whose peers.py lets open_clip be
imported without what it does not need for this."""
import sys, json, struct, types
import numpy as np, torch
source, stubs, model, out = sys.argv[1:]
sys.path.insert(0, stubs)
import peers; peers.install(source, stubs=(*peers.install.__kwdefaults__["stubs"], "tqdm", "timm", "regex", "requests"))
import open_clip.model as om
from open_clip.transformer import VisionTransformer
torch.set_grad_enabled(False)

raw = open(f"{model}/open_clip_model.safetensors", "rb").read(); n = struct.unpack("<Q", raw[:8])[0]; head = json.loads(raw[8:8 + n])
kinds = {"F32": np.float32, "F16": np.float16}
state = {k: torch.from_numpy(np.frombuffer(raw[8 + n:][slice(*v["data_offsets"])], kinds[v["dtype"]]).astype(np.float32).reshape(v["shape"]))
         for k, v in head.items() if k.startswith("visual.")}
c = json.load(open(f"{model}/open_clip_config.json"))["model_cfg"]; v = c["vision_cfg"]
for height, width in ((24, 56), (48, 48)):
    tower = VisionTransformer((height, width), v["patch_size"], v["width"], v["layers"], v["width"] // v["head_width"], 4.0, output_dim=c["embed_dim"],
                              act_layer=om.QuickGELU if c.get("quick_gelu") else torch.nn.GELU).double().eval()
    own = dict(state)
    om.resize_pos_embed(own, types.SimpleNamespace(visual=tower))
    tower.load_state_dict({k[len("visual."):]: x.double() for k, x in own.items()}, strict=True)
    pixels = torch.from_numpy(np.random.RandomState(height * 1000 + width).standard_normal((2, 3, height, width)).astype(np.float32))
    name = f"{out}/{height}x{width}"
    np.save(f"{name}-pixels.npy", pixels.numpy())
    np.save(f"{name}-embedding.npy", tower(pixels.double()).numpy().astype(np.float32))
