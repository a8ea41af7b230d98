/* The text tower: token ids -> unit-norm embeddings. (Radford et al. 2021, section 2.4.) */
#include "clip_vit.h"

#include <math.h>
#include <string.h>

/* Texts that are computed together. Under the causal mask no row sees what follows, so only the first
 * `length` tokens are computed. */
typedef struct batch {
    hl_session *session;
    const hl_model *model;
    const hl_compute *compute;
    const int32_t *ids;
    size_t count, length, width;
    hl_error *error;
} batch;

/* The largest id is the end token; of several the first counts. */
static size_t end_of(const batch *b, size_t text) {
    const int32_t *ids = b->ids + text * b->model->config.context;
    size_t best = 0;
    for (size_t i = 1; i < b->model->config.context; ++i) {
        if (ids[i] > ids[best]) best = i;
    }
    return best;
}

static hl_status check_ids(const batch *b) {
    size_t total = b->count * b->model->config.context;
    for (size_t i = 0; i < total; ++i) {
        if (b->ids[i] < 0 || (size_t)b->ids[i] >= b->model->config.vocab_size) {
            return hl_fail(b->error, HL_USAGE, "clip-vit: token id %d, expected 0 to %zu", b->ids[i],
                           b->model->config.vocab_size - 1);
        }
    }
    return HL_OK;
}

static hl_status embed(const batch *b) {
    const tensor_spec embedding = outer_tensor(&b->model->config, TOKEN_EMBEDDING);
    float *row = b->session->text_input;
    for (size_t text = 0; text < b->count; ++text) {
        const int32_t *ids = b->ids + text * b->model->config.context;
        const float *position = b->model->text_position;
        for (size_t i = 0; i < b->length; ++i, row += b->width, position += b->width) {
            size_t first = (size_t)ids[i] * b->width;
            TRY(checkpoint_read(&b->model->weights, &embedding, first, b->width, row, b->error));
            for (size_t j = 0; j < b->width; ++j) row[j] += position[j];
        }
    }
    const hl_compute *c = b->compute;
    hl_matrix x = dense(b->session->text.x, 0, b->count * b->length, b->width);
    return c->api->upload(c->backend, b->session->text_input, x, b->error);
}

/* Copies the rows of the end tokens to a matrix of their own. */
static hl_status gather(const batch *b, hl_matrix from, hl_matrix to) {
    const hl_compute *c = b->compute;
    for (size_t text = 0; text < b->count; ++text) {
        size_t row = text * b->length + end_of(b, text);
        hl_matrix source = dense(from.tensor, from.offset + row * from.stride, 1, b->width);
        hl_matrix target = dense(to.tensor, to.offset + text * b->width, 1, b->width);
        TRY(apply_copy(c, source, target, b->error));
    }
    return HL_OK;
}

/* The last layer ends on the rows of the end tokens alone. */
static hl_status run_layers(const batch *b, hl_matrix ends) {
    const hl_model *model = b->model;
    const scratch *s = &b->session->text;
    const sequences in = {b->count, b->length, HL_MASK_CAUSAL};
    const hl_matrix none = {0};
    hl_matrix x = dense(s->x, 0, b->count * b->length, b->width);
    for (size_t layer = 0; layer < model->config.text.layers; ++layer) {
        if (model->host->cancelled(model->host)) return hl_fail(b->error, HL_FAILED, "cancelled");
        attended io = {.probabilities = none};
        TRY(attend(&model->text, layer, s, in, &io, b->error));
        hl_matrix rows = x, heads = io.out;
        if (layer + 1 == model->config.text.layers) {
            rows = ends;
            heads = dense(b->session->text_heads, 0, b->count, b->width);
            TRY(gather(b, x, rows));
            TRY(gather(b, io.out, heads));
        }
        TRY(finish_layer(&model->text, layer, s, heads, rows, 1, none, b->error));
    }
    return HL_OK;
}

