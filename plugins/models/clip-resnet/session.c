/* A pass of the image tower: pixels -> trunk -> tokens -> pooling -> traces. */
#include "resnet.h"

#include <stdlib.h>

/* Maps of the trunk are large: as many images at once as fit. */
static size_t most_together(const hl_model *model) {
    static const size_t MOST = (size_t)512 << 20; /* bytes */
    return MOST / (TRUNK_BUFFERS * trunk_largest_map(&model->config.trunk) * sizeof(float));
}

hl_status session_open_images(const hl_model *model, size_t batch, hl_session *out, hl_error *error) {
    const hl_compute *c = &model->base.compute;
    const pool_shape *pool = &model->config.pool;
    size_t side = model->config.trunk.image;
    TRY(pooled_rooms_for(&model->image, batch, most_together(model), &out->rooms, error));
    size_t numbers = out->rooms.together * pool->tokens * pool->width;
    TRY(trunk_room_open(&model->trunk, out->rooms.together, &out->room, error));
    TRY(pool_session_open(&model->image.pool, out->rooms.together, &out->pool, error));
    TRY(c->api->new_tensor(c->backend, numbers, &out->tokens, error));
    TRY(c->api->new_tensor(c->backend, 2 * numbers, &out->wide, error));
    out->cells = malloc(numbers * sizeof *out->cells);
    out->rows = malloc(numbers * sizeof *out->rows);
    out->pixels = malloc(3 * side * side * sizeof *out->pixels);
    return out->cells && out->rows && out->pixels ? HL_OK : hl_no_memory(error, "a session");
}

void session_close_images(hl_session *session) {
    const hl_compute *c = &session->base.model->base.compute;
    trunk_room_close(&session->base.model->trunk, &session->room);
    pool_session_close(&session->pool);
    c->api->free_tensor(c->backend, session->tokens);
    c->api->free_tensor(c->backend, session->wide);
    free(session->cells);
    free(session->rows);
    free(session->pixels);
}

/* Planes, one after the other, to cells of three. */
static hl_status upload_pixels(hl_session *s, const float *pixels, size_t count, hl_error *error) {
    const hl_compute *c = &s->base.model->base.compute;
    size_t cells = s->base.model->config.trunk.image * s->base.model->config.trunk.image;
    for (size_t i = 0; i < count; ++i, pixels += 3 * cells) {
        for (size_t cell = 0; cell < cells; ++cell) {
            for (size_t plane = 0; plane < 3; ++plane) {
                s->pixels[3 * cell + plane] = pixels[plane * cells + cell];
            }
        }
        hl_matrix to = dense(s->room.maps[0], i * 3 * cells, cells, 3);
        TRY(c->api->upload(c->backend, s->pixels, to, error));
    }
    return HL_OK;
}

/* cells x channels of one image -> its tokens: the cells' mean, then the cells, each with its position. */
static void make_tokens(const hl_model *model, const float *cells, float *out) {
    size_t channels = model->config.pool.width, count = model->config.pool.tokens - 1;
    for (size_t channel = 0; channel < channels; ++channel) {
        double sum = 0;
        for (size_t cell = 0; cell < count; ++cell) sum += (double)cells[cell * channels + channel];
        out[channel] = (float)(sum / (double)count) + model->positions[channel];
    }
    const float *positions = model->positions + channels;
    for (size_t i = 0; i < count * channels; ++i) out[channels + i] = cells[i] + positions[i];
}

static hl_status upload_tokens(hl_session *s, hl_matrix map, size_t count, hl_matrix tokens,
                               hl_error *error) {
    const hl_compute *c = &s->base.model->base.compute;
    const pool_shape *pool = &s->base.model->config.pool;
    size_t cells = (pool->tokens - 1) * pool->width;
    TRY(c->api->download(c->backend, map, s->cells, error));
    for (size_t i = 0; i < count; ++i) {
        make_tokens(s->base.model, s->cells + i * cells, s->rows + i * pool->tokens * pool->width);
    }
    return c->api->upload(c->backend, s->rows, tokens, error);
}

typedef struct work {
    hl_session *session;
    const float *pixels;
} work;

static hl_status run_pass(void *user, const pass_plan *plan, size_t first, size_t count, hl_trace **traces,
                          hl_error *error) {
    const work *of = user;
    hl_session *s = of->session;
    const hl_model *model = s->base.model;
    const pool_shape *pool = &model->config.pool;
    const pass_edits edits = {&model->base.compute, &model->image.components, plan->request, count, error};
    size_t rows = count * pool->tokens, side = model->config.trunk.image;
    hl_matrix tokens = dense(s->tokens, 0, rows, pool->width), map;
    pool_result result;
    TRY(upload_pixels(s, of->pixels + first * 3 * side * side, count, error));
    TRY(trunk_run(&model->trunk, &s->room, model->base.host, count, &map, error));
    TRY(upload_tokens(s, map, count, tokens, error));
    TRY(pool_session_run(&s->pool, &edits, model->image.layer, tokens,
                         dense(s->wide, 0, rows, 2 * pool->width), &result));
    return pooled_fill_traces(&model->image, plan, &result, count, NULL, traces, error);
}

hl_status session_encode_images(hl_session *session, const float *pixels, size_t count,
                                const hl_request *request, hl_trace **traces, hl_error *error) {
    work of = {session, pixels};
    return pooled_encode(&session->base.model->image, session->rooms, count, request, run_pass, &of, traces,
                         error);
}
