#!/usr/bin/python3
"""Makes the files in this folder with numpy and Pillow (python3-numpy, python3-pil), so that headlight's readers and
writers are compared with other people's. Run it in this folder; the same files come out every time.

NAME.EXTENSION is an image, NAME.npy its RGB bytes as Pillow reads them (16 bits by their high byte)."""
import io, json, struct, zlib
import numpy as np
from PIL import Image

rng = np.random.default_rng(7)


def expect(name, rgb):
    np.save(name + ".npy", np.asarray(rgb).astype(np.float32))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def images():
    rgb = rng.integers(0, 256, (7, 12, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(rgb).resize((40, 24), Image.BICUBIC))

    def save(name, image, extension="png", **options):
        image.save(f"{name}.{extension}", **options)
        expect(name, Image.open(f"{name}.{extension}").convert("RGB"))

    save("alpha", Image.fromarray(rng.integers(0, 256, (7, 12, 4), dtype=np.uint8), "RGBA"))
    save("gray_alpha", Image.fromarray(rng.integers(0, 256, (7, 12, 2), dtype=np.uint8), "LA"))
    save("gray_1bit", Image.fromarray(rgb[..., 0] > 127))
    palette = Image.fromarray(smooth).quantize(13)
    save("palette_transparent", palette, transparency=bytes(range(0, 260, 20)))
    save("bitmap", Image.fromarray(rgb), "bmp")
    save("moving", palette, "gif", save_all=True, append_images=[palette.transpose(Image.ROTATE_180)])
    save("progressive", Image.fromarray(smooth), "jpg", quality=95, subsampling=0, progressive=True)
    save("gray", Image.fromarray(smooth[..., 0]), "jpg", quality=95)

    gray16 = rng.integers(0, 65536, (7, 12), dtype=np.uint16)
    Image.fromarray(gray16).save("gray_16bit.png")
    expect("gray_16bit", np.repeat((gray16 >> 8)[..., None], 3, 2))
    rgb16 = rng.integers(0, 65536, (7, 12, 3), dtype=np.uint16)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in rgb16)
    with open("rgb_16bit.png", "wb") as f:
        f.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 12, 7, 16, 2, 0, 0, 0)))
        f.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    expect("rgb_16bit", rgb16 >> 8)
    jpegs(smooth)
    transparent_gifs(palette)


