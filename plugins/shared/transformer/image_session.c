/* Passes over images: pixels -> embedding, and on the way what the plan asks for; and the memory that they
 * need, allocated once for the largest batch. */
#include "edits.h"
#include "trace.h"

#include <stdlib.h>
#include <string.h>

/* One pass: `count` images of `tokens` rows each. */
typedef struct pass {
    image_session *session;
    const image_tower *tower;
    const image_shape *shape;
    const hl_compute *compute;
    const pass_plan *plan;
    size_t count, tokens, width;
    hl_trace **traces;
    hl_error *error;
} pass;

static hl_matrix all_rows(const pass *p, hl_tensor *tensor) {
    return dense(tensor, 0, p->count * p->tokens, p->width);
}

/* Block `number` of a tensor that holds one pooled row for each image and layer. */
static hl_matrix block(const pass *p, hl_tensor *tensor, size_t number) {
    return dense(tensor, number * p->count * p->width, p->count, p->width);
}

static bool is_last(const pass *p, size_t layer) {
    return layer + 1 == p->shape->layers.layers;
}

/* A convolution passes over the margin at the right and at the bottom that no whole patch covers. */
static const float *crop(const pass *p, const float *pixels, size_t side) {
    size_t whole = p->shape->size;
    float *out = p->session->host_crop;
    if (!out) return pixels;
    for (size_t plane = 0; plane < 3 * p->count; ++plane) {
        for (size_t row = 0; row < side; ++row) {
            memcpy(out + (plane * side + row) * side, pixels + (plane * whole + row) * whole,
                   side * sizeof *out);
        }
    }
    return out;
}

static hl_status embed(const pass *p, const float *pixels) {
    const image_tower *tower = p->tower;
    const hl_compute *c = p->compute;
    image_session *s = p->session;
    size_t side = p->shape->grid * p->shape->patch;
    hl_matrix x = all_rows(p, s->scratch.x), none = {0};
    TRY(c->api->upload(c->backend, crop(p, pixels, side), dense(s->pixels, 0, p->count * 3 * side, side),
                       p->error));
    const hl_patch_embedding operation = {.size = sizeof operation,
                                          .pixels = dense(s->pixels, 0, p->count, 3 * side * side),
                                          .batch = p->count,
                                          .channels = 3,
                                          .height = side,
                                          .width = side,
                                          .patch = p->shape->patch,
                                          .weight = tower->patch,
                                          .prefix = dense(tower->class_embedding, 0, 1, p->width),
                                          .position = dense(tower->position, 0, p->tokens, p->width),
                                          .out = x};
    TRY(c->api->patch_embedding(c->backend, &operation, p->error));
    if (tower->ln_pre.gain) TRY(apply_norm(c, &tower->ln_pre, x, x, none, p->error));
    return HL_OK;
}

/* What the parts by token are made of, as the layer computed it, before any edit. */
static hl_status take_tokens(const pass *p, size_t layer, const attended *io) {
    const hl_compute *c = p->compute;
    size_t heads = p->shape->layers.heads;
    if (!p->plan->layers[layer].tokens) return HL_OK;
    for (size_t i = 0; i < p->count; ++i) {
        hl_matrix probabilities = io->probabilities, values = io->values;
        probabilities.rows = heads;
        probabilities.offset += i * heads * probabilities.stride;
        values.rows = p->tokens;
        values.offset += i * p->tokens * values.stride;
        TRY(c->api->download(c->backend, probabilities, p->traces[i]->attention[layer], p->error));
        TRY(c->api->download(c->backend, values, p->traces[i]->values[layer], p->error));
    }
    return HL_OK;
}

static pass_edits edits_of(const pass *p) {
    return (pass_edits){p->compute, &p->tower->components, p->plan->request, p->count, p->error};
}

static hl_status finish_edited(const pass *p, size_t layer, hl_matrix heads, hl_matrix x, size_t step,
                               hl_matrix capture) {
    const pass_edits edits = edits_of(p);
    hl_matrix out;
    TRY(run_mlp(&p->tower->layers, layer, &p->session->scratch, heads, x, &out, p->error));
    TRY(edits_apply_mlp(&edits, layer, out));
    if (capture.tensor) TRY(apply_copy(p->compute, every(out, step), capture, p->error));
    return add_rows(p->compute, out, x, p->error);
}

