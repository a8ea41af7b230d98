/* The shape of a transformer and the tensors of its layers: names come as a table, sizes follow from the
 * shape. */
#ifndef LAYER_TENSORS_H
#define LAYER_TENSORS_H

#include "checkpoint/checkpoint.h"

/* Matrices are stored as out x in. */
typedef enum layer_slot {
    LN_1_GAIN,
    LN_1_SHIFT,
    QKV_WEIGHT, /* queries, keys and values, one below the other */
    QKV_BIAS,
    OUT_WEIGHT,
    OUT_BIAS,
    LN_2_GAIN,
    LN_2_SHIFT,
    MLP_IN_WEIGHT,
    MLP_IN_BIAS,
    MLP_OUT_WEIGHT,
    MLP_OUT_BIAS,
    HEADS_NORM_GAIN,  /* inner norms, of what a layer's heads gathered, side by side, before the output */
    HEADS_NORM_SHIFT, /* projection; and of an MLP's hidden layer; these four may be missing */
    MLP_NORM_GAIN,
    MLP_NORM_SHIFT,
    OUT_SCALE, /* layer scales, of what attention and the MLP write; these two may be missing */
    MLP_OUT_SCALE,
    LAYER_SLOTS
} layer_slot;

/* A layer's tensors are called BEFORE, its number, ".", and what stands here. */
typedef struct layer_names {
    const char *before;             /* "visual.transformer.resblocks." */
    const char *slots[LAYER_SLOTS]; /* one that is NULL the model has not */
} layer_names;

/* Pre-norm residual layers, `heads` of width / heads numbers, an MLP of `hidden` numbers, which are act(W x)
 * or, gated, act(W x) * (W' x) with W' below W in the same matrix (Shazeer 2020, section 2). */
typedef struct tower_shape {
    const layer_names *names;
    size_t layers, width, heads, hidden;
    hl_activation activation;
    bool gated;
    float epsilon; /* of layer norms */
} tower_shape;

static inline size_t head_width(const tower_shape *shape) {
    return shape->width / shape->heads;
}

/* Rows of an MLP's first matrix. */
static inline size_t hidden_rows(const tower_shape *shape) {
    return shape->gated ? 2 * shape->hidden : shape->hidden;
}

static inline bool has_inner_norms(const tower_shape *shape) {
    return shape->names->slots[HEADS_NORM_GAIN] != NULL;
}

/* rank 0 where the model has none. */
tensor_spec layer_tensor(const tower_shape *shape, size_t layer, layer_slot slot);

/* All of them, layer by layer, at most shape->layers * LAYER_SLOTS. Returns how many. */
size_t layer_tensors(const tower_shape *shape, tensor_spec *out);

/* What would be there if there were a layer more. */
tensor_beyond layer_beyond(const tower_shape *shape);

#endif
