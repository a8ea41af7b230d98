/* The component table of a tower whose residual stream is read at one row, or pooled to one: what enters the
 * first layer, then for each layer its heads and its MLP, and what the projection adds, if anything. Each
 * head has a basis of its own; MLPs and the input share one, and the remainder has the last. */
#ifndef COMPONENTS_H
#define COMPONENTS_H

#include "layer_tensors.h"

/* Further numbers of a code: at most so many. */
enum { MOST_FURTHER = 4 };

typedef struct component_table {
    hl_component *rows;
    struct component_name {
        char text[48];
    } * names;
    uint32_t count, basis_count;
} component_table;

/* Free with components_free, also after a failure. */
hl_status components_make(const tower_shape *shape, bool has_remainder, component_table *out,
                          hl_error *error);
void components_free(component_table *table);

static inline uint32_t head_component(const tower_shape *shape, size_t layer, size_t head) {
    return (uint32_t)(1 + layer * (shape->heads + 1) + head);
}

static inline uint32_t mlp_component(const tower_shape *shape, size_t layer) {
    return head_component(shape, layer, shape->heads);
}

/* The basis of MLPs and the input; the remainder's is the next. */
static inline uint32_t whole_basis(const tower_shape *shape) {
    return (uint32_t)(shape->layers * shape->heads);
}

#endif
