/* See text_tower.h. */
#include "text_tower.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

tensor_spec text_tensor(const text_shape *shape, text_slot slot) {
    size_t width = shape->layers.width;
    const tensor_spec specs[TEXT_SLOTS] = {
        [TOKEN_EMBEDDING] = {"", 2, {shape->vocab_size, width}, 0, 0.5F, false},
        [TEXT_POSITION] = {"", 2, {shape->context, width}, 0, 0.3F, false},
        [LN_FINAL_GAIN] = {"", 1, {width}, 1, 0.25F, false},
        [LN_FINAL_SHIFT] = {"", 1, {width}, 0, 0.1F, false},
        [TEXT_PROJECTION] = {"", 2, {width, shape->embed_dim}, 0, 1 / sqrtf((float)width), false},
        [TEXT_PROJECTION_BIAS] = {"", 1, {shape->embed_dim}, 0, 0.05F, false},
    };
    return tensor_named(specs[slot], shape->names[slot]);
}

size_t text_tensors(const text_shape *shape, tensor_spec *out) {
    size_t count = 0;
    for (int slot = 0; slot < TEXT_SLOTS; ++slot) {
        tensor_spec spec = text_tensor(shape, (text_slot)slot);
        if (spec.rank) out[count++] = spec;
    }
    return count;
}

hl_status text_tower_load(text_tower *self, loader *from) {
    const text_shape *shape = self->shape;
#define SPEC(SLOT) text_tensor(shape, SLOT)
    tensor_spec position = SPEC(TEXT_POSITION);
    self->compute = from->compute;
    self->layers = (layer_stack){.shape = &shape->layers, .compute = from->compute};
    TRY(checkpoint_take(from->weights, &position, &self->position, from->error));
    TRY(layer_stack_load(from, &self->layers));
    TRY(load_norm(from, SPEC(LN_FINAL_GAIN), SPEC(LN_FINAL_SHIFT), shape->layers.epsilon, &self->ln_final));
    if (!SPEC(TEXT_PROJECTION).rank) return HL_OK;
    return load_projection(from, SPEC(TEXT_PROJECTION), SPEC(TEXT_PROJECTION_BIAS), &self->projection);
#undef SPEC
}

void text_tower_free(text_tower *self) {
    free(self->position);
    const hl_compute *c = self->compute;
    if (!c) return;
    layer_stack_free(&self->layers);
    c->api->free_weight(c->backend, self->projection);
    free_norm(c, &self->ln_final);
}

/* ---- memory ---- */

static hl_status tensor(const text_session *session, size_t count, hl_tensor **out, hl_error *error) {
    const hl_compute *c = session->tower->compute;
    return *out ? HL_OK : c->api->new_tensor(c->backend, count, out, error);
}

/* Tokens of one pass: enough to make little of reading the weights, and room for any one text. */
static size_t most_rows(const text_session *self) {
    enum { ENOUGH = 2048 };
    size_t context = self->tower->shape->context, all = self->batch * context;
    size_t most = context > ENOUGH ? context : ENOUGH;
    return all < most ? all : most;
}

/* Once; what an attempt that failed half way has left is used. */
static hl_status open_memory(text_session *self, hl_error *error) {
    const text_shape *shape = self->tower->shape;
    size_t batch = self->batch, width = shape->layers.width, rows = most_rows(self);
    if (self->input) return HL_OK;
    scratch_free(self->tower->compute, &self->scratch);
    self->scratch = (scratch){0};
    TRY(scratch_open(&self->tower->layers, rows, &self->scratch, error));
    TRY(tensor(self, batch * width, &self->heads, error));
    TRY(tensor(self, batch * width, &self->rows, error));
    TRY(tensor(self, batch * shape->embed_dim, &self->embedding, error));
    self->input = calloc(rows * width, sizeof *self->input);
    return self->input ? HL_OK : hl_no_memory(error, "a session");
}

void text_session_close(text_session *self) {
    const hl_compute *c = self->tower->compute;
    hl_tensor *tensors[] = {self->heads, self->rows, self->embedding};
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; ++i) c->api->free_tensor(c->backend, tensors[i]);
    scratch_free(c, &self->scratch);
    free(self->input);
}

/* ---- texts ---- */

