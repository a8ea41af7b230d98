/* Draws a heat over a picture. */
#ifndef HEATMAP_H
#define HEATMAP_H

#include "core/io/picture.h"
#include "core/report/colormap.h"

typedef struct heatmap {
    const float *values; /* rows x cols, top row first */
    size_t rows, cols;
    double low, high; /* the values that get the first and the last colour */
    double opacity;   /* 0: the picture alone; 1: the colours alone */
} heatmap;

/* Colours `covered`, where the grid lies, and outlines `crop`, what the model saw, if that is not the whole
 * picture. Both are in pixels of `image`, which is drawn into. All values must be finite. */
hl_status heatmap_draw(const heatmap *heat, const colormap *map, const picture_frame *crop,
                       const picture_frame *covered, picture *image, hl_error *error);

#endif
