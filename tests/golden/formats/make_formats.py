#!/usr/bin/python3
"""Makes the images in this folder and, as NAME.npy, the RGB bytes that Pillow shows of them (python3-numpy, python3-pil), so
that headlight's decoders are compared with other people's. What Pillow refuses ends this script. Run it in this folder; the
same files come out every time. 16 bits of gray are taken by their high byte, as of all other colours."""
import io, random, struct, warnings, zlib
import numpy as np
from PIL import Image

warnings.simplefilter("ignore")
rng = random.Random(5)
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def noise(count, below=256):
    return bytes(rng.randrange(below) for _ in range(count))


def save(name, data):
    with open(name, "wb") as f:
        f.write(data)
    image = Image.open(io.BytesIO(data))
    image.load()
    if image.mode.startswith("I"):
        rgb = np.repeat((np.asarray(image).astype(np.int64) >> 8)[..., None], 3, 2)
    else:
        rgb = np.asarray(image.convert("RGB"))
    np.save(name.rsplit(".", 1)[0] + ".npy", rgb.astype(np.float32))


def packed(numbers, bits):
    """Numbers of 1 to 16 bits, highest first, to whole bytes."""
    value = 0
    for number in numbers:
        value = value << bits | number
    used = bits * len(numbers)
    return (value << -used % 8).to_bytes((used + 7) // 8, "big")


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width, height, bits, kind, interlaced=0, palette=0, before=b"", end=chunk(b"IEND", b""), parts=1):
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    pixels = [[[rng.randrange(1 << bits) for _ in range(channels)] for _ in range(width)] for _ in range(height)]
    data = b""
    for left, top, across, down in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        above = None
        for y in range(top, height, down):
            row = packed([n for x in range(left, width, across) for n in pixels[y][x]], bits)
            if row:
                up = above is not None
                data += bytes([2 * up]) + bytes((a - b) & 255 for a, b in zip(row, above or bytes(len(row))))
                above = row
    data = zlib.compress(data)
    step = -(-len(data) // parts)
    out = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, interlaced))
    out += (chunk(b"PLTE", noise(3 * palette)) if palette else b"") + before
    return out + b"".join(chunk(b"IDAT", data[i:i + step]) for i in range(0, len(data), step)) + end


def pngs():
    for kind, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for bits in depths:
            for interlaced in (0, 1):
                name = "png_kind%d_%dbit%s.png" % (kind, bits, "_interlaced" * interlaced)
                save(name, png(11, 9, bits, kind, interlaced, 1 << bits if kind == 3 else 0, parts=1 + bits // 8))
    for bits, colours in ((2, 3), (4, 5), (8, 100)):
        save("png_short_palette_%dbit.png" % bits, png(11, 9, bits, 3, palette=colours))
    save("png_without_end.png", png(11, 9, 8, 2, end=b""))
    save("png_cut_end.png", png(11, 9, 8, 3, palette=256, end=chunk(b"IEND", b"")[:7]))
    save("png_trailing.png", png(11, 9, 8, 2, end=chunk(b"IEND", b"") + b"more"))
    save("png_colour_key.png", png(11, 9, 8, 2, before=chunk(b"tRNS", b"\0\1\0\2\0\3") + chunk(b"gAMA", struct.pack(">I", 9999))))
    control = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 0, 11, 9, 0, 0, 1, 2, 0, 0))
    later = chunk(b"fcTL", struct.pack(">IIIIIHHBB", 1, 3, 3, 1, 1, 1, 2, 0, 0)) + chunk(b"fdAT", b"\0\0\0\2" + zlib.compress(b"\0" + bytes(9)))
    save("png_moving.png", png(11, 9, 8, 2, before=chunk(b"acTL", struct.pack(">II", 2, 0)) + control, end=later + chunk(b"IEND", b"")))


