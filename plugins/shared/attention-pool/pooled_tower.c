/* See pooled_tower.h. */
#include "pooled_tower.h"

#include "transformer/places.h"
#include <stdlib.h>

hl_status pooled_tower_describe(pooled_tower *self, bool by_layers, hl_error *error) {
    image_tower *trunk = &self->trunk;
    self->top.host = trunk->host;
    self->top.plugin = trunk->plugin;
    self->top.model = trunk->model;
    self->top.layer = trunk->shape->layers.layers;
    self->top.by_layers = by_layers;
    self->top.path.layers = &trunk->shape->layers;
    TRY(places_find(trunk, error));
    return pooled_describe(&self->top, error);
}

hl_status pooled_tower_load(pooled_tower *self, loader *from) {
    const image_shape *shape = self->trunk.shape;
    TRY(image_tower_load(&self->trunk, from));
    return pooled_load(&self->top, from, image_tensor(shape, LN_POST_GAIN),
                       image_tensor(shape, LN_POST_SHIFT));
}

void pooled_tower_free(pooled_tower *self) {
    image_tower_free(&self->trunk);
    pooled_free(&self->top);
}

hl_status pooled_tower_value_gram(const pooled_tower *self, uint32_t component, double *out,
                                  hl_error *error) {
    const tensor_spec gain = image_tensor(self->trunk.shape, LN_POST_GAIN);
    float *gains = NULL;
    TRY(checkpoint_take(self->trunk.weights, &gain, &gains, error));
    hl_status status = pooled_value_gram(&self->top, component, gains, out, error);
    free(gains);
    return status;
}

/* ---- memory ---- */

/* The rows of all layers are kept on the host until the pooling is known: as many images at once as fit. */
static size_t most_together(const pooled_tower *tower) {
    static const size_t MOST = (size_t)256 << 20; /* bytes */
    const image_shape *shape = tower->trunk.shape;
    size_t rows = (2 * shape->layers.layers + 1) * image_tokens(shape);
    return tower->top.by_layers ? MOST / (rows * shape->layers.width * sizeof(float)) : SIZE_MAX;
}

static hl_status open_rows(pooled_tower_session *s, hl_error *error) {
    const image_shape *shape = s->tower->trunk.shape;
    size_t layers = shape->layers.layers, rows = s->rooms.together * image_tokens(shape);
    s->host_statistics = calloc(rows * 2, sizeof *s->host_statistics);
    s->kept = calloc((2 * layers + 1) * rows, shape->layers.width * sizeof *s->kept);
    s->places = calloc(s->rooms.together * 2 * layers, sizeof *s->places);
    s->rows = calloc(s->rooms.together, sizeof *s->rows);
    bool complete = s->host_statistics && s->kept && s->places && s->rows;
    return complete ? HL_OK : hl_no_memory(error, "the rows of all layers");
}

hl_status pooled_tower_session_open(const pooled_tower *tower, size_t batch, pooled_tower_session *out,
                                    hl_error *error) {
    const hl_compute *c = tower->trunk.compute;
    *out = (pooled_tower_session){.tower = tower};
    TRY(pooled_rooms_for(&tower->top, batch, most_together(tower), &out->rooms, error));
    size_t rows = out->rooms.together * image_tokens(tower->trunk.shape);
    TRY(scratch_open(&tower->trunk.layers, rows, &out->scratch, error));
    TRY(patch_room_open(&tower->trunk, out->rooms.together, &out->patches, error));
    TRY(pool_session_open(&tower->top.pool, out->rooms.together, &out->pool, error));
    if (!tower->top.by_layers) return HL_OK;
    TRY(c->api->new_tensor(c->backend, rows * 2, &out->statistics, error));
    return open_rows(out, error);
}

void pooled_tower_session_close(pooled_tower_session *self) {
    const hl_compute *c = self->tower->trunk.compute;
    scratch_free(c, &self->scratch);
    patch_room_close(&self->tower->trunk, &self->patches);
    pool_session_close(&self->pool);
    c->api->free_tensor(c->backend, self->statistics);
    free(self->host_statistics);
    free(self->kept);
    free(self->places);
    free(self->rows);
}

/* ---- a pass ---- */

typedef struct pass {
    pooled_tower_session *session;
    const pooled_tower *tower;
    const hl_compute *compute;
    const pass_plan *plan;
    pass_edits edits;
    size_t count, tokens, width, layers;
    hl_trace **traces;
    hl_error *error;
} pass;

static hl_matrix all_rows(const pass *p, hl_tensor *tensor) {
    return dense(tensor, 0, p->count * p->tokens, p->width);
}

/* Block `number` of the rows that are kept: heads and MLPs of a layer, layer by layer, then the input. */
static float *kept(const pass *p, size_t number) {
    return p->session->kept + number * p->session->rooms.together * p->tokens * p->width;
}

static hl_status keep(const pass *p, hl_matrix rows, size_t number) {
    return p->compute->api->download(p->compute->backend, rows, kept(p, number), p->error);
}

