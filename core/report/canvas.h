/* Results as pictures: finds an item's image, draws its heat over it, at any size. */
#ifndef CANVAS_H
#define CANVAS_H

#include "core/report/colormap.h"
#include "core/report/results.h"

typedef struct canvas {
    const results_images *images;
    colormap map;
    char *name; /* of the image that is held, because the next item mostly shows the same; or NULL */
    picture original;
    picture scaled; /* the original at `side`; empty: not made */
    size_t side;
} canvas;

void canvas_open(canvas *self, const results_images *images);
void canvas_close(canvas *self);

/* Whether the item's schema is one that can be drawn. */
bool canvas_draws(const cJSON *item);

/* An item's text field; "" when it has none. */
const char *canvas_text(const cJSON *item, const char *key);

/* The image alone. side 0: at its own size; else its longer side becomes `side`, but no image grows to more
 * than twice its size. Owned by the canvas, valid until the next call. */
hl_status canvas_image(canvas *self, const char *name, size_t side, const picture **out, hl_error *error);

/* The item's heat over its image, whose picture the caller frees. low and high: the ends of the colours. */
hl_status canvas_heat(canvas *self, const cJSON *item, size_t side, picture *out, double *low, double *high,
                      hl_error *error);

#endif