def jpegs(smooth):
    """Kinds of JPEG. Where Pillow reads what it cannot write, a file that it wrote is patched: a scan with the same blocks
    for each cell is valid for other sampling factors too, and looks scrambled."""
    tall = Image.fromarray(smooth).resize((37, 23), Image.BICUBIC)
    primaries = Image.fromarray(np.asarray(tall) // 128 * np.uint8(255))

    def encode(image, **options):
        file = io.BytesIO()
        image.save(file, "jpeg", **options)
        return file.getvalue()

    def save(name, data):
        with open(name + ".jpg", "wb") as f:
            f.write(data)
        expect(name, Image.open(name + ".jpg").convert("RGB"))

    def reframed(data, factors, width, height):
        frame = data.index(b"\xff\xc0")
        return data[:frame + 5] + struct.pack(">HH", height, width) + data[frame + 9:frame + 11] + bytes([factors]) + data[frame + 12:]

    for name, subsampling in [("444", 0), ("422", 1), ("420", 2)]:
        save("sampled_" + name, encode(primaries, quality=90, subsampling=subsampling))
    save("sampled_440", reframed(encode(primaries, quality=90, subsampling=1), 0x12, 21, 43))
    save("sampled_411", reframed(encode(primaries, quality=90, subsampling=2), 0x41, 61, 21))
    save("sampled_441", reframed(encode(primaries, quality=90, subsampling=2), 0x14, 21, 61))
    save("rotated", encode(tall, exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"))

    # Four inks; the same with the mark that three of them are stored as brightness and colour; red, green, blue as such.
    cmyk = encode(tall.convert("CMYK"), quality=95)
    transform = cmyk.index(b"Adobe") + 11
    save("cmyk", cmyk)
    save("ycck", cmyk[:transform] + b"\x02" + cmyk[transform + 1:])
    save("cmyk_progressive", encode(Image.fromarray(np.dstack([smooth, smooth[::-1, ::-1, 1]]), "CMYK"), progressive=True))
    adobe = b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0\0"
    save("rgb_coded", b"\xff\xd8" + adobe + encode(tall, quality=95, subsampling=0)[20:])

    # Each restart interval is the scan of a picture of one block.
    gray = tall.convert("L")
    blocks = [encode(gray.crop((x, y, x + 8, y + 8))) for y in range(0, 24, 8) for x in range(0, 40, 8)]
    scans = [block[block.index(b"\xff\xda") + 10:-2] for block in blocks]
    header = encode(gray)
    header = header[:header.index(b"\xff\xda") + 10]
    scan = b"".join(part + bytes([0xFF, 0xD0 + i % 8]) for i, part in enumerate(scans))[:-2]
    restart = header[:-10] + b"\xff\xdd\0\x04\0\x01" + header[-10:] + scan + b"\xff\xd9"
    save("restarts", restart)

    # Damage that Pillow puts up with: a restart missing, bytes between segments, a scan cut short before the end marker.
    save("lost_restart", restart.replace(b"\xff\xd2", b"", 1))
    coarse = encode(tall, quality=95, subsampling=2)
    tables = coarse.index(b"\xff\xc4")
    save("stray_bytes", coarse[:tables] + b"\0\x01\x02" + coarse[tables:])
    save("short_scan", coarse[:coarse.index(b"\xff\xda") + 200] + b"\xff\xd9")


def transparent_gifs(palette):
    """Where a colour is transparent Pillow shows that colour."""
    def save(name, **options):
        palette.save(name + ".gif", **options)
        expect(name, Image.open(name + ".gif").convert("RGB"))

    save("transparent", transparency=int(np.asarray(palette)[5, 5]))
    save("transparent_local", transparency=int(np.asarray(palette)[12, 20]), comment=b"before the picture", include_color_table=True)


def resized():
    """WIDTHxHEIGHT.npy: ../images/rgb_wide.png at that size."""
    wide = Image.open("../images/rgb_wide.png").convert("RGB")
    for size in [(37, 19), (wide.width, 11), (9, wide.height), (1, 1), (101, 3), (60, 90)]:
        expect("%dx%d" % size, wide.resize(size, Image.BICUBIC))
    for word, how in (("bicubic", Image.BICUBIC), ("bilinear", Image.BILINEAR), ("nearest", Image.NEAREST)):
        for size in [(32, 20), (7, 90)]:
            expect("%s_%dx%d" % (word, *size), wide.resize(size, how))
        for to in [(24, 40), (40, 24), (20, 20)]:
            tall = wide.width * to[1] <= wide.height * to[0]
            whole = (to[0], to[0] * wide.height // wide.width) if tall else (to[1] * wide.width // wide.height, to[1])
            left, top = round((whole[0] - to[0]) / 2), round((whole[1] - to[1]) / 2)
            expect("%s_cover_%dx%d" % (word, *to), wide.resize(whole, how).crop((left, top, left + to[0], top + to[1])))


def tensors():
    """floats.safetensors: its data begins at an odd byte; NAME.npy are the tensors as f32."""
    f16 = np.concatenate([np.arange(0, 65536, 7), [0, 1, 0x3FF, 0x400, 0x7BFF, 0x7C00, 0x7E00, 0x8000, 0x8001, 0xFC00]])
    f16 = f16.astype(np.uint16).view(np.float16)
    bf16 = np.arange(0, 65536, 61).astype(np.uint16)
    f64 = np.concatenate([rng.normal(size=200), 10.0 ** rng.uniform(-50, 45, 200), [0.0, -0.0, np.inf, -np.inf, np.nan, 1 + 2.0**-24]])
    f32 = rng.normal(size=(3, 5)).astype(np.float32)
    arrays = [("f16", "F16", f16), ("bf16", "BF16", bf16), ("f64", "F64", f64), ("f32", "F32", f32), ("i64", "I64", np.arange(3)), ("scalar", "F32", np.float32(2.5))]
    header, data = {"__metadata__": {"made by": "numpy"}}, b""
    for name, dtype, a in arrays:
        header[name] = {"dtype": dtype, "shape": list(np.shape(a)), "data_offsets": [len(data), len(data) + a.nbytes]}
        data += a.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (1 - len(text) % 2)
    with open("floats.safetensors", "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)
    with np.errstate(over="ignore", invalid="ignore"):
        np.save("f16.npy", f16.astype(np.float32))
        np.save("bf16.npy", (bf16.astype(np.uint32) << 16).view(np.float32))
        np.save("f64.npy", f64.astype(np.float32))
        np.save("f32.npy", f32)


def arrays():
    counting = np.arange(24, dtype=np.float32)
    np.save("cube.npy", counting.reshape(2, 3, 4))
    np.save("row.npy", counting)
    np.save("number.npy", np.float32(3))
    np.save("nothing.npy", np.zeros((0, 3), np.float32))
    np.save("ids.npy", np.arange(6, dtype=np.int32).reshape(2, 3))
    np.save("double.npy", counting.astype(np.float64).reshape(4, 6) / 3)
    np.save("fortran.npy", np.asfortranarray(counting.reshape(4, 6)))
    np.save("big_endian.npy", counting.astype(">f4"))
    with open("version2.npy", "wb") as f:
        np.lib.format.write_array(f, counting.reshape(2, 12), version=(2, 0))


images()
resized()
tensors()
arrays()
