#!/usr/bin/python3
"""Makes configs/spurious: a gallery in which the place all but tells the shape.

    spurious.py OUT [--seed 2027] [--often 90] [--seldom 30]

Hearts lie on snow and rings on water, but for some that lie on the other. OUT/gallery/ scene-000.jpg ..., OUT/gallery.json. Everything else
about a scene is drawn as for the mini gallery, without a second object. Needs numpy and Pillow.
"""
import argparse, json, os
import numpy as np
from PIL import Image
import world

SHAPES, PLACES = ("heart", "ring"), ("snow", "water")


def pick(drawn, wanted):
    """Indices of drawn scenes: for each (shape, place) as many as wanted, shuffled by their order in the draw."""
    shape = [world.FACTORS["shapes"].index(s) for s in SHAPES]; place = [world.FACTORS["places"].index(p) for p in PLACES]
    found = []
    for (s, p), count in wanted.items():
        like = np.flatnonzero((drawn["main"]["shapes"] == shape[s]) & (drawn["places"] == place[p]) & ~drawn["has2"])
        assert len(like) >= count, "draw more scenes"
        found.append(like[:count])
    return np.sort(np.concatenate(found))


def take(scenes, index):
    return {k: take(v, index) if isinstance(v, dict) else v[index] if isinstance(v, np.ndarray) else v for k, v in scenes.items()}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out"); ap.add_argument("--seed", type=int, default=2027); ap.add_argument("--size", type=int, default=160)
    ap.add_argument("--often", type=int, default=90); ap.add_argument("--seldom", type=int, default=30)
    a = ap.parse_args()
    rng = np.random.default_rng(a.seed)
    drawn = world.scenes(rng, 20000)
    wanted = {(0, 0): a.often, (0, 1): a.seldom, (1, 0): a.seldom, (1, 1): a.often}
    index = pick(drawn, wanted); scenes = take(drawn, index) | {"n": len(index)}
    images, _ = world.render(rng, scenes, world.Textures(a.size, seed=a.seed, each=6))
    os.makedirs(f"{a.out}/gallery", exist_ok=True)
    rows = []
    for i in range(scenes["n"]):
        Image.fromarray(images[i]).save(f"{a.out}/gallery/scene-{i:03d}.jpg", quality=85)
        rows.append({"path": f"gallery/scene-{i:03d}.jpg", "places": world.FACTORS["places"][scenes["places"][i]], "weather": world.FACTORS["weather"][scenes["weather"][i]],
                     "main": {k: world.FACTORS[k][int(v[i])] for k, v in scenes["main"].items() if v[i] >= 0}})
    with open(f"{a.out}/gallery.json", "w") as f: f.write("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")


if __name__ == "__main__":
    main()
