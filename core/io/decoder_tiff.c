/* The first page of a TIFF by libtiff, of the kinds that Pillow reads alike; the others are refused. As
 * Pillow does with this format alone, the page is turned as its orientation says. Never knows what the pixels
 * are for. */
#include "core/io/decoder_library.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum { RGB = 3, INKS = 4, LEVELS = 256, MOST_SAMPLES = 6, REASON_BYTES = 128 };
enum { LARGEST_BLOCK = 1 << 30, SMALL_IMAGE = 1 << 20 /* pixels; a tile may be larger than it */ };

typedef struct page {
    const encoded_image *image;
    size_t next; /* byte of the file */
    TIFF *tiff;
    char reason[REASON_BYTES], doubt[REASON_BYTES]; /* the first error and the first doubtful warning */
    uint32_t width, height;
    uint16_t photometric, bits, samples, planar, compression, orientation, fill_order;
    uint16_t extras, opacity;   /* of the samples after the colours: how many, and what the first one means */
    bool predicted;             /* numbers are stored as differences */
    uint8_t level[LEVELS][RGB]; /* of pixels that are one number of at most 8 bits */
} page;

/* ---- what libtiff calls ---- */

static tmsize_t read_bytes(thandle_t handle, void *data, tmsize_t wanted) {
    page *in = handle;
    size_t left = in->image->count - in->next, got = (size_t)wanted < left ? (size_t)wanted : left;
    memcpy(data, in->image->bytes + in->next, got);
    in->next += got;
    return (tmsize_t)got;
}

static tmsize_t write_nothing(thandle_t handle, void *data, tmsize_t count) {
    (void)handle;
    (void)data;
    (void)count;
    return 0;
}

static toff_t go_to(thandle_t handle, toff_t offset, int from) {
    page *in = handle;
    size_t count = in->image->count, base = from == SEEK_CUR ? in->next : 0;
    if (from == SEEK_END) base = count;
    in->next = offset > count - base ? count : base + (size_t)offset;
    return in->next;
}

static int keep_open(thandle_t handle) {
    (void)handle;
    return 0;
}

static toff_t count_bytes(thandle_t handle) {
    return ((page *)handle)->image->count;
}

/* What libtiff reads in spite of a doubt about where or what the pixels are, Pillow reads otherwise or not.
 */
static void keep_doubt(page *in, const char *text) {
    static const char *const DOUBTS[] = {
        "not sorted", "Strip", "Tile", "\"ColorMap\"", "\"FillOrder\"", "\"Predictor\"", "\"Orientation\";"};
    for (size_t i = 0; i < sizeof DOUBTS / sizeof *DOUBTS && !in->doubt[0]; ++i)
        if (strstr(text, DOUBTS[i])) snprintf(in->doubt, sizeof in->doubt, "%s", text);
}

static int keep_warning(TIFF *tiff, void *user, const char *module, const char *format, va_list values) {
    char text[REASON_BYTES];
    (void)tiff;
    (void)module;
    vsnprintf(text, sizeof text, format, values);
    keep_doubt(user, text);
    return 1;
}

static int keep_error(TIFF *tiff, void *user, const char *module, const char *format, va_list values) {
    page *in = user;
    char text[REASON_BYTES];
    (void)tiff;
    (void)module;
    vsnprintf(text, sizeof text, format, values);
    keep_doubt(in, text);
    if (!in->reason[0]) memcpy(in->reason, text, sizeof text);
    return 1;
}

static hl_status explain(const page *in, hl_error *error) {
    if (errno == ENOMEM) return hl_no_memory(error, in->image->name);
    return decoder_damaged(in->image->name, in->reason[0] ? in->reason : "libtiff gives no reason", error);
}

static hl_status open_file(page *in, hl_error *error) {
    TIFFOpenOptions *options = TIFFOpenOptionsAlloc();
    if (!options) return hl_no_memory(error, in->image->name);
    TIFFOpenOptionsSetMaxSingleMemAlloc(options, LARGEST_BLOCK);
    TIFFOpenOptionsSetErrorHandlerExtR(options, keep_error, in);
    TIFFOpenOptionsSetWarningHandlerExtR(options, keep_warning, in);
    errno = 0;
    /* unmapped, with strips as they are in the file */
    in->tiff = TIFFClientOpenExt(in->image->name, "rmc", in, read_bytes, write_nothing, go_to, keep_open,
                                 count_bytes, NULL, NULL, options);
    TIFFOpenOptionsFree(options);
    return in->tiff ? HL_OK : explain(in, error);
}

