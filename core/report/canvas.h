/* Results as pictures: finds an item's image, draws its heat over it, at any size; and the gallery's images.
 */
#ifndef CANVAS_H
#define CANVAS_H

#include "core/report/colormap.h"
#include "core/report/write.h"

typedef struct canvas {
    const results_images *images;
    colormap map, difference; /* the colours of a heat, and of a heat less another */
    char *name; /* of the image that is held, because the next item mostly shows the same; or NULL */
    picture original;
    picture scaled; /* the original at `side`; empty: not made */
    size_t side;
} canvas;

void canvas_open(canvas *self, const results_images *images);
void canvas_close(canvas *self);

/* Whether the item is a heat, so that the functions below can draw it; and whether it is a heat less
 * another's, whose colours run both ways from zero. */
bool canvas_draws(const cJSON *item);
bool canvas_is_difference(const cJSON *item);

/* An item's text field; "" when it has none. */
const char *canvas_text(const cJSON *item, const char *key);

/* The image alone. side 0: at its own size; else its longer side becomes `side`, but no image grows to more
 * than twice its size. Owned by the canvas, valid until the next call. */
hl_status canvas_image(canvas *self, const char *name, size_t side, const picture **out, hl_error *error);

/* An image of the gallery, its longer side at most `side`; gray where its file is away. The caller frees it.
 */
hl_status canvas_neighbor(canvas *self, const char *path, size_t side, picture *out, hl_error *error);

/* The item's heat over its image, whose picture the caller frees. low and high: the ends of the colours. */
hl_status canvas_heat(canvas *self, const cJSON *item, size_t side, picture *out, double *low, double *high,
                      hl_error *error);

/* Whether the item asks for a mask: it has a number "mask_threshold". */
bool canvas_has_mask(const cJSON *item);

/* Where the item's heat, enlarged as in its picture, is above its threshold: white, else black. The caller
 * frees it. */
hl_status canvas_mask(canvas *self, const cJSON *item, size_t side, picture *out, hl_error *error);

/* The item's grid: images->grid_rows x grid_cols numbers, top row first. */
hl_status canvas_grid(const canvas *self, const cJSON *item, float *values, hl_error *error);

#endif