/* Only pooled rows are wanted, so the last layer computes nothing else. */
static hl_status run_layer(const pass *p, size_t layer) {
    image_session *s = p->session;
    const hl_compute *c = p->compute;
    const layer_plan wish = p->plan->layers[layer];
    const sequences in = {p->count, p->tokens, HL_MASK_NONE};
    const pass_edits edits = edits_of(p);
    bool last = is_last(p, layer);
    attended io = {.pooled_query = dense(s->query, 0, p->count, p->width),
                   .pooled_out = block(p, s->heads, layer)};
    if (wish.tokens) {
        io.probabilities = dense(s->probabilities, 0, p->count * p->shape->layers.heads, p->tokens);
    }
    TRY(attend(&p->tower->layers, layer, &s->scratch, in, &io, p->error));
    TRY(take_tokens(p, layer, &io));
    TRY(edits_apply_heads(&edits, layer, p->shape->layers.heads, io.out));
    if (wish.heads && !last) {
        TRY(apply_copy(c, every(io.out, p->tokens), block(p, s->heads, layer), p->error));
    }
    hl_matrix x = all_rows(p, s->scratch.x), capture = {0};
    if (wish.mlp) capture = block(p, s->mlps, layer + 1);
    if (last) x = every(x, p->tokens);
    size_t step = last ? 1 : p->tokens;
    if (edits_touch_mlp(&edits, layer)) return finish_edited(p, layer, io.out, x, step, capture);
    return finish_layer(&p->tower->layers, layer, &s->scratch, io.out, x, step, capture, p->error);
}

/* What enters the first layer is a component too. */
static hl_status take_input(const pass *p) {
    image_session *s = p->session;
    const pass_edits edits = edits_of(p);
    hl_matrix x = all_rows(p, s->scratch.x);
    TRY(edits_apply_input(&edits, x));
    if (!p->plan->input) return HL_OK;
    return apply_copy(p->compute, every(x, p->tokens), block(p, s->mlps, 0), p->error);
}

static hl_status run_layers(const pass *p) {
    const hl_host *host = p->tower->host;
    for (size_t layer = 0; layer < p->shape->layers.layers; ++layer) {
        TRY(hl_check_cancelled(host, p->error));
        TRY(run_layer(p, layer));
    }
    return HL_OK;
}

static hl_status finish(const pass *p) {
    image_session *s = p->session;
    const hl_compute *c = p->compute;
    size_t dim = p->shape->embed_dim;
    hl_matrix x = every(all_rows(p, s->scratch.x), p->tokens), none = {0};
    hl_matrix pooled = dense(s->pooled, 0, p->count, p->width),
              statistics = dense(s->statistics, 0, p->count, 2);
    hl_matrix embedding = dense(s->embedding, 0, p->count, dim);
    TRY(apply_norm(c, &p->tower->ln_post, x, pooled, statistics, p->error));
    TRY(apply_linear(c, p->tower->projection, pooled, none, embedding, HL_IDENTITY, p->error));
    float *embeddings = s->host_embedding, *moments = embeddings + p->count * dim;
    TRY(c->api->download(c->backend, embedding, embeddings, p->error));
    TRY(c->api->download(c->backend, statistics, moments, p->error));
    for (size_t i = 0; i < p->count; ++i) {
        TRY(trace_finish(p->traces[i], embeddings + i * dim, moments + 2 * i, p->error));
    }
    return HL_OK;
}

/* Where a trace keeps block `number` of the inputs and MLPs, or of the heads; NULL: not asked for. */
static float *place(hl_trace *trace, bool mlps, size_t number) {
    if (!mlps) return trace->heads[number];
    return number == 0 ? trace->input : trace->mlps[number - 1];
}

/* One download for all layers, so that nothing waits between them. */
static hl_status collect(const pass *p, bool mlps) {
    const hl_compute *c = p->compute;
    size_t blocks = p->shape->layers.layers + (mlps ? 1 : 0);
    bool any = false;
    for (size_t i = 0; i < blocks; ++i) any |= place(p->traces[0], mlps, i) != NULL;
    if (!any) return HL_OK;
    float *rows = p->session->host_rows;
    hl_matrix from = dense(mlps ? p->session->mlps : p->session->heads, 0, blocks * p->count, p->width);
    TRY(c->api->download(c->backend, from, rows, p->error));
    for (size_t i = 0; i < blocks * p->count; ++i) {
        float *to = place(p->traces[i % p->count], mlps, i / p->count);
        if (to) memcpy(to, rows + i * p->width, p->width * sizeof *to);
    }
    return HL_OK;
}