/* ---- what kind of page it is ---- */

static bool is_compression_known(uint16_t compression) {
    static const uint16_t KNOWN[] = {COMPRESSION_NONE,     COMPRESSION_LZW,       COMPRESSION_ADOBE_DEFLATE,
                                     COMPRESSION_DEFLATE,  COMPRESSION_PACKBITS,  COMPRESSION_JPEG,
                                     COMPRESSION_CCITTRLE, COMPRESSION_CCITTFAX3, COMPRESSION_CCITTFAX4,
                                     COMPRESSION_LZMA,     COMPRESSION_ZSTD};
    for (size_t i = 0; i < sizeof KNOWN / sizeof *KNOWN; ++i)
        if (KNOWN[i] == compression) return true;
    return false;
}

static bool is_gray(const page *in) {
    return in->photometric == PHOTOMETRIC_MINISWHITE || in->photometric == PHOTOMETRIC_MINISBLACK;
}

static bool is_coloured(const page *in) {
    return in->photometric == PHOTOMETRIC_RGB || in->photometric == PHOTOMETRIC_YCBCR;
}

static bool is_premultiplied(const page *in) {
    return in->extras > 0 && in->opacity == EXTRASAMPLE_ASSOCALPHA;
}

/* Bits from the lowest on: telefaxes. */
static bool is_fill_order_known(const page *in) {
    return in->fill_order == FILLORDER_MSB2LSB || (in->bits == 1 && is_gray(in));
}

/* What is read: samples, how many of them come after the colours, what the first of those means, and numbers
 * of bits, which are powers of two. */
static const struct {
    uint16_t photometric, samples, extras, opacity, bits;
} KINDS[] = {
    {PHOTOMETRIC_MINISWHITE, 1, 0, 0, 1 | 2 | 4 | 8},
    {PHOTOMETRIC_MINISBLACK, 1, 0, 0, 1 | 2 | 4 | 8 | 16},
    {PHOTOMETRIC_MINISBLACK, 2, 1, EXTRASAMPLE_UNASSALPHA, 8},
    {PHOTOMETRIC_PALETTE, 1, 0, 0, 1 | 2 | 4 | 8},
    {PHOTOMETRIC_PALETTE, 2, 1, EXTRASAMPLE_UNASSALPHA, 8},
    {PHOTOMETRIC_RGB, RGB, 0, 0, 8 | 16},
    {PHOTOMETRIC_RGB, RGB + 1, 0, 0, 8 | 16},
    {PHOTOMETRIC_RGB, RGB + 1, 1, EXTRASAMPLE_UNSPECIFIED, 8 | 16},
    {PHOTOMETRIC_RGB, RGB + 1, 1, EXTRASAMPLE_ASSOCALPHA, 8 | 16},
    {PHOTOMETRIC_RGB, RGB + 1, 1, EXTRASAMPLE_UNASSALPHA, 8 | 16},
    {PHOTOMETRIC_SEPARATED, INKS, 0, 0, 8},
    {PHOTOMETRIC_YCBCR, RGB, 0, 0, 8},
};

static bool is_kind_known(const page *in) {
    bool found = false;
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; ++i)
        found |= in->photometric == KINDS[i].photometric && in->samples == KINDS[i].samples &&
                 in->extras == KINDS[i].extras && in->opacity == KINDS[i].opacity &&
                 (in->bits & KINDS[i].bits) == in->bits && (in->bits & (in->bits - 1)) == 0;
    return found;
}

/* Each sample in a plane of its own. */
static bool are_planes_known(const page *in) {
    bool depth = in->bits == 8 || in->compression != COMPRESSION_NONE;
    return in->planar == PLANARCONFIG_CONTIG || in->samples == 1 ||
           (in->photometric == PHOTOMETRIC_RGB && in->samples == RGB && depth);
}

/* What is stored otherwise than Pillow, or anything here, expects it; NULL if there is nothing. */
static const char *find_rarity(const page *in) {
    bool coded = in->photometric == PHOTOMETRIC_YCBCR;
    if (!is_compression_known(in->compression) || (coded && in->compression != COMPRESSION_JPEG))
        return "its compression is not read";
    if (!is_fill_order_known(in)) return "its bits are in reverse order";
    if (!are_planes_known(in)) return "its colours lie in planes";
    return is_kind_known(in) ? NULL : "its colours are stored in a way that is not read";
}

