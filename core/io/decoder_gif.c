/* The first picture of a GIF by giflib, put on its canvas as Pillow does it. Never knows what the pixels are
 * for. */
#include "core/io/decoder_library.h"

#include <errno.h>
#include <gif_lib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { RGB = 3, COLOURS = 256, NO_COLOUR = -1 };

/* A code of at least two bits stands for at most 4096 pixels. */
enum { MOST_PIXELS_PER_BYTE = 4 * 4096 };

typedef struct reader {
    const encoded_image *image;
    size_t next; /* byte of the file */
    bool truncated;
    GifFileType *gif;
    int transparent; /* colour of the canvas, or NO_COLOUR */
} reader;

static int read_bytes(GifFileType *gif, GifByteType *data, int count) {
    reader *in = gif->UserData;
    size_t left = in->image->count - in->next, got = (size_t)count < left ? (size_t)count : left;
    in->truncated |= got < (size_t)count;
    memcpy(data, in->image->bytes + in->next, got);
    in->next += got;
    return (int)got;
}

static hl_status explain(const reader *in, int code, hl_error *error) {
    if (code == D_GIF_ERR_NOT_ENOUGH_MEM || errno == ENOMEM) return hl_no_memory(error, in->image->name);
    if (in->truncated) return decoder_truncated(in->image->name, error);
    const char *reason = GifErrorString(code);
    return decoder_damaged(in->image->name, reason ? reason : "it has no picture", error);
}

/* ---- up to the first picture ---- */

/* Of several the last transparent colour counts. */
static bool read_extension(reader *in) {
    enum { BYTES = 4, IS_TRANSPARENT = 1 };
    int code;
    GifByteType *block; /* its length, then that many bytes */
    if (DGifGetExtension(in->gif, &code, &block) != GIF_OK) return false;
    if (code == GRAPHICS_EXT_FUNC_CODE) {
        if (!block || block[0] < BYTES) return false;
        if (block[1] & IS_TRANSPARENT) in->transparent = block[BYTES];
    }
    while (block)
        if (DGifGetExtensionNext(in->gif, &block) != GIF_OK) return false;
    return true;
}

static bool find_picture(reader *in) {
    GifRecordType type;
    while (DGifGetRecordType(in->gif, &type) == GIF_OK && type != TERMINATE_RECORD_TYPE) {
        if (type == IMAGE_DESC_RECORD_TYPE) return DGifGetImageDesc(in->gif) == GIF_OK;
        if (!read_extension(in)) return false;
    }
    return false;
}

/* To be closed, also after a failure. */
static hl_status open_reader(const encoded_image *image, reader *in, hl_error *error) {
    *in = (reader){.image = image, .transparent = NO_COLOUR};
    int code = errno = 0;
    in->gif = DGifOpen(in, read_bytes, &code);
    if (!in->gif) return explain(in, code, error);
    return find_picture(in) ? HL_OK : explain(in, in->gif->Error, error);
}

static void close_reader(reader *in) {
    if (in->gif) DGifCloseFile(in->gif, NULL);
}

static size_t larger(int a, int b) {
    return (size_t)(a > b ? a : b);
}

static hl_status gif_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    reader in;
    hl_status status = open_reader(image, &in, error);
    if (status == HL_OK) {
        const GifImageDesc *frame = &in.gif->Image;
        *width = larger(in.gif->SWidth, frame->Left + frame->Width);
        *height = larger(in.gif->SHeight, frame->Top + frame->Height);
        if (frame->Width <= 0 || frame->Height <= 0) {
            status = decoder_damaged(image->name, "its picture is empty", error);
        } else if (*width * *height / MOST_PIXELS_PER_BYTE > image->count) {
            status = decoder_damaged(image->name, "it holds too little data for its size", error);
        }
    }
    close_reader(&in);
    return status;
}

/* ---- the codes of the pixels ---- */

/* giflib makes pixels of codes that nothing has defined yet; only damaged data has them. Each code after the
 * first defines one: what the code before stood for, and a pixel. Asks for all codes that the picture needs.
 */