/* A text, and how much of it is computed: under the causal mask no row sees what follows, so nothing behind
 * the pooled token is. What is computed depends on no other text. */
typedef struct own_text {
    size_t number; /* among those of the call */
    const int32_t *ids;
    size_t length, pooled;
} own_text;

/* Texts that are computed together, the short ones first, so that those of one length are neighbours. */
typedef struct batch {
    text_session *session;
    const text_tower *tower;
    const text_shape *shape;
    const hl_compute *compute;
    const own_text *texts;
    const size_t *lengths; /* theirs */
    size_t count, rows, width;
    hl_error *error;
} batch;

size_t text_pooled_at_largest(const text_shape *shape, const int32_t *ids) {
    size_t best = 0;
    for (size_t i = 1; i < shape->context; ++i) {
        if (ids[i] > ids[best]) best = i;
    }
    return best;
}

size_t text_pooled_at_end(const text_shape *shape, const int32_t *ids) {
    for (size_t i = 0; i < shape->context; ++i) {
        if (ids[i] == shape->end_id) return i;
    }
    return 0;
}

size_t text_pooled_at_last(const text_shape *shape, const int32_t *ids) {
    (void)ids;
    return shape->context - 1;
}

static hl_status embed(const batch *b) {
    const tensor_spec embedding = text_tensor(b->shape, TOKEN_EMBEDDING);
    float *row = b->session->input;
    for (size_t text = 0; text < b->count; ++text) {
        const int32_t *ids = b->texts[text].ids;
        const float *position = b->tower->position;
        for (size_t i = 0; i < b->lengths[text]; ++i, row += b->width, position += b->width) {
            size_t first = (size_t)ids[i] * b->width;
            TRY(checkpoint_read(b->tower->weights, &embedding, first, b->width, row, b->error));
            for (size_t j = 0; j < b->width; ++j) row[j] += position[j];
        }
    }
    const hl_compute *c = b->compute;
    return c->api->upload(c->backend, b->session->input, dense(b->session->scratch.x, 0, b->rows, b->width),
                          b->error);
}

/* Copies the rows of the pooled tokens to a matrix of their own. */
static hl_status gather(const batch *b, hl_matrix from, hl_matrix to) {
    const hl_compute *c = b->compute;
    for (size_t text = 0, first = 0; text < b->count; first += b->lengths[text++]) {
        size_t row = first + b->texts[text].pooled;
        hl_matrix source = dense(from.tensor, from.offset + row * from.stride, 1, b->width);
        hl_matrix target = dense(to.tensor, to.offset + text * b->width, 1, b->width);
        TRY(apply_copy(c, source, target, b->error));
    }
    return HL_OK;
}

/* The last layer ends on the rows of the pooled tokens alone. */
static hl_status run_layers(const batch *b, hl_matrix ends) {
    const layer_stack *layers = &b->tower->layers;
    const hl_host *host = b->tower->host;
    const scratch *s = &b->session->scratch;
    const sequences in = {.count = b->count, .mask = b->shape->mask, .lengths = b->lengths};
    const hl_matrix none = {0};
    hl_matrix x = dense(s->x, 0, b->rows, b->width);
    for (size_t layer = 0; layer < b->shape->layers.layers; ++layer) {
        TRY(hl_check_cancelled(host, b->error));
        attended io = {.probabilities = none};
        TRY(attend(layers, layer, s, in, &io, b->error));
        hl_matrix rows = x, heads = io.out;
        if (layer + 1 == b->shape->layers.layers) {
            rows = ends;
            heads = dense(b->session->heads, 0, b->count, b->width);
            TRY(gather(b, x, rows));
            TRY(gather(b, io.out, heads));
        }
        TRY(finish_layer(layers, layer, s, heads, rows, NULL, b->error));
    }
    return HL_OK;
}

static hl_status normalise(const batch *b, const float *from, float *out) {
    size_t dim = b->shape->embed_dim;
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += (double)from[i] * (double)from[i];
    double length = sqrt(square);
    if (!(length > 0 && isfinite(length))) {
        return hl_fail(b->error, HL_FAILED, "%s: the embedding of a text is %s: the weights are damaged",
                       b->tower->model, square == 0 ? "zero" : "not finite");
    }
    for (size_t i = 0; i < dim; ++i) out[i] = (float)((double)from[i] / length);
    return HL_OK;
}

