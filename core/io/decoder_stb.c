/* PNG, GIF and BMP by stb_image, fed in a way that shows when it asks for bytes that the file does not have:
 * it would go on with zeros or with memory that nobody wrote. Never knows what the pixels are for. */
#include "core/io/decoder_library.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Blocks that grow with what the file says or unpacks to are held to what an image of its size can need. */
static _Thread_local struct {
    size_t most; /* bytes */
    bool exceeded;
    bool refused; /* by the system; stb_image does not always say so */
} budget;

static void *take(size_t bytes) {
    void *memory = malloc(bytes);
    budget.refused |= !memory;
    return memory;
}

static void *grow(void *old, size_t bytes) {
    budget.exceeded |= bytes > budget.most;
    if (bytes > budget.most) return NULL;
    void *memory = realloc(old, bytes);
    budget.refused |= !memory;
    return memory;
}

#define STBI_MALLOC(bytes)       take(bytes)
#define STBI_REALLOC(old, bytes) grow(old, bytes)
#define STBI_FREE(memory)        free(memory)
#pragma GCC diagnostic ignored "-Wunused-function" /* of stb, of which only a part is used */
/* An empty piece of a PNG: stb_image adds 0 to a pointer to nothing, and copies nothing there. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow", "nonnull-attribute"))),          \
                             apply_to = function)
#endif
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_NO_STDIO
#define STBI_ONLY_PNG
#define STBI_ONLY_BMP
#define STBI_ONLY_GIF
#define STBI_ASSERT(condition) ((void)0)
#include <stb_image.h>
#ifdef __clang__
#pragma clang attribute pop
#endif

enum { RGB = 3 };

typedef struct source {
    const uint8_t *next;
    size_t left;
    const char *window; /* where stb_image reads ahead: it may get less there than it asks for */
    bool truncated;     /* it asked for bytes beyond the end */
} source;

static int read_source(void *user, char *data, int size) {
    source *in = user;
    size_t wanted = (size_t)size, got = wanted < in->left ? wanted : in->left;
    if (!in->window) in->window = data;
    if (got == 0 || (got < wanted && data != in->window)) in->truncated = true;
    memcpy(data, in->next, got);
    in->next += got;
    in->left -= got;
    return (int)got;
}

static void skip_source(void *user, int size) {
    source *in = user;
    size_t wanted = (size_t)size, got = wanted < in->left ? wanted : in->left;
    if (got < wanted) in->truncated = true;
    in->next += got;
    in->left -= got;
}

static int source_ended(void *user) {
    return ((source *)user)->left == 0;
}

static const stbi_io_callbacks CALLBACKS = {read_source, skip_source, source_ended};

/* From the first byte. A growing block holds the packed image or, in at most 8 bytes for each pixel and some
 * for each row, the unpacked one, and grows by doubling. */
static source start(const encoded_image *image, size_t width, size_t height) {
    budget.most = 2 * (image->count + 8 * width * height + 2 * height) + (1 << 16);
    budget.exceeded = budget.refused = false;
    return (source){.next = image->bytes, .left = image->count};
}

static hl_status explain(const char *name, const source *in, const char *reason, hl_error *error) {
    if (budget.exceeded) reason = "it holds more data than its size can need";
    if (budget.refused || (reason && strcmp(reason, "outofmem") == 0)) return hl_no_memory(error, name);
    if (reason && strcmp(reason, "too large") == 0) {
        return hl_fail(error, HL_FAILED, "%s: too many pixels; at most %d can be read: make it smaller", name,
                       MOST_PIXELS);
    }
    if (in->truncated) return decoder_truncated(name, error);
    return decoder_damaged(name, reason ? reason : "no reason given", error);
}

static hl_status stb_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    source in = start(image, 0, 0);
    int w, h, channels;
    if (!stbi_info_from_callbacks(&CALLBACKS, &in, &w, &h, &channels)) {
        if (budget.refused) return hl_no_memory(error, image->name);
        /* every decoder was asked, and the last one's reason is left; loading asks only the right one */
        in = start(image, 0, 0);
        stbi_image_free(stbi_load_from_callbacks(&CALLBACKS, &in, &w, &h, &channels, RGB));
        return explain(image->name, &in, stbi_failure_reason(), error);
    }
    *width = (size_t)(w < 0 ? -(long long)w : w);
    *height = (size_t)(h < 0 ? -(long long)h : h); /* a BMP whose top row comes first */
    return HL_OK;
}

/* Clears the mark of a transparent colour in the graphic control extensions before a GIF's first picture:
 * stb_image would leave its pixels black. */
static void drop_gif_transparency(uint8_t *bytes, size_t count) {
    enum { HEADER = 13, TABLE = 0x80, EXTENSION = 0x21, CONTROL = 0xf9, CONTROL_BYTES = 4, TRANSPARENT = 1 };
    if (count < HEADER) return;
    size_t at = HEADER + (bytes[10] & TABLE ? RGB * (2u << (bytes[10] & 7)) : 0);
    while (at + 3 < count && bytes[at] == EXTENSION) {
        size_t block = at + 2; /* each starts with the number of bytes that follow; the last one has none */
        if (bytes[at + 1] == CONTROL && bytes[block] == CONTROL_BYTES)
            bytes[block + 1] &= (uint8_t)~TRANSPARENT;
        while (block < count && bytes[block] != 0) block += bytes[block] + 1u;
        at = block + 1;
    }
}

static hl_status load(const encoded_image *image, size_t width, size_t height, picture *out,
                      hl_error *error) {
    source in = start(image, width, height);
    int w, h, channels;
    uint8_t *rgb = stbi_load_from_callbacks(&CALLBACKS, &in, &w, &h, &channels, RGB);
    if (rgb && !in.truncated) {
        *out = (picture){.width = (size_t)w, .height = (size_t)h, .rgb = rgb};
        return HL_OK;
    }
    hl_status status = explain(image->name, &in, rgb ? NULL : stbi_failure_reason(), error);
    stbi_image_free(rgb);
    return status;
}

static hl_status stb_pixels(const encoded_image *image, size_t width, size_t height, picture *out,
                            hl_error *error) {
    if (memcmp(image->bytes, "GIF", 3) != 0) return load(image, width, height, out, error);
    uint8_t *opaque = malloc(image->count);
    if (!opaque) return hl_no_memory(error, image->name);
    memcpy(opaque, image->bytes, image->count);
    drop_gif_transparency(opaque, image->count);
    encoded_image changed = {.name = image->name, .bytes = opaque, .count = image->count};
    hl_status status = load(&changed, width, height, out, error);
    free(opaque);
    return status;
}

const decoder_library DECODER_STB = {stb_size, stb_pixels};
