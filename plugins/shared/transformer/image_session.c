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
    bool captures; /* what the plan asks for, or only what the embedding needs */
    pooling pooled;
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

/* ---- parts by token ---- */

/* Made when first wanted: where many rows are pooled it is large. */
static hl_status open_probabilities(const pass *p) {
    image_session *s = p->session;
    const hl_compute *c = p->compute;
    size_t numbers = p->shape->layers.heads * p->pooled.count * p->tokens;
    if (!s->host_probabilities) s->host_probabilities = malloc(numbers * sizeof(float) + 1);
    if (!s->host_probabilities) return hl_no_memory(p->error, "attention by token");
    return s->probabilities ? HL_OK
                            : c->api->new_tensor(c->backend, s->batch * numbers, &s->probabilities, p->error);
}

/* What the pooled rows of one image pay to each token: out[head] = sum over rows of weight times row, without
 * what edits take from them. */
static void weigh_attention(const pass *p, size_t image, size_t layer, float *out) {
    const float *row = p->session->host_probabilities;
    const pooling *pooled = &p->pooled;
    for (size_t head = 0; head < p->shape->layers.heads; ++head, out += p->tokens) {
        const component_plan *plan = &p->plan->components[head_component(&p->shape->layers, layer, head)];
        memset(out, 0, p->tokens * sizeof *out);
        for (size_t i = 0; i < pooled->count; ++i, row += p->tokens) {
            float weight = (float)pooled_weight(pooled, image, i);
            if (plan->factors) weight *= plan->factors[pooled->first + i];
            for (size_t token = 0; token < p->tokens; ++token) out[token] += weight * row[token];
        }
    }
}

/* What the parts by token are made of, as the layer computed it, before any edit. */
static hl_status take_tokens(const pass *p, size_t layer, const attended *io) {
    const hl_compute *c = p->compute;
    if (!io->probabilities.tensor) return HL_OK;
    size_t rows = p->shape->layers.heads * p->pooled.count;
    for (size_t i = 0; i < p->count; ++i) {
        TRY(c->api->download(c->backend, rows_of(io->probabilities, i * rows, rows),
                             p->session->host_probabilities, p->error));
        weigh_attention(p, i, layer, p->traces[i]->attention[layer]);
        TRY(c->api->download(c->backend, rows_of(io->values, i * p->tokens, p->tokens),
                             p->traces[i]->values[layer], p->error));
    }
    return HL_OK;
}

/* ---- layers ---- */

static pass_edits edits_of(const pass *p) {
    return (pass_edits){p->compute, &p->tower->components, p->plan->request, p->count, p->error};
}

static hl_status finish_edited(const pass *p, size_t layer, hl_matrix heads, hl_matrix x,
                               const mlp_capture *capture) {
    const pass_edits edits = edits_of(p);
    hl_matrix out;
    TRY(run_mlp(&p->tower->layers, layer, &p->session->scratch, heads, x, &out, p->error));
    TRY(edits_apply_mlp(&edits, layer, out));
    if (capture) TRY(pool_rows(p->compute, &capture->how, out, capture->out, p->error));
    return add_rows(p->compute, out, x, p->error);
}

static layer_plan wished(const pass *p, size_t layer) {
    const layer_plan nothing = {false, false, false};
    return p->captures ? p->plan->layers[layer] : nothing;
}

static hl_status run_attention(const pass *p, size_t layer, attended *io) {
    image_session *s = p->session;
    const pass_edits edits = edits_of(p);
    const sequences in = {.count = p->count, .tokens = p->tokens, .mask = HL_MASK_NONE};
    *io = (attended){.pooled_query = dense(s->query, 0, p->count, p->width),
                     .pooled_out = block(p, s->heads, layer),
                     .probes = p->tower->pooled_rows,
                     .probe_count = p->pooled.count};
    if (wished(p, layer).tokens) {
        TRY(open_probabilities(p));
        size_t rows = p->count * p->shape->layers.heads * p->pooled.count;
        io->probabilities = dense(s->probabilities, 0, rows, p->tokens);
    }
    TRY(attend(&p->tower->layers, layer, &s->scratch, in, io, p->error));
    TRY(take_tokens(p, layer, io));
    return edits_apply_heads(&edits, layer, p->shape->layers.heads, io->out);
}

/* What the layer's inner norm saw of its heads, in the row that is pooled. */
static hl_status take_inner(const pass *p, size_t layer, size_t rows) {
    if (!p->session->inner) return HL_OK;
    hl_matrix all = dense(p->session->scratch.inner, 0, rows, 2);
    hl_matrix own = dense(p->session->inner, layer * p->count * 2, p->count, 2);
    return apply_copy(p->compute, every(all, rows / p->count), own, p->error);
}

