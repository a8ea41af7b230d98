/* Chooses the library that decodes an image by the first bytes of its file, and checks sizes before any
 * memory is taken for pixels. Never knows how a format is decoded or what the pixels are for. */
#include "core/io/decoder.h"

#include "core/io/decoder_library.h"
#include <string.h>

#define EXPECTED "JPEG, PNG, GIF or BMP"

static const struct {
    const char *signature;
    const decoder_library *library;
} FORMATS[] = {
    {"\xff\xd8\xff", &DECODER_TURBO},
    {"\x89PNG\r\n\x1a\n", &DECODER_STB},
    {"GIF8", &DECODER_STB},
    {"BM", &DECODER_STB},
};

hl_status decoder_truncated(const char *name, hl_error *error) {
    return hl_fail(
        error, HL_FAILED,
        "%s: the image is truncated: the file ends before its last pixel; copy or download it again", name);
}

hl_status decoder_damaged(const char *name, const char *reason, hl_error *error) {
    return hl_fail(error, HL_FAILED,
                   "%s: the image is damaged or of a rare kind (%s); save it again as " EXPECTED, name,
                   reason);
}

static const decoder_library *find_library(const encoded_image *image) {
    for (size_t i = 0; i < sizeof FORMATS / sizeof *FORMATS; ++i) {
        size_t length = strlen(FORMATS[i].signature);
        if (image->count >= length && memcmp(image->bytes, FORMATS[i].signature, length) == 0)
            return FORMATS[i].library;
    }
    return NULL;
}

static hl_status choose_library(const encoded_image *image, const decoder_library **out, hl_error *error) {
    *out = find_library(image);
    if (*out) return HL_OK;
    if (image->count == 0)
        return hl_fail(error, HL_FAILED, "%s: the file is empty; expected " EXPECTED, image->name);
    return hl_fail(error, HL_FAILED, "%s: no image that can be read; expected " EXPECTED, image->name);
}

static hl_status check_size(const char *name, size_t width, size_t height, hl_error *error) {
    if (width == 0 || height == 0) {
        return hl_fail(error, HL_FAILED, "%s: an image of %zu x %zu pixels shows nothing", name, width,
                       height);
    }
    if (width > MOST_PIXELS / height) {
        return hl_fail(error, HL_FAILED,
                       "%s: %zu x %zu pixels; at most %d pixels can be read: make it smaller", name, width,
                       height, MOST_PIXELS);
    }
    return HL_OK;
}

hl_status decode_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    *width = *height = 0;
    const decoder_library *library;
    hl_status status = choose_library(image, &library, error);
    if (status == HL_OK) status = library->size(image, width, height, error);
    return status == HL_OK ? check_size(image->name, *width, *height, error) : status;
}

hl_status decode_pixels(const encoded_image *image, picture *out, hl_error *error) {
    *out = (picture){0};
    size_t width, height;
    hl_status status = decode_size(image, &width, &height, error);
    return status == HL_OK ? find_library(image)->pixels(image, width, height, out, error) : status;
}
