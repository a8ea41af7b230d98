/* The transformer itself. Knows tensors and layers; never what a row stands for. */
#include "layer_stack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static hl_status load_layer(loader *from, const layer_stack *t, size_t number, stack_layer *out) {
    const tower_shape *shape = t->shape;
#define SPEC(SLOT) layer_tensor(shape, number, SLOT)
    size_t width = shape->width;
    hl_weight_source source = {.role = HL_ROLE_QKV, .layer = (int)number, .out = 3 * width};
    size_t first = 0;
    if (t->pools_last && number + 1 == shape->layers) {
        source.out = first = width;
        TRY(load_linear(from, &source, SPEC(QKV_WEIGHT), SPEC(QKV_BIAS), 0, &out->query));
        source.out = 2 * width;
    }
    TRY(load_linear(from, &source, SPEC(QKV_WEIGHT), SPEC(QKV_BIAS), first, &out->qkv));
    source.role = HL_ROLE_OUT;
    source.out = width;
    TRY(load_scaled(from, &source, SPEC(OUT_WEIGHT), SPEC(OUT_BIAS), SPEC(OUT_SCALE), 0, &out->out));
    source.role = HL_ROLE_MLP_IN;
    source.out = hidden_rows(shape);
    TRY(load_linear(from, &source, SPEC(MLP_IN_WEIGHT), SPEC(MLP_IN_BIAS), 0, &out->mlp_in));
    source.role = HL_ROLE_MLP_OUT;
    source.out = width;
    TRY(load_scaled(from, &source, SPEC(MLP_OUT_WEIGHT), SPEC(MLP_OUT_BIAS), SPEC(MLP_OUT_SCALE), 0,
                    &out->mlp_out));
    TRY(load_norm(from, SPEC(LN_1_GAIN), SPEC(LN_1_SHIFT), shape->epsilon, &out->ln_1));
    TRY(load_norm(from, SPEC(LN_2_GAIN), SPEC(LN_2_SHIFT), shape->epsilon, &out->ln_2));
    if (!has_inner_norms(shape)) return HL_OK;
    TRY(load_norm(from, SPEC(HEADS_NORM_GAIN), SPEC(HEADS_NORM_SHIFT), shape->epsilon, &out->heads_norm));
    return load_norm(from, SPEC(MLP_NORM_GAIN), SPEC(MLP_NORM_SHIFT), shape->epsilon, &out->mlp_norm);
#undef SPEC
}

hl_status layer_stack_load(loader *from, layer_stack *out) {
    out->layers = calloc(out->shape->layers, sizeof *out->layers);
    if (!out->layers) return hl_no_memory(from->error, "a tower's layers");
    for (size_t i = 0; i < out->shape->layers; ++i) TRY(load_layer(from, out, i, &out->layers[i]));
    return HL_OK;
}

void layer_stack_free(layer_stack *t) {
    for (size_t i = 0; t->layers && i < t->shape->layers; ++i) {
        stack_layer *l = &t->layers[i];
        hl_weight *weights[] = {l->query, l->qkv, l->out, l->mlp_in, l->mlp_out};
        for (size_t j = 0; j < sizeof weights / sizeof *weights; ++j) {
            t->compute->api->free_weight(t->compute->backend, weights[j]);
        }
        norm *norms[] = {&l->ln_1, &l->ln_2, &l->heads_norm, &l->mlp_norm};
        for (size_t j = 0; j < sizeof norms / sizeof *norms; ++j) free_norm(t->compute, norms[j]);
    }
    if (t->compute) rotary_free(t->compute, &t->positions);
    free(t->layers);
    t->layers = NULL;
}

static size_t wide_columns(const tower_shape *shape) {
    return 3 * shape->width > hidden_rows(shape) ? 3 * shape->width : hidden_rows(shape);
}

hl_status scratch_open(const layer_stack *t, size_t rows, scratch *out, hl_error *error) {
    const hl_compute *c = t->compute;
    TRY(c->api->new_tensor(c->backend, rows * t->shape->width, &out->x, error));
    TRY(c->api->new_tensor(c->backend, rows * t->shape->width, &out->normed, error));
    TRY(c->api->new_tensor(c->backend, rows * wide_columns(t->shape), &out->wide, error));
    return has_inner_norms(t->shape) ? c->api->new_tensor(c->backend, rows * 2, &out->inner, error) : HL_OK;
}

