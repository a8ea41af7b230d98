/* A transformer of pre-norm residual layers (Vaswani et al. 2017; Radford et al. 2021, section 2.4) on a
 * backend: what the image and the text tower share. Layers are run in two steps, between which their heads'
 * outputs can be looked at and changed. */
#ifndef LAYER_STACK_H
#define LAYER_STACK_H

#include "layer_tensors.h"
#include "loader.h"
#include "pooling.h"
#include "rotary.h"

typedef struct stack_layer {
    norm ln_1, ln_2;
    norm heads_norm, mlp_norm; /* gain NULL: none */
    hl_weight *query;          /* only in a layer that pools, which has `qkv` for keys and values only */
    hl_weight *qkv, *out;      /* attention */
    hl_weight *mlp_in, *mlp_out;
} stack_layer;

/* The tokens of a batch, sequence after sequence, and scratch of the same number of rows. */
typedef struct scratch {
    hl_tensor *x, *normed; /* rows x width */
    hl_tensor *wide;       /* rows x the larger of 3 * width and the MLP's hidden rows */
    hl_tensor *inner;      /* rows x 2: what heads_norm saw, until the next layer; NULL: there is none */
} scratch;

typedef struct layer_stack {
    const tower_shape *shape;
    const hl_compute *compute;
    bool pools_last; /* the last layer computes only the first row of each sequence */
    stack_layer *layers;
    rotary positions; /* of each sequence's tokens; made by whoever knows where they are; else zero */
} layer_stack;

/* `out` has shape, compute and pools_last set; after a failure `layer_stack_free` frees what there is.
 */
hl_status layer_stack_load(loader *from, layer_stack *out);
void layer_stack_free(layer_stack *t);

hl_status scratch_open(const layer_stack *t, size_t rows, scratch *out, hl_error *error);
void scratch_free(const hl_compute *compute, scratch *s);

hl_status apply_norm(const hl_compute *compute, const norm *n, hl_matrix x, hl_matrix out,
                     hl_matrix statistics, hl_error *error);
hl_status apply_linear(const hl_compute *compute, const hl_weight *weight, hl_matrix x, hl_matrix residual,
                       hl_matrix out, hl_activation activation, hl_error *error);

/* Sequences that lie one behind the other: `count` of `tokens` tokens each, or, with `lengths`, of as many
 * as it says; neighbours of one length are attended to together. */
typedef struct sequences {
    size_t count, tokens;
    hl_mask mask;
    const size_t *lengths; /* NULL for a layer that pools, and with probabilities or rotary positions */
} sequences;

/* The heads' outputs of one layer. In: what `attend` shall use; out: where it put things. */
typedef struct attended {
    hl_matrix pooled_query; /* in, for a layer that pools: count x width, scratch */
    hl_matrix pooled_out;   /* in, for a layer that pools: count x width */
    hl_matrix
        probabilities;    /* in: of query rows `probes`, count * heads * probe_count x tokens; may be none */
    const size_t *probes; /* in */
    size_t probe_count;
    hl_matrix values; /* out: one row for each token, until the layer's MLP */
    hl_matrix out;    /* out: one row for each query row */
} attended;

hl_status attend(const layer_stack *t, size_t number, const scratch *s, sequences in, attended *io,
                 hl_error *error);

/* The pooled output of an MLP: since what comes last in an MLP is linear, it is made from the pooled hidden
 * layer. */
typedef struct mlp_capture {
    pooling how;
    hl_matrix hidden; /* images x hidden, scratch */
    hl_matrix out;    /* images x width */
} mlp_capture;

/* x += heads W_O + b_O; then x += mlp(ln_2 x), all rows of x. `capture` may be NULL. */
hl_status finish_layer(const layer_stack *t, size_t number, const scratch *s, hl_matrix heads, hl_matrix x,
                       const mlp_capture *capture, hl_error *error);

/* x += heads W_O + b_O, and the MLP's output for all rows of x, which is not added yet; it lies in the
 * scratch memory until the next layer. */
hl_status run_mlp(const layer_stack *t, size_t number, const scratch *s, hl_matrix heads, hl_matrix x,
                  hl_matrix *out, hl_error *error);

#endif