/* MLPs that are looked at, or edited, are added apart. */
static hl_status finish_apart(const pass *p, size_t layer, hl_matrix heads, hl_matrix x) {
    hl_matrix out;
    TRY(run_mlp(&p->tower->trunk.layers, layer, &p->session->scratch, heads, x, &out, p->error));
    TRY(edits_apply_mlp(&p->edits, layer, out));
    if (p->plan->layers[layer].mlp) TRY(keep(p, out, 2 * layer + 1));
    return add_rows(p->compute, out, x, p->error);
}

static hl_status run_layer(const pass *p, size_t layer) {
    const layer_stack *layers = &p->tower->trunk.layers;
    const scratch *s = &p->session->scratch;
    const layer_plan wish = p->plan->layers[layer];
    const sequences in = {.count = p->count, .tokens = p->tokens, .mask = HL_MASK_NONE};
    hl_matrix x = all_rows(p, s->x);
    attended io = {.probe_count = 0};
    TRY(attend(layers, layer, s, in, &io, p->error));
    TRY(edits_apply_heads(&p->edits, layer, layers->shape->heads, io.out));
    if (wish.heads) TRY(keep(p, io.out, 2 * layer));
    if (wish.mlp || edits_touch_mlp(&p->edits, layer)) return finish_apart(p, layer, io.out, x);
    return finish_layer(layers, layer, s, io.out, x, NULL, p->error);
}

static hl_status run_trunk(const pass *p, const float *pixels) {
    hl_matrix x = all_rows(p, p->session->scratch.x);
    TRY(embed_patches(&p->tower->trunk, &p->session->patches, pixels, p->count, x, p->error));
    TRY(edits_apply_input(&p->edits, x));
    if (p->plan->input) TRY(keep(p, x, 2 * p->layers));
    for (size_t layer = 0; layer < p->layers; ++layer) {
        TRY(hl_check_cancelled(p->tower->trunk.host, p->error));
        TRY(run_layer(p, layer));
    }
    return HL_OK;
}

/* Where the rows of each image lie. */
static void point_at_rows(const pass *p) {
    pooled_tower_session *s = p->session;
    for (size_t i = 0; i < p->count; ++i) {
        size_t first = i * p->tokens * p->width;
        const float **heads = s->places + i * 2 * p->layers, **mlps = heads + p->layers;
        for (size_t layer = 0; layer < p->layers; ++layer) {
            heads[layer] = kept(p, 2 * layer) + first;
            mlps[layer] = kept(p, 2 * layer + 1) + first;
        }
        s->rows[i] = (pooled_rows){kept(p, 2 * p->layers) + first, heads, mlps,
                                   s->host_statistics + i * p->tokens * 2};
    }
}

static hl_status run_pass(const pass *p, const float *pixels) {
    pooled_tower_session *s = p->session;
    const hl_compute *c = p->compute;
    size_t rows = p->count * p->tokens;
    hl_matrix normed = all_rows(p, s->scratch.normed), room = dense(s->scratch.wide, 0, rows, 2 * p->width);
    hl_matrix statistics = {0};
    pool_result result;
    if (s->statistics) statistics = dense(s->statistics, 0, rows, 2);
    TRY(run_trunk(p, pixels));
    TRY(apply_norm(c, &p->tower->trunk.ln_post, all_rows(p, s->scratch.x), normed, statistics, p->error));
    TRY(pool_session_run(&s->pool, &p->edits, p->layers, normed, room, &result));
    if (s->statistics) {
        TRY(c->api->download(c->backend, statistics, s->host_statistics, p->error));
        point_at_rows(p);
    }
    return pooled_fill_traces(&p->tower->top, p->plan, &result, p->count, s->rows, p->traces, p->error);
}

typedef struct work {
    pooled_tower_session *session;
    const float *pixels;
} work;

static hl_status run_images(void *user, const pass_plan *plan, size_t first, size_t count, hl_trace **traces,
                            hl_error *error) {
    const work *of = user;
    const pooled_tower *tower = of->session->tower;
    const image_shape *shape = tower->trunk.shape;
    const hl_compute *c = tower->trunk.compute;
    const pass p = {.session = of->session,
                    .tower = tower,
                    .compute = c,
                    .plan = plan,
                    .edits = {c, &tower->top.components, plan->request, count, error},
                    .count = count,
                    .tokens = image_tokens(shape),
                    .width = shape->layers.width,
                    .layers = shape->layers.layers,
                    .traces = traces,
                    .error = error};
    return run_pass(&p, of->pixels + first * 3 * shape->image_height * shape->image_width);
}

hl_status pooled_tower_encode(pooled_tower_session *self, const float *pixels, size_t count,
                              const hl_request *request, hl_trace **traces, hl_error *error) {
    work of = {self, pixels};
    return pooled_encode(&self->tower->top, self->rooms, count, request, run_images, &of, traces, error);
}
