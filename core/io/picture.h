/* Images: file -> RGB bytes -> the pixels that a model wants; and RGB bytes -> PNG. */
#ifndef PICTURE_H
#define PICTURE_H

#include "core/io/output.h"
#include "headlight/error.h"
#include "headlight/model.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct picture {
    size_t width, height;
    uint8_t *rgb; /* height x width x 3, top row first */
} picture;

/* Where the model's crop lies, in pixels of the original image (fractions allowed). */
typedef struct picture_frame {
    double left, top, width, height;
} picture_frame;

/* Decodes JPEG, PNG, BMP, WebP, GIF and TIFF (of a moving picture or several pages the first) to the bytes
 * that Pillow gives, or refuses what it does not read alike. 16 bits are shifted to 8, transparency is
 * dropped, gray, palette and CMYK become RGB, EXIF rotation is ignored (a TIFF's own orientation is not).
 * Refuses truncated and damaged files as far as they show it, and more than 2^28 pixels. HL_NO_MEMORY and,
 * for a file that is away, closed to this user or on a failing disk, HL_UNAVAILABLE; any other failure
 * follows from what is in the file, and will come again. */
hl_status picture_load(const char *path, picture *out, hl_error *error);
hl_status picture_decode(const char *name, const uint8_t *bytes, size_t count, picture *out, hl_error *error);

/* The same, made smaller where its longer side is more than `side` pixels (0: never); `original` gets the
 * image's own width and height. picture_within is for one that is decoded already. */
hl_status picture_load_within(const char *path, size_t side, picture *out, size_t original[2],
                              hl_error *error);
hl_status picture_within(const picture *in, size_t side, picture *out, hl_error *error);

/* Only width and height, from the header. */
hl_status picture_size(const char *path, size_t *width, size_t *height, hl_error *error);

void picture_free(picture *image); /* accepts a zeroed picture */

/* Pillow's antialiased bicubic (a = -0.5, support 2), byte-exact. */
hl_status picture_resize(const picture *in, size_t width, size_t height, picture *out, hl_error *error);

/* Whether `picture_preprocess` knows the method, and the size is one that it takes. */
bool picture_can_preprocess(const hl_preprocess *preprocess);

/* Resize, crop, normalise: 3 x height x width. */
hl_status picture_preprocess(const picture *in, const hl_preprocess *preprocess, float *pixels,
                             hl_error *error);

/* A file's pixels: load, then preprocess. */
hl_status picture_pixels(const char *path, const hl_preprocess *preprocess, float *pixels, hl_error *error);

/* What of a picture of width x height the model sees, in pixels of the picture. */
picture_frame picture_crop_frame(size_t width, size_t height, const hl_preprocess *preprocess);

/* Writes a PNG file into an output; always the same bytes for the same picture. */
hl_status picture_write_png(const picture *image, output *out, const char *name, hl_error *error);

/* PNG or JPEG bytes in memory; free() them. */
hl_status picture_encode_png(const picture *image, uint8_t **png, size_t *count, hl_error *error);
hl_status picture_encode_jpeg(const picture *image, uint8_t **jpeg, size_t *count, hl_error *error);

#endif