/* Where one row alone is pooled, the last layer computes nothing else. */
static hl_status run_layer(const pass *p, size_t layer) {
    image_session *s = p->session;
    const pass_edits edits = edits_of(p);
    bool one_row = p->tower->layers.pools_last && layer + 1 == p->shape->layers.layers;
    attended io;
    TRY(run_attention(p, layer, &io));
    if (wished(p, layer).heads && !one_row) {
        TRY(pool_rows(p->compute, &p->pooled, io.out, block(p, s->heads, layer), p->error));
    }
    hl_matrix x = all_rows(p, s->scratch.x);
    if (one_row) x = every(x, p->tokens);
    const mlp_capture capture = {p->pooled, dense(s->hidden, 0, p->count, p->shape->layers.hidden),
                                 block(p, s->mlps, layer + 1)};
    const mlp_capture *wanted = wished(p, layer).mlp ? &capture : NULL;
    if (edits_touch_mlp(&edits, layer)) {
        TRY(finish_edited(p, layer, io.out, x, wanted));
    } else {
        TRY(finish_layer(&p->tower->layers, layer, &s->scratch, io.out, x, wanted, p->error));
    }
    return wished(p, layer).heads ? take_inner(p, layer, io.out.rows) : HL_OK;
}

/* What enters the first layer is a component too. */
static hl_status take_input(const pass *p) {
    image_session *s = p->session;
    const pass_edits edits = edits_of(p);
    hl_matrix x = all_rows(p, s->scratch.x);
    TRY(edits_apply_input(&edits, x));
    if (!p->captures || !p->plan->input) return HL_OK;
    return pool_rows(p->compute, &p->pooled, x, block(p, s->mlps, 0), p->error);
}

static hl_status run_layers(const pass *p) {
    const hl_host *host = p->tower->host;
    for (size_t layer = 0; layer < p->shape->layers.layers; ++layer) {
        TRY(hl_check_cancelled(host, p->error));
        TRY(run_layer(p, layer));
    }
    return HL_OK;
}

static hl_status run_tower(const pass *p, const float *pixels) {
    image_session *s = p->session;
    hl_matrix x = all_rows(p, s->scratch.x);
    TRY(embed_patches(p->tower, &s->patches, pixels, p->count, x, p->error));
    TRY(take_input(p));
    return run_layers(p);
}

/* ---- the embedding ---- */

/* ln_post of each row, then their mean. What follows for the weights: see image_tower.h. The statistics of
 * rows give way to those that the pooled row has. */
static hl_status pool_normed(const pass *p, hl_matrix pooled) {
    image_session *s = p->session;
    const hl_compute *c = p->compute;
    hl_matrix normed = all_rows(p, s->scratch.normed);
    hl_matrix statistics = dense(s->statistics, 0, p->count * p->tokens, 2);
    TRY(apply_norm(c, &p->tower->ln_post, all_rows(p, s->scratch.x), normed, statistics, p->error));
    TRY(pool_rows(c, &p->pooled, normed, pooled, p->error));
    TRY(c->api->download(c->backend, statistics, s->host_statistics, p->error));
    for (size_t i = 0; i < p->count; ++i) {
        const float *rows = s->host_statistics + 2 * (i * p->tokens + p->pooled.first);
        float *weights = s->host_weights + i * p->pooled.count;
        double sum = 0, mean = 0;
        for (size_t k = 0; k < p->pooled.count; ++k) sum += 1 / (double)rows[2 * k + 1];
        for (size_t k = 0; k < p->pooled.count; ++k) {
            double weight = 1 / ((double)rows[2 * k + 1] * sum);
            weights[k] = (float)weight;
            mean += weight * (double)rows[2 * k];
        }
        s->host_statistics[2 * i] = (float)mean;
        s->host_statistics[2 * i + 1] = (float)((double)p->pooled.count / sum);
    }
    return HL_OK;
}

static hl_status norm_pooled(const pass *p, hl_matrix pooled) {
    image_session *s = p->session;
    const hl_compute *c = p->compute;
    hl_matrix statistics = dense(s->statistics, 0, p->count, 2);
    TRY(pool_rows(c, &p->pooled, all_rows(p, s->scratch.x), pooled, p->error));
    TRY(apply_norm(c, &p->tower->ln_post, pooled, pooled, statistics, p->error));
    return c->api->download(c->backend, statistics, s->host_statistics, p->error);
}

static bool weighs_late(const pass *p) {
    return p->shape->pooling == IMAGE_POOL_MEAN_OF_NORMS;
}