static void read_fields(page *in) {
    uint16_t *meaning = NULL;
    TIFFGetField(in->tiff, TIFFTAG_IMAGEWIDTH, &in->width);
    TIFFGetField(in->tiff, TIFFTAG_IMAGELENGTH, &in->height);
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_BITSPERSAMPLE, &in->bits);
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_SAMPLESPERPIXEL, &in->samples);
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_PLANARCONFIG, &in->planar);
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_COMPRESSION, &in->compression);
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_ORIENTATION, &in->orientation);
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_FILLORDER, &in->fill_order);
    uint16_t predictor = PREDICTOR_NONE;
    in->predicted = TIFFGetField(in->tiff, TIFFTAG_PREDICTOR, &predictor) && predictor != PREDICTOR_NONE;
    if (TIFFGetFieldDefaulted(in->tiff, TIFFTAG_EXTRASAMPLES, &in->extras, &meaning) && in->extras > 0)
        in->opacity = meaning[0];
}

static hl_status check_fields(page *in, hl_error *error) {
    const char *name = in->image->name;
    uint16_t format = SAMPLEFORMAT_UINT;
    uint32_t subfile = 0;
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetFieldDefaulted(in->tiff, TIFFTAG_SUBFILETYPE, &subfile);
    if (!TIFFGetField(in->tiff, TIFFTAG_PHOTOMETRIC, &in->photometric))
        return decoder_damaged(name, "it does not say what its numbers mean", error);
    if (subfile & FILETYPE_REDUCEDIMAGE)
        return decoder_damaged(name, "a camera's raw file, or its first page is only a preview", error);
    if (format != SAMPLEFORMAT_UINT) return decoder_damaged(name, "its samples are no plain numbers", error);
    if (in->doubt[0]) return decoder_damaged(name, in->doubt, error);
    const char *rarity = find_rarity(in);
    return rarity ? decoder_damaged(name, rarity, error) : HL_OK;
}

/* ---- the directory, where libtiff is content with less than Pillow ---- */

static uint64_t number(const page *in, size_t at, size_t bytes) {
    const uint8_t *from = in->image->bytes + at;
    bool lowest_first = in->image->bytes[0] == 'I';
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; ++i) value = value << 8 | from[lowest_first ? bytes - 1 - i : i];
    return value;
}

static bool lies_inside(const page *in, uint64_t at, uint64_t bytes) {
    return at <= in->image->count && bytes <= in->image->count - at;
}

/* Its numbers lie within the file, those of the pixels' places are as many as needed, and those that say what
 * the pixels are do not look like text. */
static bool is_entry_sound(const page *in, uint64_t tag, uint64_t type, uint64_t count) {
    bool tiled = TIFFIsTiled(in->tiff);
    uint64_t blocks = tiled ? TIFFNumberOfTiles(in->tiff) : TIFFNumberOfStrips(in->tiff);
    switch (tag) {
    case TIFFTAG_STRIPOFFSETS:
    case TIFFTAG_STRIPBYTECOUNTS:
        return !tiled && count == blocks;
    case TIFFTAG_TILEOFFSETS:
    case TIFFTAG_TILEBYTECOUNTS:
        return tiled && count == blocks;
    case TIFFTAG_IMAGEWIDTH:
    case TIFFTAG_TILEWIDTH:
    case TIFFTAG_TILELENGTH:
    case TIFFTAG_ROWSPERSTRIP:
    case TIFFTAG_ORIENTATION:
    case TIFFTAG_FILLORDER:
    case TIFFTAG_PLANARCONFIG:
    case TIFFTAG_IMAGELENGTH:
    case TIFFTAG_BITSPERSAMPLE:
    case TIFFTAG_COMPRESSION:
    case TIFFTAG_PHOTOMETRIC:
    case TIFFTAG_SAMPLESPERPIXEL:
    case TIFFTAG_EXTRASAMPLES:
        return type != TIFF_BYTE;
    default:
        return true;
    }
}