static hl_status run_pass(const pass *p, const float *pixels) {
    for (size_t i = 0; i < p->count; ++i) {
        p->traces[i] = trace_new(p->tower, p->plan);
        if (!p->traces[i]) return hl_no_memory(p->error, "the trace of an image");
    }
    TRY(embed(p, pixels));
    TRY(take_input(p));
    TRY(run_layers(p));
    TRY(finish(p));
    TRY(collect(p, false));
    return collect(p, true);
}

hl_status image_session_encode(image_session *self, const float *pixels, size_t count,
                               const hl_request *request, hl_trace **traces, hl_error *error) {
    const image_tower *tower = self->tower;
    const image_shape *shape = tower->shape;
    if (count == 0) return HL_OK;
    if (count > self->batch) {
        return hl_fail(error, HL_USAGE, "%s: %zu images, the session takes at most %zu", tower->plugin, count,
                       self->batch);
    }
    const pass_subject subject = {tower->plugin, &tower->components, shape->layers.layers,
                                  image_tokens(shape)};
    pass_plan wanted;
    TRY(pass_plan_make(&subject, request, &wanted, error));
    const pass p = {.session = self,
                    .tower = tower,
                    .shape = shape,
                    .compute = tower->compute,
                    .plan = &wanted,
                    .count = count,
                    .tokens = image_tokens(shape),
                    .width = shape->layers.width,
                    .traces = traces,
                    .error = error};
    memset(traces, 0, count * sizeof(hl_trace *));
    hl_status status = run_pass(&p, pixels);
    for (size_t i = 0; status && i < count; ++i) {
        trace_release(traces[i]);
        traces[i] = NULL;
    }
    pass_plan_free(&wanted);
    return status;
}

/* ---- memory ---- */

static hl_status tensor(const image_session *session, size_t rows, size_t cols, hl_tensor **out,
                        hl_error *error) {
    const hl_compute *c = session->tower->compute;
    return c->api->new_tensor(c->backend, rows * cols, out, error);
}

static hl_status numbers(size_t count, float **out, hl_error *error) {
    *out = calloc(count, sizeof **out);
    return *out ? HL_OK : hl_no_memory(error, "a session");
}

hl_status image_session_open(const image_tower *tower, size_t batch, image_session *out, hl_error *error) {
    enum { MAX_BATCH = 1 << 16 };
    *out = (image_session){.tower = tower, .batch = batch};
    if (batch < 1 || batch > MAX_BATCH) {
        return hl_fail(error, HL_USAGE, "%s: a batch of %zu, expected 1 to %d", tower->plugin, batch,
                       MAX_BATCH);
    }
    const image_shape *shape = tower->shape;
    size_t width = shape->layers.width, layers = shape->layers.layers, tokens = image_tokens(shape);
    size_t side = shape->grid * shape->patch;
    TRY(scratch_open(&tower->layers, batch * tokens, &out->scratch, error));
    TRY(tensor(out, batch, 3 * side * side, &out->pixels, error));
    TRY(tensor(out, batch, width, &out->query, error));
    TRY(tensor(out, batch * layers, width, &out->heads, error));
    TRY(tensor(out, batch * (layers + 1), width, &out->mlps, error));
    TRY(tensor(out, batch * shape->layers.heads, tokens, &out->probabilities, error));
    TRY(tensor(out, batch, width, &out->pooled, error));
    TRY(tensor(out, batch, 2, &out->statistics, error));
    TRY(tensor(out, batch, shape->embed_dim, &out->embedding, error));
    TRY(numbers(batch * (layers + 1) * width, &out->host_rows, error));
    TRY(numbers(batch * (shape->embed_dim + 2), &out->host_embedding, error));
    return side == shape->size ? HL_OK : numbers(batch * 3 * side * side, &out->host_crop, error);
}

void image_session_close(image_session *self) {
    const hl_compute *c = self->tower->compute;
    hl_tensor *tensors[] = {self->pixels,        self->query,  self->heads,      self->mlps,
                            self->probabilities, self->pooled, self->statistics, self->embedding};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) c->api->free_tensor(c->backend, tensors[i]);
    scratch_free(c, &self->scratch);
    free(self->host_rows);
    free(self->host_embedding);
    free(self->host_crop);
}
