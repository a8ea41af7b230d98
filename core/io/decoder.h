/* Encoded images: what stb_image makes of them, with the checks that it leaves to its caller. */
#ifndef DECODER_H
#define DECODER_H

#include "core/io/picture.h"
#include <stdio.h>

/* `file` is open at its start and holds `count` bytes; `name` is for messages. */
hl_status decode_size(const char *name, FILE *file, size_t count, size_t *width, size_t *height,
                      hl_error *error);
hl_status decode_pixels(const char *name, FILE *file, size_t count, picture *out, hl_error *error);

#endif
