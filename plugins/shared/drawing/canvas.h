/* Results as pictures: finds an item's image and draws its heat over it, at a bounded size. */
#ifndef CANVAS_H
#define CANVAS_H

#include "colormap.h"
#include "drawing.h"

typedef struct canvas {
    const hl_report *report;
    size_t side; /* of every picture's longer side, in pixels, at most; 0: as large as its image */
    double grow; /* no picture is more than so many times as large as its image; 1: none grows */
    colormap map, difference; /* the colours of a heat, and of a heat less another */
    char *name; /* of the image that is held, because the next item mostly shows the same; or NULL */
    hl_picture image;
} canvas;

void canvas_open(canvas *self, const hl_report *report, size_t side, double grow);
void canvas_close(canvas *self);

/* Whether the item is a heat over an image of a known model, so that the functions below can draw it; and
 * whether it is a heat less another's, whose colours run both ways from zero. */
bool canvas_draws(const canvas *self, const hl_node *item);
bool canvas_is_difference(const hl_node *item);

/* The image alone. Owned by the canvas, valid until the next call. */
hl_status canvas_image(canvas *self, const char *name, const hl_picture **out, hl_error *error);

/* The item's heat over its image, whose drawing the caller frees. low and high: the ends of the colours. */
hl_status canvas_heat(canvas *self, const hl_node *item, drawing *out, double *low, double *high,
                      hl_error *error);

/* Where the item's heat, enlarged to the picture, is above its threshold: white, else black. The caller frees
 * it. */
hl_status canvas_mask(canvas *self, const hl_node *item, drawing *out, hl_error *error);

/* Whether the item asks for a mask: it has a number "mask_threshold". */
bool canvas_has_mask(const hl_node *item);

/* The item's grid, grid_rows x grid_cols of the model; an error that says what is missing. */
hl_status canvas_grid(const canvas *self, const hl_node *item, const float **values, hl_error *error);

#endif
