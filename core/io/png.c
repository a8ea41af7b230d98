/* RGB bytes -> PNG (stb_image_write). The bytes depend on the picture alone. */
#include "core/io/picture.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* stb_image_write does not check all of its allocations. All of them are therefore cut from one block, which
 * is large enough for whatever the picture needs; only that block can fail, and that is checked. */
static _Thread_local struct {
    uint8_t *block;
    size_t used, size;
} arena;

static void *arena_take(size_t bytes) {
    size_t start = (arena.used + 15) / 16 * 16;
    if (bytes > arena.size || start > arena.size - bytes) return NULL;
    arena.used = start + bytes;
    return arena.block + start;
}

static void *arena_grow(const void *old, size_t old_bytes, size_t bytes) {
    void *grown = arena_take(bytes);
    if (grown && old) memcpy(grown, old, old_bytes);
    return grown;
}

#define STBIW_MALLOC(bytes)                        arena_take((size_t)(bytes))
#define STBIW_REALLOC_SIZED(old, old_bytes, bytes) arena_grow(old, (size_t)(old_bytes), (size_t)(bytes))
#define STBIW_FREE(memory)                         ((void)(memory))
#define STBIW_ASSERT(condition)                    ((void)0)
#define STBI_WRITE_NO_STDIO
#define STB_IMAGE_WRITE_STATIC
#define STB_IMAGE_WRITE_IMPLEMENTATION
#pragma GCC diagnostic ignored "-Wunused-function" /* of stb, of which only a part is used */
#include <stb_image_write.h>

enum {
    RGB = 3,
    LARGEST = INT_MAX / 16, /* bytes; stb_image_write counts in int */
    FIXED_ROOM = 8 << 20,   /* its hash table: 16384 lists of at most 2 x 8 places, grown by doubling */
    ROOM_FOR_EACH_BYTE =
        8 /* filtered 1; compressed at most 9/8, four times that while it grows, and the file */
};

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
    arena.size = FIXED_ROOM + ROOM_FOR_EACH_BYTE * row * image->height;
    arena.block = malloc(arena.size);
    if (!arena.block) return hl_no_memory(error, "a PNG picture");
    int length = 0;
    uint8_t *made = stbi_write_png_to_mem(image->rgb, 0, (int)image->width, (int)image->height, RGB, &length);
    *png = made ? malloc((size_t)length) : NULL;
    if (*png) {
        *count = (size_t)length;
        memcpy(*png, made, *count);
    }
    free(arena.block);
    arena.block = NULL;
    return *png ? HL_OK : hl_no_memory(error, "a PNG picture");
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
