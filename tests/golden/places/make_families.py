#!/usr/bin/python3
"""Embeddings of tests/golden/families' siglip-a and eva02-a for images of other sizes than they were made for: towers in NumPy and double
precision, positions resized by torch.nn.functional.interpolate as open_clip and timm call it (bicubic, antialias, float32). At the models' own
sizes the towers must give the golden embeddings. Pixels are those of make_places.py. usage: make_families.py GOLDEN"""
import json, math, struct, sys
import numpy as np, torch
golden = sys.argv[1]


def read(folder):
    raw = open(f"{folder}/open_clip_model.safetensors", "rb").read()
    end = 8 + struct.unpack("<Q", raw[:8])[0]
    kinds = {"F32": np.float32, "F16": np.float16}
    return {name: np.frombuffer(raw[end:][slice(*at["data_offsets"])], kinds[at["dtype"]]).astype(float).reshape(at["shape"])
            for name, at in json.loads(raw[8:end]).items() if name.startswith("visual.trunk.")}


class Tower:
    def __init__(self, name):
        self.w = {k[len("visual.trunk."):]: v for k, v in read(f"{golden}/families/{name}/model").items()}
        config = json.load(open(f"{golden}/families/{name}/model/open_clip_config.json"))["model_cfg"]["vision_cfg"]["timm_model_kwargs"]
        self.patch, self.layers, self.heads = config["patch_size"], config["depth"], config["num_heads"]

    def linear(self, x, name):
        return x @ self.w[name + ".weight"].T + self.w.get(name + ".bias", 0)

    def norm(self, x, name):
        centred = x - x.mean(-1, keepdims=True)
        return centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-6) * self.w[name + ".weight"] + self.w[name + ".bias"]

    def split(self, x):  # images, heads, tokens, numbers
        return x.reshape(*x.shape[:2], self.heads, -1).swapaxes(1, 2)

    def attend(self, q, k, v):
        scores = q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1])
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        out = scores / scores.sum(-1, keepdims=True) @ v
        return out.swapaxes(1, 2).reshape(out.shape[0], out.shape[2], -1)

    def cells(self, pixels):
        images, _, height, width = pixels.shape
        rows, cols = height // self.patch, width // self.patch
        seen = pixels[:, :, :rows * self.patch, :cols * self.patch].reshape(images, 3, rows, self.patch, cols, self.patch)
        w = self.w["patch_embed.proj.weight"]
        return seen.transpose(0, 2, 4, 1, 3, 5).reshape(images, rows * cols, -1) @ w.reshape(len(w), -1).T + self.w["patch_embed.proj.bias"], rows, cols

    def places(self, before, rows, cols):
        stored = self.w["pos_embed"][0]
        side = math.isqrt(len(stored) - before)
        if (rows, cols) == (side, side):
            return stored
        grid = torch.from_numpy(stored[before:].astype(np.float32).reshape(1, side, side, -1)).permute(0, 3, 1, 2)
        made = torch.nn.functional.interpolate(grid, size=(rows, cols), mode="bicubic", antialias=True, align_corners=False)
        return np.concatenate([stored[:before], made.permute(0, 2, 3, 1).reshape(rows * cols, -1).numpy().astype(float)])


class Siglip(Tower):
    def mlp(self, x, name):
        hidden = self.linear(x, name + ".fc1")
        return self.linear(hidden * 0.5 * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))), name + ".fc2")

    def run(self, pixels):
        x, rows, cols = self.cells(pixels)
        x = x + self.places(0, rows, cols)
        for layer in range(self.layers):
            at = f"blocks.{layer}."
            q, k, v = np.split(self.linear(self.norm(x, at + "norm1"), at + "attn.qkv"), 3, -1)
            x = x + self.linear(self.attend(self.split(q), self.split(k), self.split(v)), at + "attn.proj")
            x = x + self.mlp(self.norm(x, at + "norm2"), at + "mlp")
        x = self.norm(x, "norm")
        k, v = np.split(self.linear(x, "attn_pool.kv"), 2, -1)
        q = self.linear(np.repeat(self.w["attn_pool.latent"], len(x), 0), "attn_pool.q")
        x = self.linear(self.attend(self.split(q), self.split(k), self.split(v)), "attn_pool.proj")
        return (x + self.mlp(self.norm(x, "attn_pool.norm"), "attn_pool.mlp"))[:, 0]


class Eva(Tower):
    def turn(self, x, rows, cols):  # all but the first token; neighbours are the two parts of a complex number
        pairs = x.shape[-1] // 2
        speeds = 10000.0 ** -(np.arange(pairs // 2) / (pairs // 2))
        row, col = np.divmod(np.arange(rows * cols), cols)
        angles = np.concatenate([np.outer(row * 16 / rows, speeds), np.outer(col * 16 / cols, speeds)], -1)
        turned = (x[..., 1:, 0::2] + 1j * x[..., 1:, 1::2]) * np.exp(1j * angles)
        out = x.copy()
        out[..., 1:, 0::2], out[..., 1:, 1::2] = turned.real, turned.imag
        return out

    def run(self, pixels):
        x, rows, cols = self.cells(pixels)
        x = np.concatenate([np.repeat(self.w["cls_token"], len(x), 0), x], 1) + self.places(1, rows, cols)
        for layer in range(self.layers):
            at = f"blocks.{layer}."
            n = self.norm(x, at + "norm1")
            q, k, v = (self.split(self.linear(n, f"{at}attn.{part}_proj")) for part in "qkv")
            heads = self.attend(self.turn(q, rows, cols), self.turn(k, rows, cols), v)
            x = x + self.linear(self.norm(heads, at + "attn.norm"), at + "attn.proj")
            n = self.norm(x, at + "norm2")
            gate = self.linear(n, at + "mlp.fc1_g")
            x = x + self.linear(self.norm(gate / (1 + np.exp(-gate)) * self.linear(n, at + "mlp.fc1_x"), at + "mlp.norm"), at + "mlp.fc2")
        return self.linear(self.norm(x, "norm")[:, 0], "head")


for name, tower in (("siglip-a-open_clip", Siglip), ("eva02-a-open_clip", Eva)):
    model = tower(name)
    own = model.run(np.load(f"{golden}/families/{name}/pixels.npy").astype(float))
    known = np.load(f"{golden}/families/{name}/embedding.npy")
    off = np.abs(own - known).max() / np.abs(known).max()
    print(name, f"{off:.1e}")
    assert off < 1e-6
    for size in ("24x56", "48x48"):
        out = model.run(np.load(f"{golden}/places/{size}-pixels.npy").astype(float))
        np.save(f"{golden}/places/{name}-{size}-embedding.npy", out.astype(np.float32))
