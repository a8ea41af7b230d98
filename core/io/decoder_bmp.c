/* BMP whose rows lie in the file as they are. There is nothing to decode but numbers of 1 to 32 bits, and no
 * library that makes Pillow's levels of them; what is compressed is refused. Never knows what the pixels are
 * for. */
#include "core/io/decoder_library.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RGB = 3, COLOURS = 256, FILE_HEADER = 14, CORE_HEADER = 12, INFO_HEADER = 40 };
enum { UNCOMPRESSED, RLE8, RLE4, MASKS };

/* How the bytes or bits of a pixel become red, green and blue; as Pillow, only these. */
typedef struct layout {
    uint32_t bits, mask[4];
    uint32_t at[RGB]; /* byte of a channel; with 16 bits, its lowest bit */
} layout;

static const layout LAYOUTS[] = {
    {16, {0x7c00, 0x3e0, 0x1f}, {10, 5, 0}},
    {16, {0xf800, 0x7e0, 0x1f}, {11, 5, 0}},
    {24, {0xff0000, 0xff00, 0xff}, {2, 1, 0}},
    {32, {0xff0000, 0xff00, 0xff}, {2, 1, 0}},
    {32, {0xff0000, 0xff00, 0xff, 0xff000000}, {2, 1, 0}},
    {32, {0}, {2, 1, 0}},
    {32, {0xff000000, 0xff0000, 0xff00}, {3, 2, 1}},
    {32, {0xff000000, 0xff0000, 0xff00, 0xff}, {3, 2, 1}},
    {32, {0xff, 0xff00, 0xff0000, 0xff000000}, {0, 1, 2}},
};

typedef struct bitmap {
    const encoded_image *image;
    uint32_t header, width, height, bits, compression, colours;
    bool top_down;
    size_t end_of_headers, pixels; /* places in the file */
    const layout *layout;          /* with 16 bits and more */
    uint8_t palette[COLOURS][RGB]; /* with fewer */
} bitmap;

static uint32_t number(const uint8_t *from, int bytes) {
    uint32_t value = 0;
    while (bytes-- > 0) value = value << 8 | from[bytes];
    return value;
}

static hl_status rare(const bitmap *map, const char *reason, hl_error *error) {
    return decoder_damaged(map->image->name, reason, error);
}

/* ---- headers ---- */

static void read_core_header(bitmap *map, const uint8_t *header) {
    map->width = number(header + 4, 2);
    map->height = number(header + 6, 2);
    map->bits = number(header + 10, 2);
}

static void read_info_header(bitmap *map, const uint8_t *header) {
    map->width = number(header + 4, 4);
    map->height = number(header + 8, 4);
    map->bits = number(header + 14, 2);
    map->compression = number(header + 16, 4);
    map->colours = number(header + 32, 4);
    map->top_down = map->height >> 24 == 0xff;
    if (map->top_down) map->height = -map->height;
}

static hl_status read_headers(bitmap *map, hl_error *error) {
    const encoded_image *image = map->image;
    if (image->count < FILE_HEADER + 4) return decoder_truncated(image->name, error);
    const uint8_t *header = image->bytes + FILE_HEADER;
    map->header = number(header, 4);
    bool known = map->header == CORE_HEADER || map->header == INFO_HEADER || map->header == 64 ||
                 map->header == 108 || map->header == 124;
    if (!known) return rare(map, "its header has an unknown length", error);
    map->end_of_headers = FILE_HEADER + map->header;
    if (image->count < map->end_of_headers) return decoder_truncated(image->name, error);
    map->header == CORE_HEADER ? read_core_header(map, header) : read_info_header(map, header);
    map->pixels = number(image->bytes + 10, 4);
    return HL_OK;
}

/* ---- colours ---- */

/* The masks of the shortest header follow it. */
static hl_status read_masks(bitmap *map, uint32_t mask[4], hl_error *error) {
    enum { AT = FILE_HEADER + INFO_HEADER, EACH = 4 };
    bool with_opacity = map->header > INFO_HEADER;
    size_t count = with_opacity ? 4 : RGB;
    if (!with_opacity) map->end_of_headers += count * EACH;
    if (map->image->count < AT + count * EACH) return decoder_truncated(map->image->name, error);
    for (size_t i = 0; i < count; ++i) mask[i] = number(map->image->bytes + AT + EACH * i, EACH);
    if (map->bits < 32) mask[3] = 0;
    return HL_OK;
}

static hl_status choose_layout(bitmap *map, hl_error *error) {
    uint32_t mask[4] = {0};
    hl_status status = map->compression == MASKS ? read_masks(map, mask, error) : HL_OK;
    if (status != HL_OK) return status;
    for (size_t i = 0; i < sizeof LAYOUTS / sizeof *LAYOUTS && !map->layout; ++i) {
        bool usual = map->compression == UNCOMPRESSED || memcmp(LAYOUTS[i].mask, mask, sizeof mask) == 0;
        if (LAYOUTS[i].bits == map->bits && usual) map->layout = &LAYOUTS[i];
    }
    return map->layout ? HL_OK : rare(map, "its colours are masked in an unknown way", error);
}

/* Colours that the file does not have are grays. A palette of nothing but grays is none for Pillow, which
 * then takes another number of bits than the file says. */
