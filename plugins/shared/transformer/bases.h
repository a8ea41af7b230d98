/* What all bases of an image tower share, made once from its ln_post and projection. */
#ifndef BASES_H
#define BASES_H

#include "image_tower.h"

/* Makes self->projected. */
hl_status bases_prepare(image_tower *self, hl_error *error);
void bases_free(image_tower *self);

/* A vector of a layer, `width` numbers; `missing` everywhere where the model has none. */
hl_status bases_read_vector(const image_tower *self, size_t layer, layer_slot slot, float missing, float *out,
                            hl_error *error);

/* The numbers of a head that its own weights decide on: what it gathered, with an inner norm its mean, and
 * its share of the bias. */
static inline size_t head_columns(const tower_shape *shape) {
    return head_width(shape) + (has_inner_norms(shape) ? 2 : 1);
}

/* The summands of the residual stream, K. */
static inline double summands(const image_tower *self) {
    return 2 * (double)self->shape->layers.layers + 1;
}

#endif