void scratch_free(const hl_compute *compute, scratch *s) {
    compute->api->free_tensor(compute->backend, s->x);
    compute->api->free_tensor(compute->backend, s->normed);
    compute->api->free_tensor(compute->backend, s->wide);
    compute->api->free_tensor(compute->backend, s->inner);
}

hl_status apply_norm(const hl_compute *compute, const norm *n, hl_matrix x, hl_matrix out,
                     hl_matrix statistics, hl_error *error) {
    const hl_layer_norm operation = {.size = sizeof operation,
                                     .x = x,
                                     .gain = dense(n->gain, 0, 1, n->width),
                                     .shift = dense(n->shift, 0, 1, n->width),
                                     .out = out,
                                     .statistics = statistics,
                                     .epsilon = n->epsilon};
    return compute->api->layer_norm(compute->backend, &operation, error);
}

hl_status apply_linear(const hl_compute *compute, const hl_weight *weight, hl_matrix x, hl_matrix residual,
                       hl_matrix out, hl_activation activation, hl_error *error) {
    const hl_linear operation = {.size = sizeof operation,
                                 .x = x,
                                 .residual = residual,
                                 .out = out,
                                 .weight = weight,
                                 .activation = activation};
    return compute->api->linear(compute->backend, &operation, error);
}

/* Rotary positions. Queries and keys lie side by side, but for those of a layer that computes one row, which
 * asks with the first token only. */
static hl_status turn(const layer_stack *t, const hl_attention *operation, bool first_asks, hl_error *error) {
    size_t heads = t->shape->heads;
    hl_matrix both = operation->q;
    if (!t->positions.cosines) return HL_OK;
    if (!first_asks) {
        both.cols *= 2;
        return apply_rotary(t->compute, &t->positions, both, 2 * heads, error);
    }
    rotary first = t->positions;
    first.tokens = 1;
    TRY(apply_rotary(t->compute, &first, operation->q, heads, error));
    return apply_rotary(t->compute, &t->positions, operation->k, heads, error);
}

static size_t rows_of_all(sequences in) {
    size_t rows = in.lengths ? 0 : in.count * in.tokens;
    for (size_t i = 0; in.lengths && i < in.count; ++i) rows += in.lengths[i];
    return rows;
}

/* Queries, keys and values: from one product, or, where the layer pools, from two. */
static hl_status project(const layer_stack *t, const stack_layer *l, const scratch *s, sequences in,
                         attended *io, hl_attention *operation, hl_error *error) {
    const hl_compute *c = t->compute;
    const hl_matrix none = {0};
    size_t rows = rows_of_all(in), width = t->shape->width;
    hl_matrix normed = dense(s->normed, 0, rows, width);
    TRY(apply_norm(c, &l->ln_1, dense(s->x, 0, rows, width), normed, none, error));
    if (l->query) {
        TRY(apply_linear(c, l->query, every(normed, in.tokens), none, io->pooled_query, HL_IDENTITY, error));
    }
    size_t parts = l->query ? 2 : 3;
    hl_matrix wide = dense(s->wide, 0, rows, parts * width);
    TRY(apply_linear(c, l->qkv, normed, none, wide, HL_IDENTITY, error));
    operation->q = l->query ? io->pooled_query : columns(wide, 0, width);
    operation->k = columns(wide, (parts - 2) * width, width);
    operation->v = columns(wide, (parts - 1) * width, width);
    operation->out = l->query ? io->pooled_out : normed; /* ln_1's output has been used up */
    return turn(t, operation, l->query != NULL, error);
}

static hl_matrix rows_from(hl_matrix of, size_t first, size_t count) {
    return (hl_matrix){of.tensor, of.offset + first * of.stride, count, of.cols, of.stride};
}

/* Sequences of one length after those of another. */
static hl_status attend_lengths(const layer_stack *t, sequences in, const hl_attention *all,
                                hl_error *error) {
    hl_status status = HL_OK;
    for (size_t first = 0, row = 0, end; first < in.count && status == HL_OK; first = end) {
        for (end = first; end < in.count && in.lengths[end] == in.lengths[first];) ++end;
        size_t rows = (end - first) * in.lengths[first];
        hl_attention some = *all;
        some.batch = end - first;
        some.q = rows_from(all->q, row, rows);
        some.k = rows_from(all->k, row, rows);
        some.v = rows_from(all->v, row, rows);
        some.out = rows_from(all->out, row, rows);
        status = t->compute->api->attention(t->compute->backend, &some, error);
        row += rows;
    }
    return status;
}

