/* RGB bytes -> PNG: stb_image_write filters and frames, libdeflate compresses; and RGB bytes -> JPEG:
 * libjpeg-turbo. The bytes depend on the picture alone. */
#include "core/io/picture.h"

#include <libdeflate.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

/* stb_image_write does not check all of its allocations. All of them are therefore cut from one block, which
 * is large enough for whatever the picture needs; only that block can fail, and that is checked. */
static _Thread_local struct {
    uint8_t *block;
    size_t used, size;
    struct libdeflate_compressor *compressor;
} arena;

static void *arena_take(size_t bytes) {
    size_t start = (arena.used + 15) / 16 * 16;
    if (bytes > arena.size || start > arena.size - bytes) return NULL;
    arena.used = start + bytes;
    return arena.block + start;
}

static size_t most_compressed(size_t bytes) {
    return libdeflate_zlib_compress_bound(NULL, bytes);
}

static unsigned char *compress_rows(unsigned char *data, int bytes, int *compressed, int level) {
    (void)level; /* the compressor has one */
    size_t room = most_compressed((size_t)bytes);
    unsigned char *out = arena_take(room);
    size_t size = out ? libdeflate_zlib_compress(arena.compressor, data, (size_t)bytes, out, room) : 0;
    *compressed = (int)size;
    return size > 0 ? out : NULL;
}

#define STBIW_MALLOC(bytes)                        arena_take((size_t)(bytes))
#define STBIW_REALLOC_SIZED(old, old_bytes, bytes) NULL /* its own compressor alone would grow a block */
#define STBIW_FREE(memory)                         ((void)(memory))
#define STBIW_ASSERT(condition)                    ((void)0)
#define STBIW_ZLIB_COMPRESS                        compress_rows
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic ignored "-Wunused-function" /* of stb, of which only a part is used */
#include <stb_image_write.h>

enum {
    RGB = 3,
    LARGEST =
        INT_MAX - INT_MAX / 64, /* bytes; stb_image_write counts in int, also what a compressor may add */
    SMALL_PARTS = 4096,         /* chunk headers, rounding of blocks */
    LEVEL = 6                   /* nearly as small as the best and many times as fast */
};

/* What stb_image_write takes from the arena: the filtered rows, a row being tried, the compressed rows, the
 * file. */
static size_t room_for(size_t row, size_t height) {
    size_t filtered = row * height;
    return filtered + row + 2 * most_compressed(filtered) + SMALL_PARTS;
}

hl_status picture_encode_png(const picture *image, uint8_t **png, size_t *count, hl_error *error) {
    *png = NULL;
    *count = 0;
    size_t row = image->width * RGB + 1; /* with the filter's number */
    if (image->width == 0 || image->height == 0 || image->width > LARGEST || row > LARGEST / image->height) {
        return hl_fail(error, HL_FAILED,
                       "a picture of %zu x %zu pixels cannot be written as PNG; make it smaller",
                       image->width, image->height);
    }
    arena.used = 0;
    arena.size = room_for(row, image->height);
    arena.block = malloc(arena.size);
    arena.compressor = libdeflate_alloc_compressor(LEVEL);
    int length = 0;
    uint8_t *made = NULL;
    if (arena.block && arena.compressor) {
        made = stbi_write_png_to_mem(image->rgb, 0, (int)image->width, (int)image->height, RGB, &length);
    }
    *png = made ? malloc((size_t)length) : NULL;
    if (*png) {
        *count = (size_t)length;
        memcpy(*png, made, *count);
    }
    libdeflate_free_compressor(arena.compressor);
    free(arena.block);
    return *png ? HL_OK : hl_no_memory(error, "a PNG picture");
}

hl_status picture_encode_jpeg(const picture *image, uint8_t **jpeg, size_t *count, hl_error *error) {
    enum {
        LONGEST_SIDE = 65500 /* libjpeg's */,
        QUALITY = 90,
        FLAGS = TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC
    };
    *jpeg = NULL;
    *count = 0;
    bool fits = image->width <= LONGEST_SIDE && image->height <= LONGEST_SIDE;
    if (image->width == 0 || image->height == 0 || !fits) {
        return hl_fail(error, HL_FAILED,
                       "a picture of %zu x %zu pixels cannot be written as JPEG; make it smaller",
                       image->width, image->height);
    }
    int width = (int)image->width, height = (int)image->height;
    unsigned long size = tjBufSize(width, height, TJSAMP_444); /* more than it can need */
    tjhandle encoder = tjInitCompress();
    uint8_t *made = malloc(size);
    bool done = encoder && made &&
                tjCompress2(encoder, image->rgb, width, 0, height, TJPF_RGB, &made, &size, TJSAMP_444,
                            QUALITY, FLAGS) == 0;
    if (encoder) tjDestroy(encoder);
    if (!done) {
        free(made);
        return hl_no_memory(error, "a JPEG picture");
    }
    *jpeg = made;
    *count = size;
    return HL_OK;
}

hl_status picture_write_png(const picture *image, output *out, const char *name, hl_error *error) {
    uint8_t *png;
    size_t count;
    FILE *file;
    hl_status status = picture_encode_png(image, &png, &count, error);
    if (status != HL_OK) return status;
    status = output_file(out, name, &file, error);
    if (status == HL_OK) status = output_write(out, file, png, count, error);
    if (status == HL_OK) status = output_finish(out, file, error);
    free(png);
    return status;
}
