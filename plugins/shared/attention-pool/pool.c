/* See pool.h. */
#include "pool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

tensor_spec pool_tensor(const pool_shape *shape, pool_slot slot) {
    size_t width = shape->width, dim = shape->embed_dim, hidden = shape->hidden;
    float in = 1 / sqrtf((float)width), mlp_in = 1 / sqrtf((float)dim);
    float mlp_out = hidden ? 1 / sqrtf((float)hidden) : 0;
    const tensor_spec specs[POOL_SLOTS] = {
        [POOL_QUERY] = {"", 1, {width}, 0, 1, false},
        [POOL_QKV_WEIGHT] = {"", 2, {3 * width, width}, 0, 1.2F * in, false},
        [POOL_QKV_BIAS] = {"", 1, {3 * width}, 0, 0.1F, false},
        [POOL_OUT_WEIGHT] = {"", 2, {dim, width}, 0, in, false},
        [POOL_OUT_BIAS] = {"", 1, {dim}, 0, 0.05F, false},
        [POOL_NORM_GAIN] = {"", 1, {dim}, 1, 0.25F, false},
        [POOL_NORM_SHIFT] = {"", 1, {dim}, 0, 0.1F, false},
        [POOL_MLP_IN_WEIGHT] = {"", 2, {hidden, dim}, 0, mlp_in, false},
        [POOL_MLP_IN_BIAS] = {"", 1, {hidden}, 0, 0.1F, false},
        [POOL_MLP_OUT_WEIGHT] = {"", 2, {dim, hidden}, 0, mlp_out, false},
        [POOL_MLP_OUT_BIAS] = {"", 1, {dim}, 0, 0.05F, false},
    };
    if (slot >= POOL_NORM_GAIN && hidden == 0) return (tensor_spec){.rank = 0};
    return tensor_named(specs[slot], shape->names[slot]);
}

size_t pool_tensors(const pool_shape *shape, tensor_spec *out) {
    size_t count = 0;
    for (int slot = 0; slot < POOL_SLOTS; ++slot) {
        tensor_spec spec = pool_tensor(shape, (pool_slot)slot);
        if (spec.rank) out[count++] = spec;
    }
    return count;
}

/* ---- loading ---- */

/* What a learned query asks is the same for every image: W_Q query + b_Q. */
static hl_status project_query(attention_pool *self, loader *from, tensor_spec query, tensor_spec matrix,
                               tensor_spec bias) {
    size_t width = self->shape->width;
    float *learned = NULL, *rows = malloc((width + 1) * width * sizeof *rows);
    self->asked = calloc(width, sizeof *self->asked);
    hl_status status = rows && self->asked ? HL_OK : hl_no_memory(from->error, "the query of a pooling");
    if (status == HL_OK) status = checkpoint_take(from->weights, &query, &learned, from->error);
    if (status == HL_OK)
        status = checkpoint_read(from->weights, &matrix, 0, width * width, rows, from->error);
    if (status == HL_OK && bias.rank)
        status = checkpoint_read(from->weights, &bias, 0, width, self->asked, from->error);
    for (size_t i = 0; status == HL_OK && i < width; ++i) {
        double sum = (double)self->asked[i];
        for (size_t j = 0; j < width; ++j) sum += (double)rows[i * width + j] * (double)learned[j];
        self->asked[i] = (float)sum;
    }
    free(learned);
    free(rows);
    return status;
}

static hl_status load_mlp(attention_pool *self, loader *from) {
    const pool_shape *shape = self->shape;
#define SPEC(SLOT) pool_tensor(shape, SLOT)
    hl_weight_source source = {.role = HL_ROLE_MLP_IN, .layer = -1, .out = shape->hidden};
    if (shape->hidden == 0) return HL_OK;
    TRY(load_norm(from, SPEC(POOL_NORM_GAIN), SPEC(POOL_NORM_SHIFT), shape->epsilon, &self->norm));
    TRY(load_linear(from, &source, SPEC(POOL_MLP_IN_WEIGHT), SPEC(POOL_MLP_IN_BIAS), 0, &self->mlp_in));
    source.role = HL_ROLE_MLP_OUT;
    source.out = shape->embed_dim;
    return load_linear(from, &source, SPEC(POOL_MLP_OUT_WEIGHT), SPEC(POOL_MLP_OUT_BIAS), 0, &self->mlp_out);
}

