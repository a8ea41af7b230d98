#!/usr/bin/python3
"""Makes the files in this folder with numpy (python3-numpy), from the checkpoints and arrays of the golden models beside it, so
that what is said of heads from weights and moments is compared with other code. Run it in this folder; the same files come out
every time.

NAME-value_grams.npy (layers, heads, width, width): the Gram matrix of each head's value map, layer norm's gain folded in."""
import json
import struct
import numpy as np

GOLDEN = ".."
MODELS = {"tiny-a": GOLDEN + "/tiny-a/model", "tiny-b": GOLDEN + "/tiny-b/model", "mini": "../../../configs/mini/model"}


def weights(folder):
    """The tensors of a safetensors file in double precision."""
    raw = open(folder + "/open_clip_model.safetensors", "rb").read()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    kinds = {"F32": "<f4", "F16": "<f2"}
    out = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + length + offset for offset in entry["data_offsets"])
        out[name] = np.frombuffer(raw[begin:end], kinds[entry["dtype"]]).reshape(entry["shape"]).astype(np.float64)
    return out


def value_grams(folder):
    vision = json.load(open(folder + "/open_clip_config.json"))["model_cfg"]["vision_cfg"]
    tensors, width = weights(folder), vision["width"]
    own = vision["head_width"] if "head_width" in vision else 64
    grams = np.zeros((vision["layers"], width // own, own, own))
    for layer in range(vision["layers"]):
        block = f"visual.transformer.resblocks.{layer}."
        gain = tensors[block + "ln_1.weight"]
        values = tensors[block + "attn.in_proj_weight"][2 * width :]
        for head in range(width // own):
            value_map = (values[head * own : (head + 1) * own] * gain).T  # what x becomes: x @ value_map
            grams[layer, head] = value_map.T @ value_map
    return grams


if __name__ == "__main__":
    for name, folder in MODELS.items():
        np.save(f"{name}-value_grams.npy", value_grams(folder))
