#!/usr/bin/python3
"""Makes good/ and bad/: small files as PyTorch writes them, in forms that are rare, and files that are broken or mean harm.
Run it in this folder; the same files come out every time. Needs numpy; PyTorch is not needed, as nothing here would be written by it.

legacy.bin, training.pt, torchscript.pt and sharded/ were written by PyTorch 1.13 and hold the tensors of ../tiny-a/model (torchscript.pt:
most of them rounded to float16)."""
import json, pickle, struct, zipfile, zlib
import numpy as np

A = np.arange(6, dtype=np.float32).reshape(2, 3) / 4


class Storage:
    def __init__(self, key, numbers, kind="FloatStorage", count=None, module="torch", view=None):
        self.key, self.numbers, self.kind, self.module, self.view = key, np.ascontiguousarray(numbers), kind, module, view
        self.count = self.numbers.size if count is None else count


class Name:
    def __init__(self, module, name): self.module, self.name = module, name


class Call:
    """function(*arguments), then state."""
    def __init__(self, function, arguments, state=None, new=False): self.function, self.arguments, self.state, self.new = function, arguments, state, new


class Raw:
    def __init__(self, code): self.code = code


def tensor(storage, offset=0, shape=None, strides=None, function="_rebuild_tensor_v2"):
    shape = storage.numbers.shape if shape is None else shape
    if strides is None:
        strides, step = [], 1
        for n in reversed(shape): strides.insert(0, step); step *= n
    return Call(Name("torch._utils", function), (storage, offset, tuple(shape), tuple(strides), False, Call(Name("collections", "OrderedDict"), ())))


def simple(key="0", numbers=A, **more): return tensor(Storage(key, numbers), **more)


def code(x, protocol=2):
    """The instructions that make a value."""
    if isinstance(x, Raw): return x.code
    if x is None: return b"N"
    if x is True: return b"\x88"
    if x is False: return b"\x89"
    if isinstance(x, int):
        if 0 <= x < 256: return b"K" + bytes([x])
        if -2**31 <= x < 2**31: return b"J" + struct.pack("<i", x)
        n = (x.bit_length() + 8) // 8; return b"\x8a" + bytes([n]) + x.to_bytes(n, "little", signed=True)
    if isinstance(x, float): return b"G" + struct.pack(">d", x)
    if isinstance(x, str): e = x.encode(); return (b"\x8c" + bytes([len(e)]) if protocol >= 4 else b"X" + struct.pack("<I", len(e))) + e
    if isinstance(x, Name):
        if protocol >= 4: return code(x.module, 4) + code(x.name, 4) + b"\x93\x94"
        return b"c" + x.module.encode() + b"\n" + x.name.encode() + b"\n"
    if isinstance(x, tuple): return (b"(" + b"".join(code(i, protocol) for i in x) + b"t") if x else b")"
    if isinstance(x, list): return b"](" + b"".join(code(i, protocol) for i in x) + b"e"
    if isinstance(x, dict): return b"}(" + b"".join(code(k, protocol) + code(v, protocol) for k, v in x.items()) + b"u"
    if isinstance(x, Storage):
        id = ("storage", Name(x.module, x.kind), x.key, "cpu", x.count) + (() if x.view is None else (x.view,))
        return code(id, protocol) + b"Q"
    if isinstance(x, Call):
        out = code(x.function, protocol) + code(x.arguments, protocol) + (b"\x81" if x.new else b"R")
        return out + (code(x.state, protocol) + b"b" if x.state is not None else b"")
    raise TypeError(type(x))


def pickled(x, protocol=2): return b"\x80" + bytes([protocol]) + code(x, protocol) + b"."


def storages(x, found=None):
    found = {} if found is None else found
    if isinstance(x, Storage): found[x.key] = x
    elif isinstance(x, Call): storages(x.arguments, found); storages(x.state, found)
    elif isinstance(x, (tuple, list)): [storages(i, found) for i in x]
    elif isinstance(x, dict): [storages(i, found) for i in x.values()]
    return found


