/* Chooses the library that decodes an image by the first bytes of its file, and checks sizes before any
 * memory is taken for pixels. Never knows how a format is decoded or what the pixels are for. */
#include "core/io/decoder.h"

#include "core/io/decoder_library.h"
#include <string.h>

#define EXPECTED "JPEG, PNG, GIF, BMP, WebP or TIFF"

/* The one place that knows formats: what a file of each has at some byte, and what reads it. Those that
 * nothing reads are known by name, to say what can be done. */
static const struct {
    size_t at, length;
    const char *signature;
    const decoder_library *library;
    const char *unread;
} FORMATS[] = {
    {0, 3, "\xff\xd8\xff", &DECODER_TURBO, NULL},
    {0, 8, "\x89PNG\r\n\x1a\n", &DECODER_PNG, NULL},
    {0, 6, "GIF87a", &DECODER_GIF, NULL},
    {0, 6, "GIF89a", &DECODER_GIF, NULL},
    {0, 2, "BM", &DECODER_BMP, NULL},
    {8, 7, "WEBPVP8", &DECODER_WEBP, NULL},
    {0, 12, "II*\0\x10\0\0\0CR\x02\0", NULL, "a camera's raw format (CR2)"},
    {0, 4, "II*\0", &DECODER_TIFF, NULL},
    {0, 4, "MM\0*", &DECODER_TIFF, NULL},
    {0, 4, "II+\0", &DECODER_TIFF, NULL},
    {0, 4, "MM\0+", NULL, "BigTIFF with the highest byte first"},
    {4, 8, "ftypavif", NULL, "AVIF"},
    {4, 8, "ftypavis", NULL, "AVIF"},
    {4, 7, "ftyphei", NULL, "HEIC"},
    {4, 7, "ftyphev", NULL, "HEIC"},
    {4, 8, "ftypmif1", NULL, "HEIF"},
    {4, 8, "ftypmsf1", NULL, "HEIF"},
    {4, 8, "ftypcrx ", NULL, "a camera's raw format (CR3)"},
    {0, 12, "\0\0\0\x0cjP  \r\n\x87\n", NULL, "JPEG 2000"},
    {0, 4, "\xff\x4f\xff\x51", NULL, "JPEG 2000"},
    {0, 12, "\0\0\0\x0cJXL \r\n\x87\n", NULL, "JPEG XL"},
    {0, 2, "\xff\x0a", NULL, "JPEG XL"},
    {0, 3, "II\xbc", NULL, "JPEG XR"},
    {0, 4, "8BPS", NULL, "Photoshop's PSD"},
    {0, 4, "IIRO", NULL, "a camera's raw format (ORF)"},
    {0, 4, "IIU\0", NULL, "a camera's raw format (RW2)"},
    {0, 15, "FUJIFILMCCD-RAW", NULL, "a camera's raw format (RAF)"},
};
enum { FORMAT_COUNT = sizeof FORMATS / sizeof *FORMATS };

hl_status decoder_truncated(const char *name, hl_error *error) {
    return hl_fail(error, HL_FAILED,
                   "%s: the image is truncated: the file ends too early; copy or download it again", name);
}

/* a x b / 255, rounded */
static int part(int a, int b) {
    int product = a * b + 128;
    return (product + (product >> 8)) >> 8;
}

uint8_t decoder_light(int ink, int black) {
    int light = 255 - black;
    return (uint8_t)(light - part(ink, light));
}

hl_status decoder_damaged(const char *name, const char *reason, hl_error *error) {
    return hl_fail(error, HL_FAILED,
                   "%s: the image is damaged or of a rare kind (%s); save it again as " EXPECTED, name,
                   reason);
}

/* Its place in the table, or FORMAT_COUNT. */
static size_t find_format(const encoded_image *image) {
    size_t i = 0;
    for (; i < FORMAT_COUNT; ++i) {
        size_t at = FORMATS[i].at, length = FORMATS[i].length;
        if (image->count >= at + length && memcmp(image->bytes + at, FORMATS[i].signature, length) == 0)
            break;
    }
    return i;
}

static hl_status choose_library(const encoded_image *image, const decoder_library **out, hl_error *error) {
    size_t format = find_format(image);
    *out = format < FORMAT_COUNT ? FORMATS[format].library : NULL;
    if (*out) return HL_OK;
    if (format < FORMAT_COUNT) {
        return hl_fail(error, HL_FAILED, "%s: %s is not read; convert it to JPEG or PNG", image->name,
                       FORMATS[format].unread);
    }
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

static hl_status find_size(const encoded_image *image, const decoder_library **library, size_t *width,
                           size_t *height, hl_error *error) {
    *width = *height = 0;
    hl_status status = choose_library(image, library, error);
    if (status == HL_OK) status = (*library)->size(image, width, height, error);
    return status == HL_OK ? check_size(image->name, *width, *height, error) : status;
}

hl_status decode_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    const decoder_library *library;
    return find_size(image, &library, width, height, error);
}

hl_status decode_pixels(const encoded_image *image, picture *out, hl_error *error) {
    *out = (picture){0};
    const decoder_library *library;
    size_t width, height;
    hl_status status = find_size(image, &library, &width, &height, error);
    return status == HL_OK ? library->pixels(image, width, height, out, error) : status;
}