static bool is_directory_sound(const page *in) {
    static const uint8_t TYPE_BYTES[] = {0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8};
    bool big = in->image->bytes[2] == 43;
    size_t place = big ? 8 : 4, entry = big ? 20 : 12, counter = big ? 8 : 2;
    if (!lies_inside(in, place, place)) return false;
    uint64_t at = number(in, place, place);
    if (!lies_inside(in, at, counter)) return false;
    uint64_t entries = number(in, at, counter);
    at += counter;
    if (entries > in->image->count || !lies_inside(in, at, entries * entry)) return false;
    for (; entries > 0; --entries, at += entry) {
        uint64_t tag = number(in, at, 2), type = number(in, at + 2, 2), count = number(in, at + 4, place);
        uint64_t each = type < sizeof TYPE_BYTES ? TYPE_BYTES[type] : 0;
        if (each && count > in->image->count / each) return false;
        if (each * count > place && !lies_inside(in, number(in, at + 4 + place, place), each * count))
            return false;
        if (!is_entry_sound(in, tag, type, count)) return false;
    }
    return true;
}

static bool is_turned(const page *in) {
    return in->orientation >= ORIENTATION_LEFTTOP;
}

/* To be closed, also after a failure. */
static hl_status open_page(const encoded_image *image, page *in, hl_error *error) {
    *in = (page){.image = image};
    hl_status status = open_file(in, error);
    if (status != HL_OK) return status;
    in->reason[0] = 0; /* what it did without */
    read_fields(in);
    status = check_fields(in, error);
    if (status == HL_OK && !is_directory_sound(in))
        status = decoder_damaged(image->name, "its directory contradicts itself", error);
    return status;
}

static void close_page(page *in) {
    if (in->tiff) TIFFClose(in->tiff);
}

static hl_status tiff_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    page in;
    hl_status status = open_page(image, &in, error);
    *width = is_turned(&in) ? in.height : in.width;
    *height = is_turned(&in) ? in.width : in.height;
    close_page(&in);
    return status;
}

/* ---- pixels ---- */

/* Grays and palettes: what each number shows. */
static hl_status choose_levels(page *in, hl_error *error) {
    uint16_t *map[RGB];
    bool coloured = in->photometric == PHOTOMETRIC_PALETTE;
    if (coloured && !TIFFGetField(in->tiff, TIFFTAG_COLORMAP, &map[0], &map[1], &map[2]))
        return decoder_damaged(in->image->name, "it has no palette", error);
    int count = in->bits < 8 ? 1 << in->bits : LEVELS;
    for (int i = 0; i < count; ++i) {
        int gray = i * 255 / (count - 1);
        if (in->photometric == PHOTOMETRIC_MINISWHITE) gray = 255 - gray;
        for (int c = 0; c < RGB; ++c) in->level[i][c] = (uint8_t)(coloured ? map[c][i] >> 8 : gray);
    }
    return HL_OK;
}

/* The upper 8 bits of a sample; libtiff gives those of 16 bits in the machine's order. */
static uint8_t upper(const page *in, const uint8_t *row, size_t sample) {
    uint16_t number;
    if (in->bits == 8) return row[sample];
    memcpy(&number, row + 2 * sample, sizeof number);
    return (uint8_t)(number >> 8);
}

static void draw_levels(const page *in, const uint8_t *row, size_t count, uint8_t *rgb) {
    for (size_t x = 0; x < count; ++x) {
        size_t bit = x * in->bits * in->samples;
        int number = row[bit / 8] >> (8 - in->bits - bit % 8) & ((1 << in->bits) - 1);
        memcpy(rgb + RGB * x, in->level[number], RGB);
    }
}

static void draw_deep_grays(const page *in, const uint8_t *row, size_t count, uint8_t *rgb) {
    for (size_t x = 0; x < count; ++x) memset(rgb + RGB * x, upper(in, row, x), RGB);
}

static void draw_inks(const uint8_t *row, size_t count, uint8_t *rgb) {
    for (size_t i = 0; i < RGB * count; ++i) {
        const uint8_t *ink = row + i / RGB * INKS;
        rgb[i] = decoder_light(ink[i % RGB], ink[RGB]);
    }
}

static void draw_colours(const page *in, const uint8_t *row, size_t count, uint8_t *rgb) {
    for (size_t x = 0; x < count; ++x) {
        int opacity = is_premultiplied(in) ? upper(in, row, in->samples * x + RGB) : 255;
        for (size_t c = 0; c < RGB; ++c) {
            int shown = opacity ? upper(in, row, in->samples * x + c) * 255 / opacity : 0;
            rgb[RGB * x + c] = (uint8_t)(shown < 255 ? shown : 255);
        }
    }
}

static void draw_plane(const page *in, const uint8_t *row, size_t count, uint8_t *rgb, size_t plane) {
    for (size_t x = 0; x < count; ++x) rgb[RGB * x + plane] = upper(in, row, x);
}

