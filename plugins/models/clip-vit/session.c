/* Scratch memory of one thread, allocated once for the largest batch. */
#include "clip_vit.h"

#include <stdlib.h>

enum { MAX_BATCH = 1 << 16 };

static hl_status tensor(const hl_session *session, size_t rows, size_t cols, hl_tensor **out,
                        hl_error *error) {
    const hl_compute *c = &session->model->compute;
    return c->api->new_tensor(c->backend, rows * cols, out, error);
}

static hl_status numbers(size_t count, float **out, hl_error *error) {
    *out = calloc(count, sizeof **out);
    return *out ? HL_OK : hl_no_memory(error, "a session");
}

static hl_status open_image_scratch(hl_session *s, hl_error *error) {
    const clip_config *config = &s->model->config;
    size_t batch = s->batch, width = config->image.width, layers = config->image.layers;
    size_t tokens = config_tokens(config), side = config->grid * config->patch;
    TRY(scratch_open(&s->model->image, batch * tokens, &s->image, error));
    TRY(tensor(s, batch, 3 * side * side, &s->pixels, error));
    TRY(tensor(s, batch, width, &s->query, error));
    TRY(tensor(s, batch * layers, width, &s->heads, error));
    TRY(tensor(s, batch * (layers + 1), width, &s->mlps, error));
    TRY(tensor(s, batch * config->image.heads, tokens, &s->probabilities, error));
    TRY(tensor(s, batch, width, &s->pooled, error));
    TRY(tensor(s, batch, 2, &s->statistics, error));
    TRY(tensor(s, batch, config->embed_dim, &s->embedding, error));
    TRY(numbers(batch * (layers + 1) * width, &s->host_rows, error));
    TRY(numbers(batch * (config->embed_dim + 2), &s->host_embedding, error));
    if (side == config->image_size) return HL_OK;
    return numbers(batch * 3 * side * side, &s->host_crop, error);
}

hl_status open_text_scratch(hl_session *s, hl_error *error) {
    if (s->text_input) return HL_OK;
    const clip_config *config = &s->model->config;
    size_t batch = s->batch, width = config->text.width, rows = batch * config->context;
    scratch_free(&s->model->compute, &s->text); /* of an attempt that failed half way */
    s->text = (scratch){0};
    TRY(scratch_open(&s->model->text, rows, &s->text, error));
    if (!s->text_heads) TRY(tensor(s, batch, width, &s->text_heads, error));
    if (!s->text_rows) TRY(tensor(s, batch, width, &s->text_rows, error));
    if (!s->text_embedding) TRY(tensor(s, batch, config->embed_dim, &s->text_embedding, error));
    return numbers(rows * width, &s->text_input, error);
}

hl_status open_session(const hl_model *model, size_t batch, hl_session **session, hl_error *error) {
    if (batch < 1 || batch > MAX_BATCH) {
        return hl_fail(error, HL_USAGE, "clip-vit: a batch of %zu, expected 1 to %d", batch, MAX_BATCH);
    }
    hl_session *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a session");
    out->model = model;
    out->batch = batch;
    hl_status status = open_image_scratch(out, error);
    if (status == HL_OK) {
        *session = out;
    } else {
        close_session(out);
    }
    return status;
}

void close_session(hl_session *s) {
    if (!s) return;
    const hl_compute *c = &s->model->compute;
    hl_tensor *tensors[] = {s->pixels,        s->query,     s->heads,         s->mlps,
                            s->probabilities, s->pooled,    s->statistics,    s->embedding,
                            s->text_heads,    s->text_rows, s->text_embedding};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) c->api->free_tensor(c->backend, tensors[i]);
    scratch_free(c, &s->image);
    scratch_free(c, &s->text);
    free(s->host_rows);
    free(s->host_embedding);
    free(s->host_crop);
    free(s->text_input);
    free(s);
}
