/* Draws a heat over a picture, or cuts it at a threshold. */
#ifndef HEATMAP_H
#define HEATMAP_H

#include "colormap.h"
#include "drawing.h"

typedef struct heatmap {
    const float *values; /* rows x cols, top row first */
    size_t rows, cols;
    double low, high; /* the values that get the first and the last colour */
    double opacity;   /* 0: the picture alone; 1: the colours alone */
} heatmap;

/* Colours `covered`, where the grid lies, and outlines `crop`, what the model saw, if that is not the whole
 * picture. Both are in pixels of `image`, which is drawn into. All values must be finite. */
hl_status heatmap_draw(const heatmap *heat, const colormap *map, const drawing_frame *crop,
                       const drawing_frame *covered, drawing *image, hl_error *error);

/* White where the enlarged heat is above `threshold`, black elsewhere and outside of `covered`: all of
 * `image`. */
hl_status heatmap_mask(const heatmap *heat, double threshold, const drawing_frame *covered, drawing *image,
                       hl_error *error);

#endif
