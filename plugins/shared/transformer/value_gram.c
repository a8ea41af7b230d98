/* What a head can read, from its weights alone: the Gram matrix of its value map V = diag(gain of ln_1)
 * W_V[h]. Bases say what it can write, see bases.c. */
#include "image_tower.h"

#include <stdlib.h>

/* The head's rows of the value projection, each number times the gain of its column: V^T, head width x width.
 */
static hl_status read_values(const image_tower *self, size_t layer, size_t head, float *room, double *out,
                             hl_error *error) {
    const tower_shape *shape = &self->shape->layers;
    const tensor_spec gain = layer_tensor(shape, layer, LN_1_GAIN),
                      stacked = layer_tensor(shape, layer, QKV_WEIGHT);
    size_t width = shape->width, own = head_width(shape);
    size_t first = 2 * width + head * own; /* below all queries and keys */
    float *rows = room, *gains = room + own * width;
    TRY(checkpoint_read(self->weights, &gain, 0, width, gains, error));
    TRY(checkpoint_read(self->weights, &stacked, first * width, own * width, rows, error));
    checkpoint_done(self->weights, &gain);
    checkpoint_done(self->weights, &stacked);
    for (size_t i = 0; i < own * width; ++i) out[i] = (double)rows[i] * (double)gains[i % width];
    return HL_OK;
}

/* Products with a transpose are not symmetric to the last bit on every backend. */
static void mirror(double *square, size_t n) {
    for (size_t i = 0; i < n; ++i) {
        for (size_t j = 0; j < i; ++j) square[i * n + j] = square[j * n + i];
    }
}

static hl_status gram_of(const image_tower *self, size_t layer, size_t head, double *out, hl_error *error) {
    const hl_compute *c = self->compute;
    size_t width = self->shape->layers.width, own = head_width(&self->shape->layers);
    float *room = malloc((own + 1) * width * sizeof *room);
    double *values = malloc(own * width * sizeof *values);
    hl_status status = room && values ? HL_OK : hl_no_memory(error, "a head's value map");
    if (status == HL_OK) status = read_values(self, layer, head, room, values, error);
    if (status == HL_OK) {
        status = c->api->product_f64(c->backend, false, true, own, own, width, values, width, values, width,
                                     out, own, error);
    }
    if (status == HL_OK) mirror(out, own);
    free(room);
    free(values);
    return status;
}

hl_status image_tower_value_gram(const image_tower *self, uint32_t component, double *out, hl_error *error) {
    const component_table *table = &self->components;
    if (component >= table->count) {
        return hl_fail(error, HL_USAGE, "%s: component %u does not exist, there are %u", self->plugin,
                       component, table->count);
    }
    const hl_component *row = &table->rows[component];
    if (row->kind != HL_HEAD) {
        return hl_fail(error, HL_USAGE, "%s is no head: only a head has a value map", row->name);
    }
    return gram_of(self, (size_t)row->layer, (size_t)row->index, out, error);
}