def lzw(pixels, bits):
    """GIF's codes; the table is begun anew before it needs longer ones."""
    clear, out, value, used = 1 << bits, b"", 0, 0
    codes, table, word = [clear], {}, ()
    for pixel in pixels:
        if word + (pixel,) in table or not word:
            word += (pixel,)
            continue
        codes.append(table[word] if len(word) > 1 else word[0])
        table[word + (pixel,)] = clear + 2 + len(table)
        word = (pixel,)
        if clear + 2 + len(table) == 2 * clear - 1:
            codes.append(word[0])
            codes.append(clear)
            table, word = {}, ()
    codes += ([table[word] if len(word) > 1 else word[0]] if word else []) + [clear + 1]
    for code in codes:
        value |= code << used
        used += bits + 1
    data = value.to_bytes((used + 7) // 8, "little")
    return bytes([bits]) + b"".join(bytes([len(data[i:i + 255])]) + data[i:i + 255] for i in range(0, len(data), 255)) + b"\0"


def gif(screen, frame, table=0, local=0, interlaced=0, transparent=None, bits=5, between=b"", version=b"GIF89a"):
    def flags(colours):
        return 0x80 | colours.bit_length() - 2 if colours else 0
    left, top, width, height = frame
    out = version + struct.pack("<HHBBB", *screen, flags(table), 1, 0) + noise(3 * table) + between
    if transparent is not None:
        out += b"\x21\xf9\x04" + bytes([1, 5, 0, transparent]) + b"\0"
    out += b"," + struct.pack("<HHHHB", left, top, width, height, flags(local) | 0x40 * interlaced) + noise(3 * local)
    return out + lzw(noise(width * height, 1 << bits), bits) + b";"


def gifs():
    save("gif_full.gif", gif((11, 9), (0, 0, 11, 9), 32))
    save("gif_87a.gif", gif((11, 9), (0, 0, 11, 9), 32, version=b"GIF87a"))
    save("gif_interlaced.gif", gif((11, 19), (0, 0, 11, 19), 32, interlaced=1))
    save("gif_small_frame.gif", gif((13, 12), (3, 2, 7, 5), 32))
    save("gif_small_frame_transparent.gif", gif((13, 12), (3, 2, 7, 5), 32, transparent=7))
    save("gif_small_frame_local.gif", gif((13, 12), (3, 2, 7, 5), 16, 32, interlaced=1, transparent=20))
    save("gif_beyond_screen.gif", gif((6, 5), (4, 2, 7, 9), 32))
    save("gif_no_screen.gif", gif((0, 0), (0, 0, 7, 9), 32))
    save("gif_no_palette.gif", gif((11, 9), (1, 0, 10, 9), bits=8))
    save("gif_short_palette.gif", gif((11, 9), (0, 1, 11, 8), 8, bits=6))
    save("gif_short_local_palette.gif", gif((11, 9), (0, 1, 11, 8), 64, 4, transparent=40))
    save("gif_two_controls.gif", gif((11, 9), (2, 1, 4, 4), 32, between=b"\x21\xf9\x04\1\5\0\x09\0\x21\xf9\x04\0\5\0\x03\0\x21\xfe\3abc\0"))


def bmp(width, height, bits, header=40, masks=None, colours=0, entries=None, top_down=False, gap=0):
    size = 3 if header == 12 else 4
    count = (entries or colours or 1 << bits) if bits <= 8 else 0
    if header == 12:
        head = struct.pack("<IHHHH", 12, width, height, 1, bits)
    else:
        head = struct.pack("<IiiHHIIiiII", header, width, -height if top_down else height, 1, bits, 3 if masks else 0, 0, 2835, 2835, colours, 0)
        mask = struct.pack("<IIII", *(masks or (0, 0, 0, 0)))
        head += mask.ljust(header - 40, b"\0") if header > 40 else mask[:12] if masks else b""
    head += noise(size * count) + bytes(gap)
    rows = noise((width * bits + 31) // 32 * 4 * height)
    return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(rows), 0, 0, 14 + len(head)) + head + rows


def bmps():
    for bits in (1, 4, 8, 16, 24, 32):
        for header in (12, 40, 64, 108, 124):
            save("bmp_%dbit_header%d.bmp" % (bits, header), bmp(11, 5, bits, header, top_down=header == 108))
    for bits, colours in ((1, 1), (4, 5), (8, 3), (8, 200)):
        save("bmp_short_palette_%dbit_%d.bmp" % (bits, colours), bmp(11, 5, bits, colours=colours, gap=2))
    save("bmp_565.bmp", bmp(21, 9, 16, masks=(0xF800, 0x7E0, 0x1F, 0)))
    save("bmp_555.bmp", bmp(21, 9, 16, 108, masks=(0x7C00, 0x3E0, 0x1F, 0)))
    for i, masks in enumerate([(0xFF0000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000, 0xFF000000)]):
        save("bmp_masks%d.bmp" % i, bmp(11, 5, 32, 124, masks=masks))


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def smooth(width, height, channels):
    small = Image.frombytes("RGBA", (4, 3), noise(48)).resize((width, height), Image.BICUBIC)
    return Image.fromarray(np.ascontiguousarray(np.asarray(small)[..., :channels]), {3: "RGB", 4: "RGBA"}[channels])


def webps():
    save("webp_lossy.webp", encoded(smooth(33, 21, 3), "WEBP", quality=60))
    save("webp_lossy_alpha.webp", encoded(smooth(20, 31, 4), "WEBP", quality=60))
    save("webp_lossless.webp", encoded(Image.frombytes("RGB", (11, 9), noise(297)), "WEBP", lossless=True))
    save("webp_lossless_alpha.webp", encoded(Image.frombytes("RGBA", (11, 9), noise(396)), "WEBP", lossless=True, exact=True))
    frames = [encoded(smooth(9, 7, 4), "WEBP", lossless=True), encoded(smooth(15, 12, 3), "WEBP", quality=50)]

    def part(kind, body):
        return kind + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)

    def small(number):
        return struct.pack("<I", number)[:3]
    body = part(b"VP8X", bytes([0x12, 0, 0, 0]) + small(14) + small(11)) + part(b"ANIM", b"\x10\x20\x30\xff\0\0")
    for frame, (left, top, width, height) in zip(frames, [(4, 2, 9, 7), (0, 0, 15, 12)]):
        body += part(b"ANMF", b"".join(map(small, (left // 2, top // 2, width - 1, height - 1, 100))) + b"\0" + frame[12:])
    save("webp_moving.webp", part(b"RIFF", b"WEBP" + body))


def tiff(width, height, bits, samples, meaning, extra=None, order="<", planes=1, rows=0, tile=None, packing=1, turn=0, big=False):
    def block(across, down):
        row = (across * (1 if planes == 2 else samples) * bits + 7) // 8
        data = noise(row * down)
        if packing == 32773:
            return b"".join(bytes([row - 1]) + data[row * y:row * (y + 1)] for y in range(down))
        return zlib.compress(data) if packing == 8 else data
    across, down = tile or (width, rows or height)
    blocks = [block(across, down if tile else min(down, height - y)) for _ in range(samples if planes == 2 else 1)
              for y in range(0, height, down) for _ in range(0, width, across)]
    body, at = b"", []
    for data in blocks:
        at.append((16 if big else 8) + len(body))
        body += data + bytes(len(data) % 2)
    tags = {256: [width], 257: [height], 258: [bits] * samples, 259: [packing], 262: [meaning], 277: [samples], 284: [planes]}
    if extra is not None:
        tags[338] = [extra]
    if turn:
        tags[274] = [turn]
    if meaning == 3:
        tags[320] = [rng.randrange(65536) for _ in range(3 << bits)]
    tags.update({322: [across], 323: [down]} if tile else {278: [down]})
    tags[324 if tile else 273], tags[325 if tile else 279] = at, [len(data) for data in blocks]
    place = "Q" if big else "I"
    entry, first = struct.calcsize("=HH" + 2 * place), (16 if big else 8) + len(body)
    beyond, more = first + (8 if big else 2) + entry * len(tags) + struct.calcsize(place), b""
    directory = struct.pack(order + ("Q" if big else "H"), len(tags))
    for tag in sorted(tags):
        long = tag in (273, 279, 324, 325)
        value = struct.pack(order + ("I" if long else "H") * len(tags[tag]), *tags[tag])
        directory += struct.pack(order + "HH" + place, tag, 4 if long else 3, len(tags[tag]))
        if len(value) > struct.calcsize(place):
            directory += struct.pack(order + place, beyond + len(more))
            more += value + bytes(len(value) % 2)
        else:
            directory += value.ljust(struct.calcsize(place), b"\0")
    head = {"<": b"II", ">": b"MM"}[order] + (struct.pack(order + "HHHQ", 43, 8, 0, first) if big else struct.pack(order + "HI", 42, first))
    return head + body + directory + bytes(struct.calcsize(place)) + more


def tiffs():
    kinds = [(1, 1, 0, None), (1, 1, 1, None), (2, 1, 1, None), (4, 1, 0, None), (8, 1, 0, None), (8, 1, 1, None), (16, 1, 1, None), (8, 2, 1, 2),
             (1, 1, 3, None), (4, 1, 3, None), (8, 1, 3, None), (8, 3, 2, None), (16, 3, 2, None), (8, 4, 2, None), (8, 4, 2, 0), (8, 4, 2, 1), (8, 4, 2, 2),
             (16, 4, 2, 1), (8, 4, 5, None)]
    for i, (bits, samples, meaning, extra) in enumerate(kinds):
        name = "tiff_%dx%d_kind%d%s" % (bits, samples, meaning, "" if extra is None else "_extra%d" % extra)
        save(name + ".tif", tiff(11, 7, bits, samples, meaning, extra, "<>"[i % 2], rows=3 * (i % 3 == 0), packing=(1, 8, 32773)[i % 3]))
    save("tiff_tiles.tif", tiff(21, 35, 8, 3, 2, tile=(16, 16), packing=8))
    save("tiff_tiles_gray.tif", tiff(21, 9, 4, 1, 1, tile=(32, 16), order=">"))
    save("tiff_planes.tif", tiff(11, 7, 8, 3, 2, planes=2, rows=3))
    save("tiff_planes_deep.tif", tiff(11, 7, 16, 3, 2, planes=2, packing=8, order=">"))
    save("tiff_big.tif", tiff(11, 7, 8, 3, 2, big=True, rows=2))
    for turn in range(1, 9):
        save("tiff_turned%d.tif" % turn, tiff(7, 5, 8, 3, 2, turn=turn))
    photo = smooth(40, 24, 3)
    for name, image in {"lzw": photo, "adobe_deflate": photo.convert("L"), "jpeg": photo}.items():
        save("tiff_%s.tif" % name, encoded(image, "TIFF", compression="tiff_lzw" if name == "lzw" else "jpeg" if name == "jpeg" else "tiff_" + name))
    for name in ("group3", "group4", "tiff_ccitt"):
        save("tiff_%s.tif" % name.replace("tiff_", ""), encoded(photo.convert("1"), "TIFF", compression=name))
    pages = encoded(photo, "TIFF", compression="tiff_lzw", save_all=True, append_images=[photo.rotate(180)])
    save("tiff_pages.tif", pages)


pngs()
gifs()
bmps()
webps()
tiffs()
