"""Opens an atlas with nothing but numpy: prints how many images it has and a head's mean code over them."""
import json, pathlib, sys
import numpy as np
dtypes = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "U8": "u1"}
def open_shard(path):
    file = np.memmap(path, "u1", "r")
    start = 8 + int(file[:8].view("<u8")[0])
    part = lambda t: file[start + t["data_offsets"][0]:start + t["data_offsets"][1]]
    return {name: part(t).view(dtypes[t["dtype"]]).reshape(t["shape"])
            for name, t in json.loads(bytes(file[8:start])).items()}
folder, head = pathlib.Path(sys.argv[1]), sys.argv[2]
shards = [open_shard(folder / shard["file"]) for shard in json.loads((folder / "atlas.json").read_text())["shards"]]
codes = np.concatenate([shard["codes." + head] for shard in shards]).astype("f8")
paths = [path for shard in shards for path in bytes(shard["paths"]).decode().split("\0")[:-1]]
print(len(paths), *codes.mean(axis=0))
