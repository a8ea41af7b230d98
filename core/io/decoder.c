/* stb_image, fed in a way that shows when a decoder asks for bytes that the file does not have: stb_image
 * itself goes on with zeros or with memory that nobody wrote. Never knows what the pixels are for. */
#include "core/io/decoder.h"

#include "core/io/jpeg_check.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Blocks that grow with what the file says or unpacks to are held to what an image of its size can need. */
static _Thread_local struct {
    size_t most; /* bytes */
    bool exceeded;
} budget;

static void *grow(void *old, size_t bytes) {
    if (bytes <= budget.most) return realloc(old, bytes);
    budget.exceeded = true;
    return NULL;
}

#define STBI_MALLOC(bytes)       malloc(bytes)
#define STBI_REALLOC(old, bytes) grow(old, bytes)
#define STBI_FREE(memory)        free(memory)
#pragma GCC diagnostic ignored "-Wunused-function" /* of stb, of which only a part is used */
/* Wrapped integers in damaged JPEG data are stb_image's way; they cannot reach memory. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("signed-integer-overflow", "shift"))),               \
                             apply_to = function)
#endif
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ASSERT(condition) ((void)0)
#include <stb_image.h>
#ifdef __clang__
#pragma clang attribute pop
#endif

#define FORMATS "JPEG, PNG, GIF or BMP"
enum { RGB = 3 };
static const size_t LARGEST = (size_t)1 << 28; /* pixels */

typedef struct source {
    FILE *file;
    size_t left;
    const char *window; /* where stb_image reads ahead: it may get less there than it asks for */
    bool truncated;     /* it asked for bytes beyond the end */
} source;

static int read_source(void *user, char *data, int size) {
    source *in = user;
    size_t wanted = (size_t)size, got = fread(data, 1, wanted < in->left ? wanted : in->left, in->file);
    if (!in->window) in->window = data;
    in->left = got < wanted ? 0 : in->left - got;
    if (got == 0 || (got < wanted && data != in->window)) in->truncated = true;
    return (int)got;
}

static void skip_source(void *user, int size) {
    source *in = user;
    if ((size_t)size > in->left || fseek(in->file, size, SEEK_CUR) != 0) {
        in->truncated = true;
        in->left = 0;
    } else {
        in->left -= (size_t)size;
    }
}

static int source_ended(void *user) {
    return ((source *)user)->left == 0;
}

static const stbi_io_callbacks CALLBACKS = {read_source, skip_source, source_ended};

/* From the first byte. A growing block holds the packed image or, in at most 8 bytes for each pixel and some
 * for each row, the unpacked one, and grows by doubling. */
static source start(FILE *file, size_t count, size_t width, size_t height) {
    rewind(file);
    budget.most = 2 * (count + 8 * width * height + 2 * height) + (1 << 16);
    budget.exceeded = false;
    return (source){.file = file, .left = count};
}

static hl_status undecodable(const char *name, const source *in, const char *reason, hl_error *error) {
    if (budget.exceeded) reason = "it holds more data than its size can need";
    if (ferror(in->file)) return hl_fail(error, HL_FAILED, "%s: cannot be read; check the disk", name);
    if (reason && strcmp(reason, "outofmem") == 0) return hl_no_memory(error, name);
    if (reason && strcmp(reason, "unknown image type") == 0) {
        return hl_fail(error, HL_FAILED, "%s: no image that can be read; expected " FORMATS, name);
    }
    if (reason && strcmp(reason, "too large") == 0) {
        return hl_fail(error, HL_FAILED, "%s: too many pixels; at most %zu can be read: make it smaller",
                       name, LARGEST);
    }
    if (in->truncated) {
        return hl_fail(
            error, HL_FAILED,
            "%s: the image is truncated: the file ends before its last pixel; copy or download it again",
            name);
    }
    return hl_fail(error, HL_FAILED,
                   "%s: the image is damaged or of a rare kind (%s); save it again as " FORMATS, name,
                   reason ? reason : "no reason given");
}

hl_status decode_size(const char *name, FILE *file, size_t count, size_t *width, size_t *height,
                      hl_error *error) {
    if (count == 0) return hl_fail(error, HL_FAILED, "%s: the file is empty; expected " FORMATS, name);
    source in = start(file, count, 0, 0);
    const char *problem = jpeg_problem(file);
    if (problem) return undecodable(name, &in, problem, error);
    in = start(file, count, 0, 0);
    int w, h, channels;
    if (!stbi_info_from_callbacks(&CALLBACKS, &in, &w, &h, &channels)) {
        /* every decoder was asked, and the last one's reason is left; loading asks only the right one */
        in = start(file, count, 0, 0);
        stbi_image_free(stbi_load_from_callbacks(&CALLBACKS, &in, &w, &h, &channels, RGB));
        return undecodable(name, &in, stbi_failure_reason(), error);
    }
    *width = (size_t)(w < 0 ? -(long long)w : w);
    *height = (size_t)(h < 0 ? -(long long)h : h); /* a BMP whose top row comes first */
    if (*width == 0 || *height == 0) {
        return hl_fail(error, HL_FAILED, "%s: an image of %zu x %zu pixels shows nothing", name, *width,
                       *height);
    }
    if (*width > LARGEST / *height) {
        return hl_fail(error, HL_FAILED,
                       "%s: %zu x %zu pixels; at most %zu pixels can be read: make it smaller", name, *width,
                       *height, LARGEST);
    }
    return HL_OK;
}

hl_status decode_pixels(const char *name, FILE *file, size_t count, picture *out, hl_error *error) {
    *out = (picture){0};
    size_t width, height;
    hl_status status = decode_size(name, file, count, &width, &height, error);
    if (status != HL_OK) return status;
    source in = start(file, count, width, height);
    int w, h, channels;
    uint8_t *rgb = stbi_load_from_callbacks(&CALLBACKS, &in, &w, &h, &channels, RGB);
    if (rgb && !in.truncated) {
        *out = (picture){.width = (size_t)w, .height = (size_t)h, .rgb = rgb};
        return HL_OK;
    }
    status = undecodable(name, &in, rgb ? NULL : stbi_failure_reason(), error);
    stbi_image_free(rgb);
    return status;
}