static hl_status finish(const pass *p) {
    image_session *s = p->session;
    const hl_compute *c = p->compute;
    size_t dim = p->shape->embed_dim;
    hl_matrix pooled = dense(s->pooled, 0, p->count, p->width), none = {0};
    hl_matrix embedding = dense(s->embedding, 0, p->count, dim);
    TRY(weighs_late(p) ? pool_normed(p, pooled) : norm_pooled(p, pooled));
    TRY(apply_linear(c, p->tower->projection, pooled, none, embedding, HL_IDENTITY, p->error));
    TRY(c->api->download(c->backend, embedding, s->host_embedding, p->error));
    for (size_t i = 0; i < p->count; ++i) {
        TRY(trace_finish(p->traces[i], s->host_embedding + i * dim, s->host_statistics + 2 * i, p->error));
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

static hl_status collect_inner(const pass *p) {
    size_t blocks = p->shape->layers.layers;
    float *rows = p->session->host_rows;
    if (!p->session->inner) return HL_OK;
    TRY(p->compute->api->download(p->compute->backend, dense(p->session->inner, 0, blocks * p->count, 2),
                                  rows, p->error));
    for (size_t i = 0; i < blocks * p->count; ++i) {
        float *to = p->traces[i % p->count]->inner[i / p->count];
        if (to) memcpy(to, rows + 2 * i, 2 * sizeof *to);
    }
    return HL_OK;
}

/* Weights that follow from what ln_post saw are known once the tower has been run, so it is run again for
 * what is captured. */
static hl_status run_again(const pass *p, const float *pixels) {
    pass again = *p;
    again.captures = true;
    again.pooled.weights = p->session->host_weights;
    return run_tower(&again, pixels);
}

static hl_status run_pass(const pass *p, const float *pixels) {
    for (size_t i = 0; i < p->count; ++i) {
        p->traces[i] = trace_new(p->tower, p->plan);
        if (!p->traces[i]) return hl_no_memory(p->error, "the trace of an image");
    }
    TRY(run_tower(p, pixels));
    TRY(finish(p));
    if (weighs_late(p) && pass_plan_captures(p->plan)) TRY(run_again(p, pixels));
    TRY(collect(p, false));
    TRY(collect_inner(p));
    return collect(p, true);
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
    if (batch >= 1 && batch <= MAX_BATCH) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: a batch of %zu, expected 1 to %d", tower->plugin, batch, MAX_BATCH);
}

void image_session_close(image_session *self) {
    const hl_compute *c = self->tower->compute;
    hl_tensor *tensors[] = {self->inner,         self->query,  self->heads,      self->hidden,   self->mlps,
                            self->probabilities, self->pooled, self->statistics, self->embedding};
    float *host[] = {self->host_rows, self->host_embedding, self->host_statistics, self->host_weights,
                     self->host_probabilities};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) c->api->free_tensor(c->backend, tensors[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; ++i) free(host[i]);
    scratch_free(c, &self->scratch);
    patch_room_close(self->tower, &self->patches);
}

/* Once: a session for texts needs none of it. What an attempt that failed half way has left is freed. */
static hl_status open_memory(image_session *self, hl_error *error) {
    const image_tower *tower = self->tower;
    size_t batch = self->batch;
    if (self->opened) return HL_OK;
    image_session_close(self);
    *self = (image_session){.tower = tower, .batch = batch};
    const image_shape *shape = tower->shape;
    const tower_shape *layers = &shape->layers;
    size_t tokens = image_tokens(shape), dim = shape->embed_dim;
    bool by_row = shape->pooling == IMAGE_POOL_MEAN_OF_NORMS;
    size_t normed = by_row ? batch * tokens : batch;
    TRY(scratch_open(&tower->layers, batch * tokens, &self->scratch, error));
    TRY(patch_room_open(tower, batch, &self->patches, error));
    TRY(tensor(self, batch, layers->width, &self->query, error));
    TRY(tensor(self, batch * layers->layers, layers->width, &self->heads, error));
    if (has_inner_norms(layers)) TRY(tensor(self, batch * layers->layers, 2, &self->inner, error));
    TRY(tensor(self, batch, layers->hidden, &self->hidden, error));
    TRY(tensor(self, batch * (layers->layers + 1), layers->width, &self->mlps, error));
    TRY(tensor(self, batch, layers->width, &self->pooled, error));
    TRY(tensor(self, normed, 2, &self->statistics, error));
    TRY(tensor(self, batch, dim, &self->embedding, error));
    TRY(numbers(batch * (layers->layers + 1) * layers->width, &self->host_rows, error));
    TRY(numbers(batch * dim, &self->host_embedding, error));
    TRY(numbers(normed * 2, &self->host_statistics, error));
    if (by_row) TRY(numbers(batch * image_cells(shape), &self->host_weights, error));
    self->opened = true;
    return HL_OK;
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
    TRY(open_memory(self, error));
    const pass_subject subject = {tower->plugin, &tower->components, shape->layers.layers,
                                  image_tokens(shape), image_pooled_rows(shape)};
    pass_plan wanted;
    TRY(pass_plan_make(&subject, request, &wanted, error));
    const pass p = {.session = self,
                    .tower = tower,
                    .shape = shape,
                    .compute = tower->compute,
                    .plan = &wanted,
                    .captures = shape->pooling != IMAGE_POOL_MEAN_OF_NORMS,
                    .pooled = image_pooled_rows(shape),
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
