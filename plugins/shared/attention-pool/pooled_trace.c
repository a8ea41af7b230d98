/* See pooled.h: what one pass over one image left, and the codes in it. */
#include "pooled.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* One allocation. Pointers are NULL where the plan did not ask. */
struct hl_trace {
    atomic_size_t references;
    const pooled *of;
    size_t bytes;
    double length; /* r */
    component_plan *components;
    float *embedding;
    float *heads;     /* z of the pooling's heads: width */
    float *mlp;       /* m: embed_dim */
    float *attention; /* of the pooling: heads x tokens */
    float *values;    /* tokens x width */
    /* by layers */
    double *shares;                             /* heads x tokens, see value_path.h */
    float *scalars;                             /* S, M, 1/r */
    float *input;                               /* codes' own numbers: width */
    float **layer_heads;                        /* of a layer: heads x width */
    float **layer_mlps;                         /* of a layer: width */
    float **layer_rows;                         /* of a layer: its heads' outputs, tokens x width */
    _Alignas(max_align_t) unsigned char rest[]; /* what the pointers point to */
};

/* ---- memory ---- */

/* Hands out pieces of one block; without a block it only adds up. */
typedef struct block {
    unsigned char *start;
    size_t used;
} block;

static void *piece(block *from, size_t count, size_t element) {
    size_t step = _Alignof(max_align_t);
    void *out = from->start && count ? from->start + from->used : NULL;
    from->used += (count * element + step - 1) / step * step;
    return out;
}

static float *numbers(block *from, bool wanted, size_t count) {
    return piece(from, wanted ? count : 0, sizeof(float));
}

static void lay_out_layers(hl_trace *trace, const pooled *of, const pass_plan *plan, block *rest) {
    const pool_shape *shape = of->pool.shape;
    size_t layers = of->layer, width = shape->width, heads = of->path.layers->heads;
    trace->shares = piece(rest, shape->heads * shape->tokens, sizeof *trace->shares);
    trace->scalars = numbers(rest, true, path_head_scalars(&of->path));
    trace->input = numbers(rest, plan->input, width);
    float ***tables[] = {&trace->layer_heads, &trace->layer_mlps, &trace->layer_rows};
    for (size_t i = 0; i < 3; ++i) *tables[i] = piece(rest, layers, sizeof(float *));
    for (size_t i = 0; i < layers; ++i) {
        const layer_plan wish = plan->layers[i];
        float *parts[] = {numbers(rest, wish.heads, heads * width), numbers(rest, wish.mlp, width),
                          numbers(rest, wish.tokens, shape->tokens * width)};
        for (size_t j = 0; j < 3; ++j) {
            if (*tables[j]) (*tables[j])[i] = parts[j];
        }
    }
}

/* Called first to measure, with an empty block and a trace that is thrown away. */
static void lay_out(hl_trace *trace, const pooled *of, const pass_plan *plan, block *rest) {
    const pool_shape *shape = of->pool.shape;
    const layer_plan wish = plan->layers[of->layer];
    trace->components = piece(rest, of->components.count, sizeof *trace->components);
    trace->embedding = numbers(rest, true, shape->embed_dim);
    trace->heads = numbers(rest, wish.heads, shape->width);
    trace->mlp = numbers(rest, wish.mlp, shape->embed_dim);
    trace->attention = numbers(rest, wish.tokens || of->by_layers, shape->heads * shape->tokens);
    trace->values = numbers(rest, wish.tokens, shape->tokens * shape->width);
    if (of->by_layers) lay_out_layers(trace, of, plan, rest);
}

static hl_trace *make_trace(const pooled *of, const pass_plan *plan) {
    hl_trace measured = {0};
    block rest = {NULL, 0};
    lay_out(&measured, of, plan, &rest);
    size_t bytes = sizeof(hl_trace) + rest.used;
    hl_trace *trace = calloc(1, bytes);
    if (!trace) return NULL;
    rest = (block){trace->rest, 0};
    lay_out(trace, of, plan, &rest);
    for (size_t i = 0; i < plan->component_count; ++i) {
        const component_plan *wish = &plan->components[i];
        trace->components[i] = (component_plan){wish->code, wish->tokens, wish->even, NULL};
    }
    trace->of = of;
    trace->bytes = bytes;
    atomic_init(&trace->references, 1);
    return trace;
}