static hl_status normalise(const batch *b, float *out) {
    size_t dim = b->model->config.embed_dim;
    for (size_t text = 0; text < b->count; ++text, out += dim) {
        double square = 0;
        for (size_t i = 0; i < dim; ++i) square += (double)out[i] * (double)out[i];
        double length = sqrt(square);
        if (!(length > 0 && isfinite(length))) {
            return hl_fail(b->error, HL_FAILED, "%s: the embedding of a text is %s: the weights are damaged",
                           b->model->name, square == 0 ? "zero" : "not finite");
        }
        for (size_t i = 0; i < dim; ++i) out[i] = (float)((double)out[i] / length);
    }
    return HL_OK;
}

static hl_status run(const batch *b, float *out) {
    const hl_compute *c = b->compute;
    hl_session *s = b->session;
    hl_matrix ends = dense(s->text_rows, 0, b->count, b->width), none = {0};
    hl_matrix pooled = dense(s->text.normed, 0, b->count, b->width);
    hl_matrix embedding = dense(s->text_embedding, 0, b->count, b->model->config.embed_dim);
    TRY(embed(b));
    TRY(run_layers(b, ends));
    TRY(apply_norm(c, &b->model->ln_final, ends, pooled, none, b->error));
    TRY(apply_linear(c, b->model->text_projection, pooled, none, embedding, HL_IDENTITY, b->error));
    TRY(c->api->download(c->backend, embedding, out, b->error));
    return normalise(b, out);
}

/* Tokens that are computed for a text: those up to its end, in steps. It depends on no other text, and so do
 * the shapes of all products, and the last bit of what comes of them. */
static size_t length_of(const batch *b, size_t text) {
    enum { STEP = 8 };
    size_t length = (end_of(b, text) / STEP + 1) * STEP, most = b->model->config.context;
    return length < most ? length : most;
}

/* Computes those of `all` that are `length` tokens long. ids and embeddings are room for all. */
static hl_status run_length(const batch *all, size_t length, int32_t *ids, float *embeddings, float *out) {
    size_t context = all->model->config.context, dim = all->model->config.embed_dim;
    batch some = *all;
    some.ids = ids;
    some.count = 0;
    some.length = length;
    for (size_t text = 0; text < all->count; ++text) {
        if (length_of(all, text) != length) continue;
        memcpy(ids + some.count++ * context, all->ids + text * context, context * sizeof *ids);
    }
    if (some.count == 0) return HL_OK;
    TRY(run(&some, embeddings));
    for (size_t text = 0, next = 0; text < all->count; ++text) {
        if (length_of(all, text) != length) continue;
        memcpy(out + text * dim, embeddings + next++ * dim, dim * sizeof *out);
    }
    return HL_OK;
}

static hl_status run_every_length(const batch *all, int32_t *ids, float *embeddings, float *out) {
    for (size_t length = 1; length <= all->model->config.context; ++length) {
        TRY(run_length(all, length, ids, embeddings, out));
    }
    return HL_OK;
}

hl_status encode_texts(hl_session *session, const int32_t *ids, size_t count, float *out, hl_error *error) {
    const hl_model *model = session->model;
    const hl_host *host = model->host;
    if (count == 0) return HL_OK;
    if (count > session->batch) {
        return hl_fail(error, HL_USAGE, "clip-vit: %zu texts, the session takes at most %zu", count,
                       session->batch);
    }
    batch all = {session, model, &model->compute, ids, count, 0, model->config.text.width, error};
    TRY(check_ids(&all));
    TRY(open_text_scratch(session, error));
    int32_t *some_ids = host->allocate(host, count * model->config.context, sizeof *some_ids);
    float *embeddings = host->allocate(host, count * model->config.embed_dim, sizeof *embeddings);
    hl_status status = some_ids && embeddings ? run_every_length(&all, some_ids, embeddings, out)
                                              : hl_no_memory(error, "a batch of texts");
    host->release(host, some_ids);
    host->release(host, embeddings);
    return status;
}