static hl_status read_palette(bitmap *map, hl_error *error) {
    size_t entry = map->header == CORE_HEADER ? RGB : RGB + 1;
    if (map->colours == 0) map->colours = 1u << map->bits;
    if (map->colours > COLOURS) return rare(map, "its palette has more than 256 colours", error);
    const uint8_t *from = map->image->bytes + map->end_of_headers;
    if (map->pixels == map->end_of_headers) map->pixels += (RGB + 1) * map->colours;
    map->end_of_headers += entry * map->colours;
    if (map->image->count < map->end_of_headers) return decoder_truncated(map->image->name, error);
    bool grays = true;
    for (size_t i = 0; i < COLOURS; ++i) {
        memset(map->palette[i], (int)i, RGB);
        if (i >= map->colours) continue;
        for (size_t c = 0; c < RGB; ++c) {
            map->palette[i][c] = from[entry * i + RGB - 1 - c];
            grays &= map->palette[i][c] == (map->colours == 2 && i == 1 ? 255 : i);
        }
    }
    if (grays && map->bits != (map->colours == 2 ? 1 : 8))
        return rare(map, "its palette has only grays that its bits do not stand for", error);
    return HL_OK;
}

static hl_status read_colours(bitmap *map, hl_error *error) {
    bool has_palette = map->bits == 1 || map->bits == 4 || map->bits == 8;
    bool has_channels = map->bits == 16 || map->bits == 24 || map->bits == 32;
    if (!has_palette && !has_channels) return rare(map, "its pixels have an unknown number of bits", error);
    if (map->compression == RLE8 || map->compression == RLE4)
        return rare(map, "run-length coding is not read", error);
    if (map->compression != UNCOMPRESSED && !(map->compression == MASKS && has_channels))
        return rare(map, "its compression is not read", error);
    return has_palette ? read_palette(map, error) : choose_layout(map, error);
}

static hl_status open_bitmap(const encoded_image *image, bitmap *map, hl_error *error) {
    *map = (bitmap){.image = image};
    hl_status status = read_headers(map, error);
    if (status == HL_OK) status = read_colours(map, error);
    if (status == HL_OK && map->pixels == 0) map->pixels = map->end_of_headers;
    return status;
}

/* ---- pixels ---- */

static void draw_indexed(const bitmap *map, const uint8_t *row, uint8_t *rgb) {
    for (uint32_t x = 0; x < map->width; ++x) {
        size_t bit = (size_t)x * map->bits;
        uint32_t index = (uint32_t)row[bit / 8] >> (8 - map->bits - bit % 8) & ((1u << map->bits) - 1);
        memcpy(rgb + RGB * (size_t)x, map->palette[index], RGB);
    }
}

static void draw_16bit(const bitmap *map, const uint8_t *row, uint8_t *rgb) {
    for (size_t x = 0; x < map->width; ++x) {
        uint32_t pixel = number(row + 2 * x, 2);
        for (int c = 0; c < RGB; ++c) {
            uint32_t lowest = map->layout->at[c], most = map->layout->mask[c] >> lowest;
            rgb[RGB * x + (size_t)c] = (uint8_t)((pixel >> lowest & most) * 255 / most);
        }
    }
}

static void draw_bytes(const bitmap *map, const uint8_t *row, uint8_t *rgb) {
    size_t step = map->bits / 8;
    const uint32_t *at = map->layout->at;
    for (size_t x = 0; x < map->width; ++x)
        for (size_t c = 0; c < RGB; ++c) rgb[RGB * x + c] = row[step * x + at[c]];
}

static void draw_row(const bitmap *map, const uint8_t *row, uint8_t *rgb) {
    if (map->bits < 16) {
        draw_indexed(map, row, rgb);
    } else if (map->bits == 16) {
        draw_16bit(map, row, rgb);
    } else {
        draw_bytes(map, row, rgb);
    }
}

/* Rows begin at multiples of four bytes; of the last one what fills it up may be missing. */
static hl_status draw(const bitmap *map, picture *out, hl_error *error) {
    size_t used = (out->width * map->bits + 7) / 8, stride = (used + 3) / 4 * 4;
    size_t needed = stride * (out->height - 1) + used, count = map->image->count;
    if (map->pixels > count || needed > count - map->pixels)
        return decoder_truncated(map->image->name, error);
    out->rgb = malloc(RGB * out->width * out->height);
    if (!out->rgb) return hl_no_memory(error, map->image->name);
    const uint8_t *rows = map->image->bytes + map->pixels;
    for (size_t y = 0; y < out->height; ++y) {
        size_t from = map->top_down ? y : out->height - 1 - y;
        draw_row(map, rows + stride * from, out->rgb + RGB * out->width * y);
    }
    return HL_OK;
}

static hl_status bmp_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    bitmap map;
    hl_status status = open_bitmap(image, &map, error);
    *width = map.width;
    *height = map.height;
    return status;
}

static hl_status bmp_pixels(const encoded_image *image, size_t width, size_t height, picture *out,
                            hl_error *error) {
    bitmap map;
    hl_status status = open_bitmap(image, &map, error);
    *out = (picture){.width = width, .height = height};
    return status == HL_OK ? draw(&map, out, error) : status;
}

const decoder_library DECODER_BMP = {bmp_size, bmp_pixels};