def entries(x, protocol=2, name="archive", more=()):
    out = [(f"{name}/data.pkl", pickled(x, protocol))]
    out += [(f"{name}/data/{k}", s.numbers.tobytes()) for k, s in storages(x).items()]
    return out + [(f"{name}/version", b"3\n")] + list(more)


def zipped(path, list_of_entries, packed=()):
    with zipfile.ZipFile(path, "w") as z:
        for name, data in list_of_entries:
            i = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)); i.compress_type = zipfile.ZIP_DEFLATED if name in packed else zipfile.ZIP_STORED
            z.writestr(i, data)


def legacy(path, x, keys=None, counts=None, version=1001, little=True, end=b""):
    found = storages(x); keys = sorted(found) if keys is None else keys
    out = pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(version, 2)
    out += pickle.dumps({"protocol_version": version, "little_endian": little, "type_sizes": {"short": 2, "int": 4, "long": 4}}, 2)
    out += pickled(x) + pickle.dumps(keys, 2)
    for k in keys:
        s = found.get(k) or Storage(k, A)
        out += struct.pack("<q", (counts or {}).get(k, s.count)) + s.numbers.tobytes()
    open(path, "wb").write(out + end)


def good():
    full = Storage("5", np.arange(24, dtype=np.float32) / 4)
    zipped("good/flat.pt", entries({"a": simple()}))
    zipped("good/views.pt", entries({"transposed": tensor(full, 1, (3, 2), (1, 3)), "every-second": tensor(full, 0, (2, 3), (12, 4)), "one": tensor(full, 23, (), ()),
                                     "turned": tensor(full, 2, (2, 2, 3), (1, 12, 2)), "side-of-one": tensor(full, 4, (1, 3), (0, 1)), "empty": tensor(full, 99, (0, 3), (3, 1))}))
    kinds = [("half", "HalfStorage", np.float16), ("double", "DoubleStorage", np.float64), ("long", "LongStorage", np.int64), ("int", "IntStorage", np.int32), ("byte", "ByteStorage", np.uint8),
             ("bool", "BoolStorage", np.bool_), ("short", "ShortStorage", np.int16), ("char", "CharStorage", np.int8), ("complex", "ComplexFloatStorage", np.complex64)]
    zipped("good/kinds.pt", entries({n: tensor(Storage(n, A.astype(t), k)) for n, k, t in kinds} | {"bfloat": tensor(Storage("b", (A.view(np.uint32) >> 16).astype(np.uint16), "BFloat16Storage"))}))
    for p in (3, 4, 5): zipped(f"good/protocol-{p}.pt", entries({"a": simple()}, p))
    p = Call(Name("torch._utils", "_rebuild_parameter"), (simple(), True, Call(Name("collections", "OrderedDict"), ())))
    kept = Call(Name("torch._tensor", "_rebuild_from_type_v2"), (Name("torch._utils", "_rebuild_tensor_v2"), Name("torch.nn.parameter", "Parameter"), simple("1").arguments, {"tag": 1}))
    untyped = Call(Name("torch._utils", "_rebuild_tensor_v3"), (Storage("2", A.view(np.uint8).ravel(), "UntypedStorage", module="torch.storage"), 0, (2, 3), (3, 1), False, None, Name("torch", "float32"), None))
    zipped("good/parameters.pt", entries({"a": p, "b": kept, "c": untyped}))
    args = Call(Name("argparse", "Namespace"), (), {"lr": 1e-3, "model": "x"})
    loss = Call(Name("numpy.core.multiarray", "scalar"), (Call(Name("numpy", "dtype"), ("f8", False, True), (3, "<", None, None, None, -1, -1, 0)), Call(Name("_codecs", "encode"), ("x", "latin1"))))
    zipped("good/training.pt", entries({"epoch": 3, "args": args, "loss": loss, "optimizer": {"state": {0: {"step": simple("9")}}}, "state_dict": {"module.a": simple(), "module.b": simple("1")}}))
    zipped("good/nested.pth", entries({"iteration": 3, "model": {"state_dict": {"a": simple()}}}))
    module = lambda **inside: Call(Name("__torch__", "Module"), (), inside, new=True)
    zipped("good/script.pt", entries(module(training=False, a=simple(), inside=module(**{"0": module(weight=simple("1"))})), name="ViT", more=[("ViT/code/__torch__.py", b"class Module:\n" * 99)]), packed=["ViT/code/__torch__.py"])
    zipped("good/packed-list.pt", entries({"a": simple()}), packed=["archive/data.pkl"])
    zipped("good/little.pt", entries({"a": simple()}, more=[("archive/byteorder", b"little")]))
    legacy("good/old.bin", {"a": simple("x"), "b": tensor(Storage("y", np.arange(24, dtype=np.float32) / 4, view=("z", 4, 12)), 2, (2, 3), (1, 2))})
    legacy("good/old-nested.bin", {"epoch": 1, "state_dict": {"a": simple()}})