static bool are_codes_defined(reader *in) {
    enum { NONE = -1, MOST_CODES = 4096, LEAST_BITS = 2 };
    int bits = in->image->bytes[in->next - 1]; /* the last byte read: how many bits a pixel has */
    if (bits < LEAST_BITS) return false;
    size_t left = (size_t)in->gif->Image.Width * (size_t)in->gif->Image.Height, pixels[MOST_CODES];
    int clear = 1 << bits, next = clear + 2, before = NONE, code;
    for (int i = 0; i < clear; ++i) pixels[i] = 1;
    while (left > 0) {
        if (DGifGetLZCodes(in->gif, &code) != GIF_OK || code < 0) return false;
        if (code == clear) {
            next = clear + 2;
            before = NONE;
            continue;
        }
        if (code > (before == NONE ? clear : next)) return false;
        if (before != NONE && next < MOST_CODES) pixels[next++] = pixels[before] + 1;
        left -= left < pixels[code] ? left : pixels[code];
        before = code;
    }
    return true;
}

static hl_status check_codes(const encoded_image *image, hl_error *error) {
    reader in;
    hl_status status = open_reader(image, &in, error);
    if (status == HL_OK && !are_codes_defined(&in)) {
        status = in.gif->Error || in.truncated ? explain(&in, in.gif->Error, error)
                                               : decoder_damaged(image->name, "its data is wrong", error);
    }
    close_reader(&in);
    return status;
}

/* ---- pixels ---- */

/* Colours that the file does not have are grays. */
static void choose_palette(const reader *in, uint8_t (*palette)[RGB]) {
    for (int i = 0; i < COLOURS; ++i) memset(palette[i], i, RGB);
    const ColorMapObject *map = in->gif->Image.ColorMap ? in->gif->Image.ColorMap : in->gif->SColorMap;
    for (int i = 0; map && i < map->ColorCount; ++i) {
        const GifColorType *colour = &map->Colors[i];
        memcpy(palette[i], (uint8_t[]){colour->Red, colour->Green, colour->Blue}, RGB);
    }
}

static void fill(uint8_t *rgb, size_t pixels, const uint8_t *colour) {
    for (size_t i = 0; i < pixels; ++i) memcpy(rgb + RGB * i, colour, RGB);
}

static bool read_row(reader *in, const uint8_t (*palette)[RGB], uint8_t *indices, uint8_t *rgb) {
    int width = in->gif->Image.Width;
    if (DGifGetLine(in->gif, indices, width) != GIF_OK) return false;
    for (int x = 0; x < width; ++x) memcpy(rgb + RGB * x, palette[indices[x]], RGB);
    return true;
}

static bool read_rows(reader *in, const uint8_t (*palette)[RGB], uint8_t *indices, picture *out) {
    static const struct { int first, step; } PLAIN = {0, 1}, PASSES[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}};
    const GifImageDesc *frame = &in->gif->Image;
    size_t stride = RGB * out->width;
    uint8_t *origin = out->rgb + stride * (size_t)frame->Top + RGB * (size_t)frame->Left;
    for (int pass = 0; pass < (frame->Interlace ? 4 : 1); ++pass) {
        int first = frame->Interlace ? PASSES[pass].first : PLAIN.first;
        int step = frame->Interlace ? PASSES[pass].step : PLAIN.step;
        for (int y = first; y < frame->Height; y += step)
            if (!read_row(in, palette, indices, origin + stride * (size_t)y)) return false;
    }
    return true;
}

static hl_status draw(reader *in, picture *out, hl_error *error) {
    uint8_t palette[COLOURS][RGB];
    choose_palette(in, palette);
    fill(out->rgb, out->width * out->height, palette[in->transparent == NO_COLOUR ? 0 : in->transparent]);
    uint8_t *indices = malloc((size_t)in->gif->Image.Width);
    if (!indices) return hl_no_memory(error, in->image->name);
    bool done = read_rows(in, (const uint8_t(*)[RGB])palette, indices, out);
    free(indices);
    return done ? HL_OK : explain(in, in->gif->Error, error);
}

static hl_status gif_pixels(const encoded_image *image, size_t width, size_t height, picture *out,
                            hl_error *error) {
    reader in;
    hl_status status = check_codes(image, error);
    if (status != HL_OK) return status;
    status = open_reader(image, &in, error);
    if (status == HL_OK) {
        *out = (picture){.width = width, .height = height, .rgb = malloc(RGB * width * height)};
        status = out->rgb ? draw(&in, out, error) : hl_no_memory(error, image->name);
    }
    if (status != HL_OK) picture_free(out);
    close_reader(&in);
    return status;
}

const decoder_library DECODER_GIF = {gif_size, gif_pixels};
