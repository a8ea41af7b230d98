/* Encoded images: the bytes of an image file -> its size, its pixels. */
#ifndef DECODER_H
#define DECODER_H

#include "core/io/picture.h"

typedef struct encoded_image {
    const char *name; /* for messages */
    const uint8_t *bytes;
    size_t count;
} encoded_image;

hl_status decode_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error);
hl_status decode_pixels(const encoded_image *image, picture *out, hl_error *error);

#endif