hl_status attention_pool_load(attention_pool *self, loader *from) {
    const pool_shape *shape = self->shape;
    const tensor_spec query = SPEC(POOL_QUERY), qkv = SPEC(POOL_QKV_WEIGHT), bias = SPEC(POOL_QKV_BIAS);
    hl_weight_source source = {.role = HL_ROLE_QKV, .layer = -1, .out = shape->width};
    self->weights = from->weights;
    self->compute = from->compute;
    if (query.rank)
        TRY(project_query(self, from, query, qkv, bias));
    else
        TRY(load_linear(from, &source, qkv, bias, 0, &self->query));
    source.out = 2 * shape->width;
    TRY(load_linear(from, &source, qkv, bias, shape->width, &self->kv));
    source.role = HL_ROLE_OUT;
    source.out = shape->embed_dim;
    TRY(load_linear(from, &source, SPEC(POOL_OUT_WEIGHT), SPEC(POOL_OUT_BIAS), 0, &self->out));
    return load_mlp(self, from);
#undef SPEC
}

void attention_pool_free(attention_pool *self) {
    const hl_compute *c = self->compute;
    free(self->asked);
    if (!c) return;
    hl_weight *weights[] = {self->query, self->kv, self->out, self->mlp_in, self->mlp_out};
    for (size_t i = 0; i < sizeof weights / sizeof *weights; ++i) c->api->free_weight(c->backend, weights[i]);
    free_norm(c, &self->norm);
}

/* ---- bases and value maps ---- */

hl_status attention_pool_basis(const attention_pool *self, size_t head, float *out, hl_error *error) {
    const pool_shape *shape = self->shape;
    const tensor_spec matrix = pool_tensor(shape, POOL_OUT_WEIGHT), bias = pool_tensor(shape, POOL_OUT_BIAS);
    size_t own = pool_head_width(shape), dim = shape->embed_dim;
    float *row = calloc(own + dim, sizeof *row), *shared = row + own;
    if (!row) return hl_no_memory(error, "a basis");
    hl_status status = HL_OK;
    for (size_t i = 0; status == HL_OK && i < dim; ++i) {
        status = checkpoint_read(self->weights, &matrix, i * shape->width + head * own, own, row, error);
        for (size_t j = 0; j < own; ++j) out[j * dim + i] = row[j];
    }
    if (status == HL_OK && bias.rank) status = checkpoint_read(self->weights, &bias, 0, dim, shared, error);
    for (size_t i = 0; status == HL_OK && i < dim; ++i) {
        out[own * dim + i] = (float)((double)shared[i] / (double)shape->heads);
    }
    free(row);
    return status;
}

hl_status attention_pool_values(const attention_pool *self, float **matrix, float **bias, hl_error *error) {
    const tensor_spec qkv = pool_tensor(self->shape, POOL_QKV_WEIGHT),
                      biases = pool_tensor(self->shape, POOL_QKV_BIAS);
    size_t width = self->shape->width;
    *matrix = malloc(width * width * sizeof **matrix);
    *bias = calloc(width, sizeof **bias);
    hl_status status = *matrix && *bias ? HL_OK : hl_no_memory(error, "a pooling's value map");
    if (status == HL_OK)
        status = checkpoint_read(self->weights, &qkv, 2 * width * width, width * width, *matrix, error);
    if (status == HL_OK && biases.rank)
        status = checkpoint_read(self->weights, &biases, 2 * width, width, *bias, error);
    return status;
}

hl_status attention_pool_value_gram(const attention_pool *self, size_t head, const float *gain, double *out,
                                    hl_error *error) {
    const hl_compute *c = self->compute;
    const tensor_spec qkv = pool_tensor(self->shape, POOL_QKV_WEIGHT);
    size_t width = self->shape->width, own = pool_head_width(self->shape);
    float *rows = malloc(own * width * sizeof *rows);
    double *values = malloc(own * width * sizeof *values);
    hl_status status = rows && values ? HL_OK : hl_no_memory(error, "a head's value map");
    if (status == HL_OK)
        status =
            checkpoint_read(self->weights, &qkv, (2 * width + head * own) * width, own * width, rows, error);
    for (size_t i = 0; status == HL_OK && i < own * width; ++i)
        values[i] = (double)rows[i] * (gain ? (double)gain[i % width] : 1);
    if (status == HL_OK) {
        status = c->api->product_f64(c->backend, false, true, own, own, width, values, width, values, width,
                                     out, own, error);
    }
    /* products with a transpose are not symmetric to the last bit on every backend */
    for (size_t i = 0; status == HL_OK && i < own * own; ++i) {
        if (i % own < i / own) out[i] = out[i % own * own + i / own];
    }
    free(rows);
    free(values);
    return status;
}

/* ---- runs ---- */