static void draw_row(const page *in, const uint8_t *row, size_t count, uint8_t *rgb, size_t plane) {
    if (is_coloured(in) && in->planar == PLANARCONFIG_SEPARATE) {
        draw_plane(in, row, count, rgb, plane);
    } else if (is_coloured(in)) {
        draw_colours(in, row, count, rgb);
    } else if (in->photometric == PHOTOMETRIC_SEPARATED) {
        draw_inks(row, count, rgb);
    } else if (in->bits > 8) {
        draw_deep_grays(in, row, count, rgb);
    } else {
        draw_levels(in, row, count, rgb);
    }
}

/* What the file stores at once: a tile, or a strip, which is a tile as wide as the page. */
typedef struct block {
    uint32_t width, height;
    size_t bytes, row_bytes;
    uint8_t *data, *again; /* in one piece of memory */
} block;

/* Whether the file has as many bytes as its pixels can be packed into at best, where there is a limit. */
static bool is_large_enough(const page *in) {
    size_t samples = (size_t)in->width * in->height * in->samples, least = samples * in->bits / 8;
    switch (in->compression) {
    case COMPRESSION_NONE:
        return least <= in->image->count;
    case COMPRESSION_PACKBITS:
        return least / 64 <= in->image->count;
    case COMPRESSION_LZW:
    case COMPRESSION_DEFLATE:
    case COMPRESSION_ADOBE_DEFLATE:
        return least / 4096 <= in->image->count;
    default:
        return true;
    }
}

static hl_status open_block(page *in, block *tile, hl_error *error) {
    *tile = (block){.width = in->width, .height = in->height};
    bool tiled = TIFFIsTiled(in->tiff);
    if (tiled) {
        TIFFGetField(in->tiff, TIFFTAG_TILEWIDTH, &tile->width);
        TIFFGetField(in->tiff, TIFFTAG_TILELENGTH, &tile->height);
    } else {
        uint32_t rows = 0;
        TIFFGetFieldDefaulted(in->tiff, TIFFTAG_ROWSPERSTRIP, &rows);
        if (rows < tile->height) tile->height = rows;
    }
    tmsize_t bytes = tiled ? TIFFTileSize(in->tiff) : TIFFStripSize(in->tiff);
    tmsize_t row_bytes = tiled ? TIFFTileRowSize(in->tiff) : TIFFScanlineSize(in->tiff);
    size_t most = 2 * MOST_SAMPLES * ((size_t)in->width * in->height + SMALL_IMAGE);
    if (bytes <= 0 || row_bytes <= 0 || tile->width == 0 || tile->height == 0) return explain(in, error);
    size_t each = in->planar == PLANARCONFIG_SEPARATE ? 1 : in->samples;
    tile->bytes = (size_t)bytes;
    tile->row_bytes = (size_t)row_bytes;
    if (tile->bytes > most)
        return decoder_damaged(in->image->name, "its tiles are far larger than it is", error);
    if (tile->row_bytes < ((size_t)tile->width * in->bits * each + 7) / 8)
        return decoder_damaged(in->image->name, "its rows are too short", error);
    tile->data = malloc(2 * tile->bytes);
    tile->again = tile->data ? tile->data + tile->bytes : NULL;
    return tile->data ? HL_OK : hl_no_memory(error, in->image->name);
}

static uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

static tmsize_t read_block(const page *in, const block *tile, uint32_t x, uint32_t y, uint16_t plane,
                           uint8_t *data) {
    if (TIFFIsTiled(in->tiff)) return TIFFReadTile(in->tiff, data, x, y, 0, plane);
    return TIFFReadEncodedStrip(in->tiff, TIFFComputeStrip(in->tiff, y, plane), data, (tmsize_t)tile->bytes);
}

/* libtiff may report an error and yet succeed. Of damaged data that libdeflate unpacks it may leave the last
 * bytes as they were, whatever they were, and a predictor would go on from them: such a block is read twice.
 */
