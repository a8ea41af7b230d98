#!/usr/bin/python3
"""Makes the files in this folder with numpy (python3-numpy), from the checkpoints and arrays of the golden models beside it, so
that what is said of heads from weights and moments is compared with other code. Run it in this folder; the same files come out
every time.

NAME-value_grams.npy (layers, heads, width, width): the Gram matrix of each head's value map, layer norm's gain folded in.
NAME-components.json: of each head the principal components of its contributions over the gallery, by a singular value
decomposition of these. NAME-weights.json: of each head the singular directions of its value map followed by its basis, by a
decomposition of their product, and the texts that explain them. Lists end where the next entry is too near to the last one for
its place to be certain in single precision; a direction whose texts are so uncertain has none."""
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




NEAR = 2e-4  # of numbers that decide an order


def safe_order(scores, most):
    """The indices of the highest scores, as many as are certain."""
    order = np.argsort(-scores, kind="stable")[: most + 1]
    kept = [i for i, after in zip(order, order[1:]) if scores[i] - scores[after] > NEAR * np.abs(scores).max()]
    count = 0
    while count < min(most, len(kept)) and kept[count] == order[count]:
        count += 1
    return order[:count]


def spread(values, count):
    """Directions that no other one of nearly the same value could be mixed with."""
    gaps = np.abs(np.diff(values, append=0)) > 0.02 * values
    return [k for k in range(count) if values[k] > 1e-3 * values[0] and gaps[k] and (k == 0 or gaps[k - 1])]


def components(name, count=4, texts=3, extremes=4):
    heads, pool = np.load(f"{GOLDEN}/{name}/gallery_heads.npy").astype(np.float64), np.load(f"{GOLDEN}/{name}/pool_embedding.npy")
    words = open(GOLDEN + "/pool.txt").read().splitlines()
    out = []
    for layer in range(heads.shape[1]):
        for head in range(heads.shape[2]):
            centred = heads[:, layer, head] - heads[:, layer, head].mean(0)
            _, lengths, rows = np.linalg.svd(centred, full_matrices=False)
            values, parts = lengths**2 / len(centred), []
            for k in spread(values, count):
                scores, row = pool @ rows[k], rows[k]
                if abs(scores.max() + scores.min()) < NEAR:
                    continue
                if -scores.min() > scores.max():
                    scores, row = -scores, -row
                images = centred @ row

                def entries(of, sign, most, text):
                    chosen = safe_order(sign * of, most)
                    return [{"text": words[i], "score": of[i]} if text else {"path": f"g{i:03}.png", "score": of[i]} for i in chosen]

                parts.append(
                    {
                        "rank": k + 1,
                        "variance": values[k],
                        "share": values[k] / values.sum(),
                        "texts": entries(scores, 1, texts, True),
                        "opposite": entries(scores, -1, texts, True),
                        "top": {"neighbors": entries(images, 1, extremes, False)},
                        "bottom": {"neighbors": entries(images, -1, extremes, False)},
                    }
                )
            out.append({"head": f"L{layer}.H{head}", "variance": values.sum(), "components": parts})
    return out


def pursue(direction, pool, most, coherence):
    """Texts and weights of a pursuit of the direction, what they explain, and whether every choice was certain."""
    chosen, weights, left, certain = [], np.zeros(0), direction, True
    for _ in range(most):
        scores = pool @ left
        scores[chosen] = -1
        least = (1 - coherence) * scores.max() if chosen else scores.max()
        certain &= np.abs(scores - least)[np.arange(len(pool)) != scores.argmax()].min() > NEAR
        listed = np.flatnonzero(scores >= least)
        alike = (pool[listed] @ pool[chosen].T).mean(1) if chosen else np.zeros(len(listed))
        for i in listed[np.argsort(-alike, kind="stable")]:
            fitted = np.linalg.lstsq(pool[chosen + [i]].T, direction, rcond=None)[0]
            if (fitted > 0).all():
                chosen, weights = chosen + [i], fitted
                left = direction - pool[chosen].T @ weights
                break
            certain &= bool(np.abs(fitted).min() > NEAR)
        ordered = -np.sort(-alike)
        certain &= len(ordered) < 2 or ordered[0] - ordered[1] > 1e-5
    return chosen, weights, 1 - left @ left, certain


def singular_directions(name, folder, count=4, texts=3, coherence=0.1):
    vision, tensors = json.load(open(folder + "/open_clip_config.json"))["model_cfg"]["vision_cfg"], weights(folder)
    pool, bases = np.load(f"{GOLDEN}/{name}/pool_embedding.npy").astype(np.float64), np.load(f"{GOLDEN}/{name}/bases.npy")
    words = open(GOLDEN + "/pool.txt").read().splitlines()
    width, own, out = vision["width"], vision["head_width"], []
    for layer in range(bases.shape[0]):
        block = f"visual.transformer.resblocks.{layer}."
        values = tensors[block + "attn.in_proj_weight"][2 * width :] * tensors[block + "ln_1.weight"]
        for head in range(bases.shape[1]):
            whole = values[head * own : (head + 1) * own].T @ bases[layer, head, :own].astype(np.float64)
            _, lengths, rows = np.linalg.svd(whole, full_matrices=False)
            squares, parts = lengths**2, []
            for k in spread(squares, count):
                part = {"rank": k + 1, "variance": squares[k], "share": squares[k] / squares.sum()}
                plus, minus = (pursue(sign * rows[k], pool, texts, coherence) for sign in (1, -1))
                if abs(plus[2] - minus[2]) > NEAR and plus[3] and minus[3]:
                    chosen, found, explained, _ = max(plus, minus, key=lambda one: one[2])
                    part["explained"] = explained
                    part["texts"] = [{"text": words[i], "weight": w} for i, w in zip(chosen, found)]
                parts.append(part)
            out.append({"head": f"L{layer}.H{head}", "variance": squares.sum(), "directions": parts})
    return out


def write(path, heads):
    rounded = json.loads(json.dumps(heads), parse_float=lambda digits: float(f"{float(digits):.9g}"))
    with open(path, "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(head) for head in rounded) + "\n]\n")


if __name__ == "__main__":
    for name, folder in MODELS.items():
        np.save(f"{name}-value_grams.npy", value_grams(folder))
    for name in ["tiny-a", "tiny-b"]:
        write(f"{name}-components.json", components(name))
        write(f"{name}-weights.json", singular_directions(name, MODELS[name]))