hl_status attend(const layer_stack *t, size_t number, const scratch *s, sequences in, attended *io,
                 hl_error *error) {
    size_t heads = t->shape->heads;
    hl_attention operation = {.size = sizeof operation,
                              .probabilities = io->probabilities,
                              .batch = in.count,
                              .heads = heads,
                              .scale = 1 / sqrtf((float)head_width(t->shape)),
                              .mask = in.mask,
                              .probes = io->probes,
                              .probe_count = io->probabilities.tensor ? io->probe_count : 0};
    TRY(project(t, &t->layers[number], s, in, io, &operation, error));
    io->values = operation.v;
    io->out = operation.out;
    if (in.lengths) return attend_lengths(t, in, &operation, error);
    return t->compute->api->attention(t->compute->backend, &operation, error);
}

/* act(W x), gated and normed as the model has it. */
static hl_status hidden_layer(const layer_stack *t, const stack_layer *l, hl_matrix normed, hl_matrix wide,
                              hl_matrix *hidden, hl_error *error) {
    const tower_shape *shape = t->shape;
    const hl_compute *c = t->compute;
    const hl_matrix none = {0};
    hl_activation activation = shape->gated ? HL_IDENTITY : shape->activation;
    TRY(apply_linear(c, l->mlp_in, normed, none, wide, activation, error));
    *hidden = columns(wide, 0, shape->hidden);
    if (shape->gated) {
        hl_matrix values = columns(wide, shape->hidden, shape->hidden);
        const hl_gate gate = {sizeof gate, *hidden, values, *hidden, shape->activation};
        TRY(c->api->gate(c->backend, &gate, error));
    }
    return l->mlp_norm.gain ? apply_norm(c, &l->mlp_norm, *hidden, *hidden, none, error) : HL_OK;
}

/* x += heads W_O + b_O; the MLP's hidden layer. */
static hl_status begin_mlp(const layer_stack *t, size_t number, const scratch *s, hl_matrix heads,
                           hl_matrix x, hl_matrix *hidden, hl_error *error) {
    const hl_compute *c = t->compute;
    const hl_matrix none = {0};
    const stack_layer *l = &t->layers[number];
    hl_matrix normed = dense(s->normed, 0, x.rows, x.cols);
    hl_matrix wide = dense(s->wide, 0, x.rows, hidden_rows(t->shape));
    if (l->heads_norm.gain) {
        TRY(apply_norm(c, &l->heads_norm, heads, normed, dense(s->inner, 0, heads.rows, 2), error));
        heads = normed; /* where they are to be read afterwards they lie elsewhere, or have been read */
    }
    TRY(apply_linear(c, l->out, heads, x, x, HL_IDENTITY, error));
    TRY(apply_norm(c, &l->ln_2, x, normed, none, error));
    return hidden_layer(t, l, normed, wide, hidden, error);
}

hl_status finish_layer(const layer_stack *t, size_t number, const scratch *s, hl_matrix heads, hl_matrix x,
                       const mlp_capture *capture, hl_error *error) {
    const hl_compute *c = t->compute;
    const hl_matrix none = {0};
    const stack_layer *l = &t->layers[number];
    hl_matrix hidden;
    TRY(begin_mlp(t, number, s, heads, x, &hidden, error));
    if (capture) {
        TRY(pool_rows(c, &capture->how, hidden, capture->hidden, error));
        TRY(apply_linear(c, l->mlp_out, capture->hidden, none, capture->out, HL_IDENTITY, error));
    }
    return apply_linear(c, l->mlp_out, hidden, x, x, HL_IDENTITY, error);
}

hl_status run_mlp(const layer_stack *t, size_t number, const scratch *s, hl_matrix heads, hl_matrix x,
                  hl_matrix *out, hl_error *error) {
    const hl_matrix none = {0};
    hl_matrix hidden;
    TRY(begin_mlp(t, number, s, heads, x, &hidden, error));
    *out = dense(s->normed, 0, x.rows, x.cols); /* which nobody needs any more */
    return apply_linear(t->compute, t->layers[number].mlp_out, hidden, none, *out, HL_IDENTITY, error);
}