static hl_status read_whole_block(page *in, const block *tile, uint32_t x, uint32_t y, uint16_t plane,
                                  size_t needed, hl_error *error) {
    enum { BEFORE = 0x5a, BEFORE_AGAIN = 0xa5 };
    bool deflated = in->compression == COMPRESSION_ADOBE_DEFLATE || in->compression == COMPRESSION_DEFLATE;
    memset(tile->data, BEFORE, tile->bytes);
    tmsize_t got = read_block(in, tile, x, y, plane, tile->data);
    if (got < 0 || in->reason[0]) return explain(in, error);
    if ((size_t)got < needed) return decoder_truncated(in->image->name, error);
    if (!deflated || (!in->predicted && tile->data[needed - 1] != BEFORE)) return HL_OK;
    memset(tile->again, BEFORE_AGAIN, tile->bytes);
    if (read_block(in, tile, x, y, plane, tile->again) < 0) return explain(in, error);
    bool same = memcmp(tile->data, tile->again, needed) == 0;
    return same ? HL_OK : decoder_truncated(in->image->name, error);
}

static hl_status draw_block(page *in, const block *tile, uint32_t x, uint32_t y, uint16_t plane, uint8_t *rgb,
                            hl_error *error) {
    uint32_t rows = smaller(tile->height, in->height - y), columns = smaller(tile->width, in->width - x);
    hl_status status = read_whole_block(in, tile, x, y, plane, tile->row_bytes * rows, error);
    if (status != HL_OK) return status;
    for (size_t row = 0; row < rows; ++row) {
        uint8_t *to = rgb + RGB * ((y + row) * (size_t)in->width + x);
        draw_row(in, tile->data + tile->row_bytes * row, columns, to, plane);
    }
    return HL_OK;
}

static hl_status draw_blocks(page *in, uint8_t *rgb, hl_error *error) {
    block tile;
    hl_status status = open_block(in, &tile, error);
    uint16_t planes = in->planar == PLANARCONFIG_SEPARATE ? in->samples : 1;
    for (uint64_t y = 0; y < in->height && status == HL_OK; y += tile.height)
        for (uint16_t plane = 0; plane < planes && status == HL_OK; ++plane)
            for (uint64_t x = 0; x < in->width && status == HL_OK; x += tile.width)
                status = draw_block(in, &tile, (uint32_t)x, (uint32_t)y, plane, rgb, error);
    free(tile.data);
    return status;
}

/* Where the pixel at x, y of the page as it lies in the file is shown. */
static size_t place(const page *in, const picture *out, size_t x, size_t y) {
    static const bool FROM_RIGHT[] = {0, 0, 1, 1, 0, 0, 0, 1, 1}, FROM_BELOW[] = {0, 0, 0, 1, 1, 0, 1, 1, 0};
    if (FROM_RIGHT[in->orientation]) x = in->width - 1 - x;
    if (FROM_BELOW[in->orientation]) y = in->height - 1 - y;
    return is_turned(in) ? x * out->width + y : y * out->width + x;
}

static hl_status turn(const page *in, picture *out, hl_error *error) {
    if (in->orientation <= ORIENTATION_TOPLEFT) return HL_OK;
    uint8_t *turned = malloc(RGB * out->width * out->height);
    if (!turned) return hl_no_memory(error, in->image->name);
    const uint8_t *pixel = out->rgb;
    for (size_t y = 0; y < in->height; ++y)
        for (size_t x = 0; x < in->width; ++x, pixel += RGB)
            memcpy(turned + RGB * place(in, out, x, y), pixel, RGB);
    free(out->rgb);
    out->rgb = turned;
    return HL_OK;
}

static hl_status draw(page *in, picture *out, hl_error *error) {
    hl_status status = in->bits <= 8 && !is_coloured(in) && in->photometric != PHOTOMETRIC_SEPARATED
                           ? choose_levels(in, error)
                           : HL_OK;
    if (status != HL_OK) return status;
    if (!is_large_enough(in)) return decoder_truncated(in->image->name, error);
    if (in->photometric == PHOTOMETRIC_YCBCR)
        TIFFSetField(in->tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    out->rgb = malloc(RGB * out->width * out->height);
    if (!out->rgb) return hl_no_memory(error, in->image->name);
    status = draw_blocks(in, out->rgb, error);
    return status == HL_OK ? turn(in, out, error) : status;
}

static hl_status tiff_pixels(const encoded_image *image, size_t width, size_t height, picture *out,
                             hl_error *error) {
    page in;
    hl_status status = open_page(image, &in, error);
    *out = (picture){.width = width, .height = height};
    if (status == HL_OK) status = draw(&in, out, error);
    if (status != HL_OK) picture_free(out);
    close_page(&in);
    return status;
}

const decoder_library DECODER_TIFF = {tiff_size, tiff_pixels};
