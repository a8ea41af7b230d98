/* A picture that is being drawn, and places in it. */
#ifndef DRAWING_H
#define DRAWING_H

#include <headlight/report.h>

typedef struct drawing {
    size_t width, height;
    uint8_t *rgb; /* height x width x 3, top row first */
} drawing;

/* In pixels, fractions allowed. */
typedef struct drawing_frame {
    double left, top, width, height;
} drawing_frame;

hl_status drawing_make(size_t width, size_t height, drawing *out, hl_error *error);
hl_status drawing_copy(const hl_picture *from, drawing *out, hl_error *error);
void drawing_free(drawing *self); /* accepts a zeroed one */

/* The same bytes, for hl_report's functions; not to be released. */
hl_picture drawing_picture(const drawing *self);

#endif