def bad():
    def one(name, x, **more): zipped(f"bad/{name}.pt", entries(x, **more))
    one("code", {"a": Call(Name("posix", "system"), ("touch /tmp/harm",))})
    one("code-4", {"a": Call(Name("builtins", "eval"), ("1",))}, protocol=4)
    one("code-of-torch", {"a": Call(Name("torch.storage", "_load_from_bytes"), ("x",))})
    one("whole-model", Call(Name("open_clip.model", "CLIP"), (), {"a": simple()}, new=True))
    one("call-of-no-name", {"a": Call("text", ())})
    one("inst", {"a": Raw(b"(iposix\nsystem\n")})
    one("extension", {"a": Raw(b"\x82\x01")})
    one("itself", Raw(b"}q\x00X\x01\x00\x00\x00ah\x00s"))
    one("itself-in-a-list", Raw(b"}X\x01\x00\x00\x00a]q\x00h\x00as"))
    one("deep", Raw(b"}" + b"X\x01\x00\x00\x00a}" * 5000 + b"s" * 5000))
    doubled = b"}q\x00X\x01\x00\x00\x00a" + code(simple()) + b"s"
    for i in range(40): doubled += b"}q" + bytes([i + 1]) + b"X\x01\x00\x00\x00ah" + bytes([i]) + b"sX\x01\x00\x00\x00bh" + bytes([i]) + b"s"
    zipped("bad/doubled.pt", entries(Raw(doubled.replace(b"}q", b"0}q")[1:]), more=[("archive/data/0", A.tobytes())]))
    one("long-name", {"n" * 300: {"n" * 300: simple()}})
    one("nul-in-a-name", {"a\0b": simple()})
    one("empty-stack", Raw(b"0"))
    one("below-a-mark", Raw(b"N(0a"))
    one("no-mark", Raw(b"t"))
    one("odd-pairs", Raw(b"}(Nu"))
    one("never-remembered", Raw(b"h\x07"))
    one("remembers-far", Raw(b"Nr\xff\xff\xff\xff"))
    one("long-text", Raw(b"X\xff\xff\xff\xff"))
    one("longer-text", Raw(b"\x8d" + b"\xff" * 8))
    one("long-number", Raw(b"\x8b\xff\xff\xff\xff"))
    one("two-values", Raw(b"NN"))
    zipped("bad/protocol-0.pt", [("archive/data.pkl", b"\x80\x00N."), ("archive/version", b"3")])
    zipped("bad/never-ends.pt", [("archive/data.pkl", b"\x80\x02}"), ("archive/version", b"3")])
    zipped("bad/too-many-values.pt", [("archive/data.pkl", b"\x80\x02(" + b"N" * (1 << 21) + b"t."), ("archive/version", b"3")], packed=["archive/data.pkl"])
    zipped("bad/large-list.pt", [("archive/data.pkl", b"\x80\x02" + b"N0" * (1 << 22) + b"N" * (1 << 24) + b".")], packed=["archive/data.pkl"])
    one("no-tensors", {"epoch": 3})
    one("one-tensor", simple())
    one("larger-than-storage", {"a": tensor(Storage("0", A), 0, (2, 4))})
    one("beyond-storage", {"a": tensor(Storage("0", A), 1, (2, 3))})
    one("storage-larger-than-entry", {"a": tensor(Storage("0", A, count=7), 0, (7,))})
    one("aliasing", {"a": tensor(Storage("0", A), 0, (2, 3), (0, 1))})
    one("aliasing-partly", {"a": tensor(Storage("0", A), 0, (2, 3), (2, 1))})
    one("overflowing-shape", {"a": tensor(Storage("0", A), 0, (2**62, 2**62), (1, 1))})
    one("overflowing-shape-of-nothing", {"a": tensor(Storage("0", A), 0, (2**62, 2**62, 0), (1, 1, 1))})
    one("overflowing-strides", {"a": tensor(Storage("0", A), 0, (2**40, 2), (1, 2**62))})
    one("overflowing-reach", {"a": tensor(Storage("0", A), 0, (2**40,), (2**40,))})
    one("overflowing-offset", {"a": tensor(Storage("0", A), 2**63 - 1, (2, 3))})
    one("overflowing-storage", {"a": tensor(Storage("0", A, count=2**62), 0, (2, 3))})
    one("negative-side", {"a": tensor(Storage("0", A), 0, (-2, 3), (3, 1))})
    one("negative-offset", {"a": tensor(Storage("0", A), -1, (2, 3), (3, 1))})
    one("negative-stride", {"a": tensor(Storage("0", A), 5, (2, 3), (-3, -1))})
    one("few-strides", {"a": tensor(Storage("0", A), 0, (2, 3), (3,))})
    one("many-sides", {"a": tensor(Storage("0", A), 0, (1,) * 9)})
    one("unknown-storage", {"a": Call(Name("torch._utils", "_rebuild_tensor_v2"), (Raw(b"X\x01\x00\x00\x00aQ"), 0, (1,), (1,)))})
    one("few-arguments", {"a": Call(Name("torch._utils", "_rebuild_tensor_v2"), (Storage("0", A),))})
    one("no-arguments", {"a": Call(Name("torch._utils", "_rebuild_tensor_v2"), Raw(b"N"))})
    one("same-name-twice", Raw(b"}X\x01\x00\x00\x00a" + code(simple()) + b"sX\x01\x00\x00\x00a" + code(simple()) + b"s"), more=[("archive/data/0", A.tobytes())])
    one("same-name-by-nesting", {"a.b": simple(), "a": {"b": simple()}})
    zipped("bad/missing-entry.pt", [e for e in entries({"a": simple()}) if not e[0].endswith("/0")])
    zipped("bad/packed-tensor.pt", entries({"a": simple()}), packed=["archive/data/0"])
    one("high-byte-first", {"a": simple()}, more=[("archive/byteorder", b"big")])
    one("parent-folder", {"a": simple()}, more=[("archive/../../harm", b"x")])
    one("parent-folder-first", {"a": simple()}, more=[("../harm", b"x")])
    one("absolute", {"a": simple()}, more=[("/tmp/harm", b"x")])
    one("backslash", {"a": simple()}, more=[("archive\\..\\harm", b"x")])
    one("drive", {"a": simple()}, more=[("C:/harm", b"x")])
    one("long-entry-name", {"a": simple()}, more=[("archive/" + "n" * 600, b"x")])
    zipped("bad/no-pickle.pt", [("archive/version", b"3")])
    zipped("bad/other-zip.pt", [("word/document.xml", b"<x/>")])
    zipped("bad/bomb.pt", entries({"a": simple()}, more=[("archive/code/x.py", bytes(1 << 23))]), packed=["archive/code/x.py"])
    zipped("bad/pickle-bomb.pt", [("archive/data.pkl", b"\x80\x02" + bytes(1 << 25))], packed=["archive/data.pkl"])

    sound = bytearray(open("good/flat.pt", "rb").read()); directory = sound.index(b"PK\1\2"); second = sound.index(b"PK\1\2", directory + 1)
    def broken(name, change): b = bytearray(sound); change(b); open(f"bad/{name}.pt", "wb").write(b)
    def put(at, value, size=4):
        def change(b): b[at:at + size] = value.to_bytes(size, "little")
        return change
    broken("overlapping", put(second + 42, 0))
    broken("cut", lambda b: b.__delitem__(slice(len(b) - 40, len(b))))
    broken("cut-in-half", lambda b: b.__delitem__(slice(len(b) // 2, len(b))))
    broken("entry-beyond-the-end", put(second + 42, 10**6))
    broken("two-sizes", put(second + 24, 4096))
    broken("larger-than-the-file", lambda b: (put(second + 20, 10**6)(b), put(second + 24, 10**6)(b)))
    broken("encrypted", put(second + 8, 1, 2))
    broken("wrong-sum", lambda b: b.__setitem__(60, b[60] ^ 1))
    broken("many-entries", lambda b: put(b.index(b"PK\5\6") + 8, 0xfffe, 2)(b) or put(b.index(b"PK\5\6") + 10, 0xfffe, 2)(b))
    broken("no-entries", lambda b: put(b.index(b"PK\5\6") + 8, 0, 2)(b) or put(b.index(b"PK\5\6") + 10, 0, 2)(b))
    # two entries over the same bytes, as in overlapping zip bombs: the directory names one local header twice
    zipped("bad/inside-another.pt", entries({"a": simple()})); b = bytearray(open("bad/inside-another.pt", "rb").read())
    at = b.index(b"archive/data/0") - 30; end = b.index(b"PK\1\2"); size = end - at - 44; entry = b.index(b"archive/data/0", end) - 46; checksum = zlib.crc32(b[at + 44:end])
    for place in (at + 14, entry + 16): b[place:place + 12] = struct.pack("<III", checksum, size, size)
    open("bad/inside-another.pt", "wb").write(b)
    data = A.tobytes(); local = struct.pack("<4sHHHHHIIIHH", b"PK\3\4", 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), 14, 0) + b"archive/data/0" + data
    central = struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", 20, 20, 0, 0, 0, 33, zlib.crc32(data), len(data), len(data), 14, 0, 0, 0, 0, 0, 0) + b"archive/data/0"
    open("bad/twice-in-the-directory.pt", "wb").write(local + 2 * central + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 2, 2, 2 * len(central), len(local), 0))

    legacy("bad/old-code.bin", {"a": Call(Name("os", "system"), ("x",))})
    legacy("bad/old-short.bin", {"a": tensor(Storage("x", A, count=60), 0, (2, 3))})
    legacy("bad/old-other-count.bin", {"a": simple()}, counts={"0": 5})
    legacy("bad/old-negative-count.bin", {"a": simple()}, counts={"0": -1})
    legacy("bad/old-huge-count.bin", {"a": tensor(Storage("0", A, count=2**62), 0, (2, 3))})
    legacy("bad/old-lacks-key.bin", {"a": simple()}, keys=[])
    legacy("bad/old-key-twice.bin", {"a": simple()}, keys=["0", "0"])
    legacy("bad/old-strange-key.bin", {"a": simple()}, keys=["0", "1"])
    legacy("bad/old-keys-of-numbers.bin", {"a": simple()}, keys=[0])
    legacy("bad/old-two-sizes.bin", {"a": simple(), "b": tensor(Storage("0", A, count=7), 0, (2, 3))})
    legacy("bad/old-two-kinds.bin", {"a": simple(), "b": tensor(Storage("0", A.astype(np.float64), "DoubleStorage"), 0, (2, 3))})
    legacy("bad/old-part.bin", {"a": tensor(Storage("0", A, view=("z", 4, 3)), 0, (3,))})
    legacy("bad/old-version.bin", {"a": simple()}, version=1002)
    legacy("bad/old-high-byte-first.bin", {"a": simple()}, little=False)
    legacy("bad/old-more-bytes.bin", {"a": simple()}, end=b"x")
    legacy("bad/old-aliasing.bin", {"a": tensor(Storage("0", A), 0, (2, 3), (0, 1))})
    whole = open("good/old.bin", "rb").read()
    open("bad/old-cut.bin", "wb").write(whole[:-9]); open("bad/old-cut-early.bin", "wb").write(whole[:40])


def read_safetensors(path):
    b = open(path, "rb").read(); n = int.from_bytes(b[:8], "little")
    return {k: (v, b[8 + n + v["data_offsets"][0]:8 + n + v["data_offsets"][1]]) for k, v in json.loads(b[8:8 + n]).items() if k != "__metadata__"}


def safetensors(path, tensors):
    header, at = {}, 0
    for name, (v, raw) in tensors.items(): header[name] = {"dtype": v["dtype"], "shape": v["shape"], "data_offsets": [at, at + len(raw)]}; at += len(raw)
    head = json.dumps(header).encode(); open(path, "wb").write(struct.pack("<Q", len(head)) + head + b"".join(raw for _, raw in tensors.values()))


def models():
    """vision/: what CLIPVisionModelWithProjection keeps of the model in sharded/. openai/: names and shapes of OpenAI's state dict with a head of
    width 64, and random numbers."""
    whole = {}
    for i in (1, 2, 3): whole.update(read_safetensors(f"sharded/model-0000{i}-of-00003.safetensors"))
    safetensors("vision/model.safetensors", {n: x for n, x in whole.items() if n.startswith("vis")})
    config = json.load(open("sharded/config.json"))
    json.dump({**config["vision_config"], "architectures": ["CLIPVisionModelWithProjection"], "model_type": "clip_vision_model", "projection_dim": 32}, open("vision/config.json", "w"), indent=1)
    rng, w, d = np.random.default_rng(5), 64, 16
    shapes = {"visual.class_embedding": (w,), "visual.positional_embedding": (5, w), "visual.conv1.weight": (w, 3, 4, 4), "visual.ln_pre": (w,), "visual.ln_post": (w,), "visual.proj": (w, d),
              "positional_embedding": (6, w), "token_embedding.weight": (600, w), "ln_final": (w,), "text_projection": (w, d), "logit_scale": ()}
    for t in ("visual.transformer.resblocks.0.", "visual.transformer.resblocks.1.", "transformer.resblocks.0."):
        shapes |= {t + "ln_1": (w,), t + "attn.in_proj_weight": (3 * w, w), t + "attn.in_proj_bias": (3 * w,), t + "attn.out_proj.weight": (w, w), t + "attn.out_proj.bias": (w,), t + "ln_2": (w,),
                   t + "mlp.c_fc.weight": (2 * w, w), t + "mlp.c_fc.bias": (2 * w,), t + "mlp.c_proj.weight": (w, 2 * w), t + "mlp.c_proj.bias": (w,)}
    state = {}
    for name, shape in shapes.items():
        norm = "ln_" in name
        if norm: state[name + ".bias"] = rng.normal(0, .1, shape)
        state[name + ".weight" if norm else name] = rng.normal(norm, .1, shape)
    state = {n: tensor(Storage(str(i), np.asarray(x, np.float16), "HalfStorage"), 0, np.shape(x)) for i, (n, x) in enumerate(state.items())}
    for i, (n, x) in enumerate((("input_resolution", 8), ("context_length", 6), ("vocab_size", 600))): state[n] = tensor(Storage(f"n{i}", np.array(x, np.int64), "LongStorage"), 0, ())
    zipped("openai/ViT-tiny.pt", entries(state, name="ViT"))


good()
bad()
models()
