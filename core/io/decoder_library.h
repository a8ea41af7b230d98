/* What a library that decodes images offers to the decoder. */
#ifndef DECODER_LIBRARY_H
#define DECODER_LIBRARY_H

#include "core/io/decoder.h"

enum { MOST_PIXELS = 1 << 28 };

typedef struct decoder_library {
    /* As the header says it, unchecked. */
    hl_status (*size)(const encoded_image *image, size_t *width, size_t *height, hl_error *error);
    /* Only of images whose size was asked for first, and is of 1 to MOST_PIXELS pixels. */
    hl_status (*pixels)(const encoded_image *image, size_t width, size_t height, picture *out,
                        hl_error *error);
} decoder_library;

extern const decoder_library DECODER_BMP, DECODER_GIF, DECODER_PNG, DECODER_TIFF, DECODER_TURBO, DECODER_WEBP;

/* Failures that every library can meet, in the same words. */
hl_status decoder_truncated(const char *name, hl_error *error);
hl_status decoder_damaged(const char *name, const char *reason, hl_error *error);

/* What an ink (cyan, magenta, yellow) leaves of red, green or blue beside the black ink; 255 is all of it. */
uint8_t decoder_light(int ink, int black);

#endif