/* `found`: room for the embeddings of the batch; out: those of all texts of the call. */
static hl_status run_tower(const batch *b, float *found, float *out) {
    const hl_compute *c = b->compute;
    text_session *s = b->session;
    size_t dim = b->shape->embed_dim;
    hl_matrix ends = dense(s->rows, 0, b->count, b->width), none = {0};
    hl_matrix pooled = dense(s->scratch.normed, 0, b->count, b->width);
    hl_matrix embedding = dense(s->embedding, 0, b->count, dim);
    TRY(embed(b));
    TRY(run_layers(b, ends));
    TRY(apply_norm(c, &b->tower->ln_final, ends, pooled, none, b->error));
    if (b->tower->projection) {
        TRY(apply_linear(c, b->tower->projection, pooled, none, embedding, HL_IDENTITY, b->error));
    }
    TRY(c->api->download(c->backend, b->tower->projection ? embedding : pooled, found, b->error));
    for (size_t text = 0; text < b->count; ++text) {
        TRY(normalise(b, found + text * dim, out + b->texts[text].number * dim));
    }
    return HL_OK;
}

static hl_status check_ids(const text_tower *tower, const int32_t *ids, size_t count, hl_error *error) {
    for (size_t i = 0; i < count * tower->shape->context; ++i) {
        if (ids[i] < 0 || (size_t)ids[i] >= tower->shape->vocab_size) {
            return hl_fail(error, HL_USAGE, "%s: token id %d, expected 0 to %zu", tower->plugin, ids[i],
                           tower->shape->vocab_size - 1);
        }
    }
    return HL_OK;
}

static int by_length(const void *a, const void *b) {
    const own_text *left = a, *right = b;
    if (left->length != right->length) return left->length < right->length ? -1 : 1;
    return left->number < right->number ? -1 : 1;
}

static void arrange(const text_shape *shape, const int32_t *ids, size_t count, own_text *texts,
                    size_t *lengths) {
    for (size_t i = 0; i < count; ++i) {
        own_text *text = &texts[i];
        *text = (own_text){.number = i, .ids = ids + i * shape->context, .length = shape->context};
        text->pooled = shape->pooled(shape, text->ids);
        if (shape->mask == HL_MASK_CAUSAL) text->length = text->pooled + 1;
    }
    qsort(texts, count, sizeof *texts, by_length);
    for (size_t i = 0; i < count; ++i) lengths[i] = texts[i].length;
}

/* As many texts at once as the session has memory for. */
static hl_status run_all(batch *b, size_t count, float *found, float *out) {
    size_t most = most_rows(b->session);
    for (const own_text *end = b->texts + count; b->texts < end;
         b->texts += b->count, b->lengths += b->count) {
        b->count = b->rows = 0;
        while (b->texts + b->count < end && b->rows + b->lengths[b->count] <= most) {
            b->rows += b->lengths[b->count++];
        }
        TRY(run_tower(b, found, out));
    }
    return HL_OK;
}

hl_status text_session_encode(text_session *self, const int32_t *ids, size_t count, float *out,
                              hl_error *error) {
    const text_tower *tower = self->tower;
    const text_shape *shape = tower->shape;
    const hl_host *host = tower->host;
    if (count == 0) return HL_OK;
    if (count > self->batch) {
        return hl_fail(error, HL_USAGE, "%s: %zu texts, the session takes at most %zu", tower->plugin, count,
                       self->batch);
    }
    TRY(check_ids(tower, ids, count, error));
    TRY(open_memory(self, error));
    own_text *texts = host->allocate(host, count, sizeof *texts);
    size_t *lengths = host->allocate(host, count, sizeof *lengths);
    float *found = host->allocate(host, count * shape->embed_dim, sizeof *found);
    hl_status status = texts && lengths && found ? HL_OK : hl_no_memory(error, "a batch of texts");
    if (status == HL_OK) {
        arrange(shape, ids, count, texts, lengths);
        batch all = {.session = self,
                     .tower = tower,
                     .shape = shape,
                     .compute = tower->compute,
                     .texts = texts,
                     .lengths = lengths,
                     .width = shape->layers.width,
                     .error = error};
        status = run_all(&all, count, found, out);
    }
    host->release(host, texts);
    host->release(host, lengths);
    host->release(host, found);
    return status;
}