hl_status pooled_make_traces(const pooled *self, const pass_plan *plan, size_t count, hl_trace **traces,
                             hl_error *error) {
    for (size_t i = 0; i < count; ++i) {
        traces[i] = make_trace(self, plan);
        if (!traces[i]) return hl_no_memory(error, "the trace of an image");
    }
    return HL_OK;
}

void pooled_trace_retain(hl_trace *trace) {
    atomic_fetch_add_explicit(&trace->references, 1, memory_order_relaxed);
}

void pooled_trace_release(hl_trace *trace) {
    if (trace && atomic_fetch_sub_explicit(&trace->references, 1, memory_order_acq_rel) == 1) free(trace);
}

size_t pooled_trace_bytes(const hl_trace *trace) {
    return trace->bytes;
}

/* ---- filling ---- */

static hl_status download(const pooled *self, hl_matrix all, size_t image, size_t count, float *to,
                          hl_error *error) {
    const hl_compute *c = self->pool.compute;
    size_t rows = all.rows / count;
    hl_matrix own = all;
    if (!to) return HL_OK;
    own.rows = rows;
    own.offset += image * rows * all.stride;
    return c->api->download(c->backend, own, to, error);
}

static hl_status take_embedding(hl_trace *trace, const pool_result *result, size_t image, size_t count,
                                hl_error *error) {
    const pooled *self = trace->of;
    size_t dim = self->pool.shape->embed_dim;
    float *mlp = result->mlp.tensor ? malloc(dim * sizeof *mlp) : NULL;
    if (result->mlp.tensor && !mlp) return hl_no_memory(error, "an embedding");
    hl_status status = download(self, result->row, image, count, trace->embedding, error);
    if (status == HL_OK) status = download(self, result->mlp, image, count, mlp, error);
    double square = 0;
    for (size_t i = 0; status == HL_OK && i < dim; ++i) {
        if (mlp) trace->embedding[i] += mlp[i];
        square += (double)trace->embedding[i] * (double)trace->embedding[i];
    }
    if (trace->mlp && mlp && status == HL_OK) memcpy(trace->mlp, mlp, dim * sizeof *mlp);
    free(mlp);
    if (status) return status;
    trace->length = sqrt(square);
    if (trace->length > 0 && isfinite(trace->length)) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "%s: the embedding of an image is %s: the weights or the image's pixels are damaged",
                   self->model, square == 0 ? "zero" : "not finite");
}

static hl_status take_layers(hl_trace *trace, const pooled_rows *rows, hl_error *error) {
    const pooled *self = trace->of;
    const value_path *path = &self->path;
    size_t bytes = self->pool.shape->tokens * self->pool.shape->width * sizeof(float);
    value_path_weigh(path, trace->attention, rows->statistics, trace->length, trace->shares, trace->scalars);
    if (trace->input) TRY(value_path_rows(path, trace->shares, rows->input, trace->input, error));
    for (size_t i = 0; i < self->layer; ++i) {
        if (trace->layer_heads[i])
            TRY(value_path_heads(path, i, trace->shares, rows->heads[i], trace->layer_heads[i], error));
        if (trace->layer_mlps[i])
            TRY(value_path_rows(path, trace->shares, rows->mlps[i], trace->layer_mlps[i], error));
        if (trace->layer_rows[i]) memcpy(trace->layer_rows[i], rows->heads[i], bytes);
    }
    return HL_OK;
}

/* What edits take from what the pooling's heads gather. */
static void scale_attention(hl_trace *trace, const pass_plan *plan) {
    size_t tokens = trace->of->pool.shape->tokens;
    for (size_t i = 0; i < plan->component_count && trace->attention; ++i) {
        const hl_component *row = &trace->of->components.rows[i];
        const float *factors = plan->components[i].factors;
        if (!factors || row->kind != HL_HEAD || row->layer != (int32_t)trace->of->layer) continue;
        float *own = trace->attention + (size_t)row->index * tokens;
        for (size_t token = 0; token < tokens; ++token) own[token] *= factors[0];
    }
}

hl_status pooled_fill_traces(const pooled *self, const pass_plan *plan, const pool_result *result,
                             size_t count, const pooled_rows *rows, hl_trace **traces, hl_error *error) {
    for (size_t i = 0; i < count; ++i) {
        hl_trace *trace = traces[i];
        TRY(take_embedding(trace, result, i, count, error));
        TRY(download(self, result->heads, i, count, trace->heads, error));
        TRY(download(self, result->probabilities, i, count, trace->attention, error));
        TRY(download(self, result->values, i, count, trace->values, error));
        scale_attention(trace, plan);
        if (self->by_layers) TRY(take_layers(trace, &rows[i], error));
    }
    return HL_OK;
}

