/* The image tower: pixels -> embedding, and on the way what the plan asks for. (Radford et al. 2021, section
 * 2.4; Dosovitskiy et al. 2021, section 3.1.) */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

/* One pass: `count` images of `tokens` rows each. */
typedef struct pass {
    hl_session *session;
    const hl_model *model;
    const hl_compute *compute;
    const plan *plan;
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
    return layer + 1 == p->model->config.image.layers;
}

/* A convolution passes over the margin at the right and at the bottom that no whole patch covers. */
static const float *crop(const pass *p, const float *pixels, size_t side) {
    size_t whole = p->model->config.image_size;
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
    const hl_model *model = p->model;
    const hl_compute *c = p->compute;
    hl_session *s = p->session;
    size_t side = model->config.grid * model->config.patch;
    hl_matrix x = all_rows(p, s->image.x), none = {0};
    TRY(c->api->upload(c->backend, crop(p, pixels, side), dense(s->pixels, 0, p->count * 3 * side, side),
                       p->error));
    const hl_patch_embedding operation = {.size = sizeof operation,
                                          .pixels = dense(s->pixels, 0, p->count, 3 * side * side),
                                          .batch = p->count,
                                          .channels = 3,
                                          .height = side,
                                          .width = side,
                                          .patch = model->config.patch,
                                          .weight = model->patch,
                                          .prefix = dense(model->class_embedding, 0, 1, p->width),
                                          .position = dense(model->image_position, 0, p->tokens, p->width),
                                          .out = x};
    TRY(c->api->patch_embedding(c->backend, &operation, p->error));
    TRY(apply_norm(c, &model->ln_pre, x, x, none, p->error));
    if (!p->plan->input) return HL_OK;
    return apply_copy(c, every(x, p->tokens), block(p, s->mlps, 0), p->error);
}

/* What the parts by token are made of, as the layer computed it, before any edit. */
static hl_status take_tokens(const pass *p, size_t layer, const attended *io) {
    const hl_compute *c = p->compute;
    size_t heads = p->model->config.image.heads;
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

static bool touches(const hl_edit *edit, size_t query_row) {
    bool found = !edit->tokens;
    for (size_t i = 0; !found && i < edit->token_count; ++i) found = edit->tokens[i] == query_row;
    return found;
}

static void edit_row(const hl_edit *edit, size_t width, float *row) {
    for (size_t i = 0; i < width; ++i) {
        row[i] = edit->action == HL_EDIT_SCALE ? row[i] * edit->factor : edit->values[i];
    }
}

/* `heads`: one row for each query row; the last layer has only the pooled one of each image. */
static hl_status apply_edit(const pass *p, const hl_edit *edit, hl_matrix heads) {
    const hl_compute *c = p->compute;
    const hl_component *component = &p->model->components[edit->component];
    hl_matrix own = columns(heads, (size_t)component->index * component->width, component->width);
    float *rows = malloc(own.rows * own.cols * sizeof *rows);
    if (!rows) return hl_no_memory(p->error, "an edit");
    hl_status status = c->api->download(c->backend, own, rows, p->error);
    for (size_t i = 0; i < own.rows; ++i) {
        if (touches(edit, i % (own.rows / p->count))) edit_row(edit, own.cols, rows + i * own.cols);
    }
    if (status == HL_OK) status = c->api->upload(c->backend, rows, own, p->error);
    free(rows);
    return status;
}

static hl_status apply_edits(const pass *p, size_t layer, hl_matrix heads) {
    const hl_request *request = p->plan->request;
    for (size_t i = 0; request && i < request->edit_count; ++i) {
        const hl_edit *edit = request->edits[i];
        if (p->model->components[edit->component].layer == (int32_t)layer) TRY(apply_edit(p, edit, heads));
    }
    return HL_OK;
}

/* Only pooled rows are wanted, so the last layer computes nothing else. */
static hl_status run_layer(const pass *p, size_t layer) {
    hl_session *s = p->session;
    const hl_compute *c = p->compute;
    const layer_plan wish = p->plan->layers[layer];
    const sequences in = {p->count, p->tokens, HL_MASK_NONE};
    bool last = is_last(p, layer);
    attended io = {.pooled_query = dense(s->query, 0, p->count, p->width),
                   .pooled_out = block(p, s->heads, layer)};
    if (wish.tokens) {
        io.probabilities = dense(s->probabilities, 0, p->count * p->model->config.image.heads, p->tokens);
    }
    TRY(attend(&p->model->image, layer, &s->image, in, &io, p->error));
    TRY(take_tokens(p, layer, &io));
    TRY(apply_edits(p, layer, io.out));
    if (wish.heads && !last) {
        TRY(apply_copy(c, every(io.out, p->tokens), block(p, s->heads, layer), p->error));
    }
    hl_matrix x = all_rows(p, s->image.x), capture = {0};
    if (wish.mlp) capture = block(p, s->mlps, layer + 1);
    return finish_layer(&p->model->image, layer, &s->image, io.out, last ? every(x, p->tokens) : x,
                        last ? 1 : p->tokens, capture, p->error);
}

static hl_status run_layers(const pass *p) {
    const hl_host *host = p->model->host;
    for (size_t layer = 0; layer < p->model->config.image.layers; ++layer) {
        if (host->cancelled(host)) return hl_fail(p->error, HL_FAILED, "cancelled");
        TRY(run_layer(p, layer));
    }
    return HL_OK;
}

static hl_status finish(const pass *p) {
    hl_session *s = p->session;
    const hl_compute *c = p->compute;
    size_t dim = p->model->config.embed_dim;
    hl_matrix x = every(all_rows(p, s->image.x), p->tokens), none = {0};
    hl_matrix pooled = dense(s->pooled, 0, p->count, p->width),
              statistics = dense(s->statistics, 0, p->count, 2);
    hl_matrix embedding = dense(s->embedding, 0, p->count, dim);
    TRY(apply_norm(c, &p->model->ln_post, x, pooled, statistics, p->error));
    TRY(apply_linear(c, p->model->image_projection, pooled, none, embedding, HL_IDENTITY, p->error));
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
    size_t blocks = p->model->config.image.layers + (mlps ? 1 : 0);
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
        p->traces[i] = trace_new(p->model, p->plan);
        if (!p->traces[i]) return hl_no_memory(p->error, "the trace of an image");
    }
    TRY(embed(p, pixels));
    TRY(run_layers(p));
    TRY(finish(p));
    TRY(collect(p, false));
    return collect(p, true);
}

hl_status encode_images(hl_session *session, const float *pixels, size_t count, const hl_request *request,
                        hl_trace **traces, hl_error *error) {
    const hl_model *model = session->model;
    if (count == 0) return HL_OK;
    if (count > session->batch) {
        return hl_fail(error, HL_USAGE, "clip-vit: %zu images, the session takes at most %zu", count,
                       session->batch);
    }
    plan wanted;
    TRY(plan_make(model, request, &wanted, error));
    const pass p = {session,
                    model,
                    &model->compute,
                    &wanted,
                    count,
                    config_tokens(&model->config),
                    model->config.image.width,
                    traces,
                    error};
    memset(traces, 0, count * sizeof(hl_trace *));
    hl_status status = run_pass(&p, pixels);
    for (size_t i = 0; status && i < count; ++i) {
        trace_release(traces[i]);
        traces[i] = NULL;
    }
    plan_free(&wanted);
    return status;
}