static hl_status fill_query(const pool_session *s, hl_error *error) {
    const attention_pool *pool = s->pool;
    const hl_compute *c = pool->compute;
    size_t width = pool->shape->width;
    hl_status status = HL_OK;
    for (size_t i = 0; pool->asked && status == HL_OK && i < s->batch; ++i) {
        status = c->api->upload(c->backend, pool->asked, dense(s->query, i * width, 1, width), error);
    }
    return status;
}

hl_status pool_session_open(const attention_pool *pool, size_t batch, pool_session *out, hl_error *error) {
    const pool_shape *shape = pool->shape;
    const hl_compute *c = pool->compute;
    *out = (pool_session){.pool = pool, .batch = batch};
    const struct {
        hl_tensor **tensor;
        size_t cols;
    } all[] = {{&out->query, shape->width},
               {&out->heads, shape->width},
               {&out->probabilities, shape->heads * shape->tokens},
               {&out->row, shape->embed_dim},
               {&out->normed, shape->hidden ? shape->embed_dim : 0},
               {&out->hidden, shape->hidden},
               {&out->mlp, shape->hidden ? shape->embed_dim : 0}};
    for (size_t i = 0; i < sizeof all / sizeof *all; ++i) {
        if (all[i].cols) TRY(c->api->new_tensor(c->backend, batch * all[i].cols, all[i].tensor, error));
    }
    return fill_query(out, error);
}

void pool_session_close(pool_session *self) {
    if (!self->pool) return;
    const hl_compute *c = self->pool->compute;
    hl_tensor *tensors[] = {self->query,  self->heads, self->probabilities, self->row, self->normed,
                            self->hidden, self->mlp};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) c->api->free_tensor(c->backend, tensors[i]);
}

static hl_status attend_once(pool_session *s, const pass_edits *edits, hl_matrix tokens, hl_matrix room,
                             pool_result *out) {
    static const size_t first_row = 0;
    const attention_pool *pool = s->pool;
    const pool_shape *shape = pool->shape;
    const hl_compute *c = pool->compute;
    const hl_matrix none = {0};
    size_t count = edits->count, width = shape->width;
    hl_matrix query = dense(s->query, 0, count, width);
    if (pool->query)
        TRY(apply_linear(c, pool->query, every(tokens, shape->tokens), none, query, HL_IDENTITY,
                         edits->error));
    TRY(apply_linear(c, pool->kv, tokens, none, room, HL_IDENTITY, edits->error));
    out->values = columns(room, width, width);
    out->heads = dense(s->heads, 0, count, width);
    out->probabilities = dense(s->probabilities, 0, count * shape->heads, shape->tokens);
    const hl_attention operation = {.size = sizeof operation,
                                    .q = query,
                                    .k = columns(room, 0, width),
                                    .v = out->values,
                                    .out = out->heads,
                                    .probabilities = out->probabilities,
                                    .batch = count,
                                    .heads = shape->heads,
                                    .scale = 1 / sqrtf((float)pool_head_width(shape)),
                                    .mask = HL_MASK_NONE,
                                    .probes = &first_row,
                                    .probe_count = 1};
    return c->api->attention(c->backend, &operation, edits->error);
}

static hl_status run_mlp_of_pool(pool_session *s, const pass_edits *edits, size_t layer, pool_result *out) {
    const attention_pool *pool = s->pool;
    const hl_compute *c = pool->compute;
    const hl_matrix none = {0};
    size_t count = edits->count, dim = pool->shape->embed_dim;
    hl_matrix normed = dense(s->normed, 0, count, dim);
    hl_matrix hidden = dense(s->hidden, 0, count, pool->shape->hidden);
    out->mlp = dense(s->mlp, 0, count, dim);
    TRY(apply_norm(c, &pool->norm, out->row, normed, none, edits->error));
    TRY(apply_linear(c, pool->mlp_in, normed, none, hidden, pool->shape->activation, edits->error));
    TRY(apply_linear(c, pool->mlp_out, hidden, none, out->mlp, HL_IDENTITY, edits->error));
    return edits_apply_mlp(edits, layer, out->mlp);
}

hl_status pool_session_run(pool_session *self, const pass_edits *edits, size_t layer, hl_matrix tokens,
                           hl_matrix room, pool_result *out) {
    const attention_pool *pool = self->pool;
    const hl_matrix none = {0};
    *out = (pool_result){.row = dense(self->row, 0, edits->count, pool->shape->embed_dim)};
    TRY(attend_once(self, edits, tokens, room, out));
    TRY(edits_apply_heads(edits, layer, pool->shape->heads, out->heads));
    TRY(apply_linear(pool->compute, pool->out, out->heads, none, out->row, HL_IDENTITY, edits->error));
    return pool->shape->hidden ? run_mlp_of_pool(self, edits, layer, out) : HL_OK;
}