/* ---- answers ---- */

void pooled_trace_embedding(const hl_trace *trace, float *out) {
    memcpy(out, trace->embedding, trace->of->pool.shape->embed_dim * sizeof *out);
}

static hl_status not_captured(const hl_trace *trace, uint32_t component, const char *what, hl_error *error) {
    const pooled *of = trace->of;
    if (component >= of->components.count) {
        return hl_fail(error, HL_USAGE, "%s: component %u does not exist, there are %u", of->plugin,
                       component, of->components.count);
    }
    return hl_fail(error, HL_USAGE, "%s: the pass did not capture the %s of %s: ask for it in hl_request",
                   of->plugin, what, of->components.rows[component].name);
}

/* The code's own numbers, of a part of the pooling not yet divided by r. */
static const float *own_numbers(const hl_trace *trace, const hl_component *component) {
    size_t index = (size_t)component->index, width = component->width;
    bool of_pool = component->layer == (int32_t)trace->of->layer;
    switch (component->kind) {
    case HL_HEAD:
        return (of_pool ? trace->heads : trace->layer_heads[component->layer]) + index * width;
    case HL_MLP:
        return of_pool ? trace->mlp : trace->layer_mlps[component->layer];
    case HL_INPUT:
        return trace->input;
    default:
        return NULL;
    }
}

/* Further numbers end with 1/r; what MLPs and the input share begins with the means. */
static double further_number(const hl_trace *trace, const hl_component *component, uint32_t i) {
    if (i + 1 == component->scalar_count) return 1 / trace->length;
    return (double)trace->scalars[i + (component->kind == HL_HEAD ? 0 : trace->of->pool.shape->heads)];
}

hl_status pooled_trace_code(const hl_trace *trace, uint32_t index, float *out, hl_error *error) {
    if (index >= trace->of->components.count || !trace->components[index].code)
        return not_captured(trace, index, "code", error);
    const hl_component *component = &trace->of->components.rows[index];
    const float *own = own_numbers(trace, component);
    double divisor = component->layer == (int32_t)trace->of->layer ? trace->length : 1;
    for (uint32_t i = 0; i < component->width; ++i) out[i] = (float)((double)own[i] / divisor);
    for (uint32_t i = 0; i < component->scalar_count; ++i)
        out[component->width + i] = (float)further_number(trace, component, i);
    return HL_OK;
}

static void pool_tokens(const hl_trace *trace, uint32_t index, float *out) {
    const hl_component *component = &trace->of->components.rows[index];
    bool even = trace->components[index].even; /* replaced: nothing of it belongs to one token more */
    size_t tokens = trace->of->pool.shape->tokens, width = component->width;
    size_t head = (size_t)component->index, stride = trace->of->pool.shape->width;
    const float *attention = trace->attention + head * tokens, *whole = trace->heads + head * width;
    for (size_t token = 0; token < tokens; ++token) {
        double scale = (even ? 1 / (double)tokens : (double)attention[token]) / trace->length;
        const float *source = even ? whole : trace->values + token * stride + head * width;
        for (size_t i = 0; i < width; ++i) *out++ = (float)(scale * (double)source[i]);
        *out++ = (float)(1 / (trace->length * (double)tokens));
    }
}

static void layer_tokens(const hl_trace *trace, const hl_component *component, float *out) {
    const value_path *path = &trace->of->path;
    size_t layer = (size_t)component->layer, tokens = path->pool->shape->tokens, width = component->width;
    const float *rows = trace->layer_rows[layer];
    for (size_t token = 0; token < tokens; ++token, out += width + component->scalar_count) {
        value_path_token(path, layer, (size_t)component->index, trace->shares, token, rows + token * width,
                         out);
        for (size_t i = 0; i < component->scalar_count; ++i)
            out[width + i] = (float)((double)trace->scalars[i] / (double)tokens);
    }
}

hl_status pooled_trace_token_codes(const hl_trace *trace, uint32_t index, float *out, hl_error *error) {
    if (index >= trace->of->components.count || !trace->components[index].tokens)
        return not_captured(trace, index, "parts by token", error);
    const hl_component *component = &trace->of->components.rows[index];
    if (component->layer == (int32_t)trace->of->layer)
        pool_tokens(trace, index, out);
    else
        layer_tokens(trace, component, out);
    return HL_OK;
}
