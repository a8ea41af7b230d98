/* weights: each head described by what it can write, without any image: the right singular directions of its
 * value map V followed by the first `width` rows B of its basis, each as a sum of a few texts of a pool. With
 * the Gram matrix of V, which the model hands out, these are the eigenvectors of B' (V' V) B: the principal
 * directions that a head would have if what it reads were spread evenly. (The definition is this project's;
 * the idea: SITH, 2026.) */
#include "headlight/extractor.h"
#include "headlight/plugin.h"
#include "pool/pool.h"
#include "principal/principal.h"
#include "pursuit.h"

/* In the order of the table. */
enum { POOL, COUNT, TEXTS, COHERENCE, HEADS };

enum { MOST_TEXTS = 32 };

static const hl_option options[] = {
    [POOL] = {.name = "pool",
              .type = HL_PATH,
              .help = "The texts to explain directions by, a file with one a line."},
    [COUNT] = {.name = "count",
               .type = HL_INT,
               .fallback = "4",
               .min = 1,
               .max = 1000,
               .help = "How many directions describe a head; fewer where it can write in fewer."},
    [TEXTS] = {.name = "texts",
               .type = HL_INT,
               .fallback = "3",
               .min = 1,
               .max = MOST_TEXTS,
               .help = "How many texts explain a direction at most."},
    [COHERENCE] =
        {.name = "coherence",
         .type = HL_REAL,
         .fallback = "0.1",
         .min = 0,
         .max = 1,
         .help = "How much worse than the best a text may explain what is left of a direction, if it is "
                 "more like those picked before; 0: always the best one."},
    [HEADS] = {.name = "heads", .type = HL_HEADS, .fallback = "all", .help = "The heads to describe."},
};

/* Texts that are multiplied at once, and numbers of all products that are kept at once. */
enum { TEXT_BLOCK = 512, MOST_PRODUCTS = 8 << 20 };

/* What is found of a head. */
typedef struct description {
    principal parts;
    float *basis; /* its first rows: width x embed_dim */
} description;

typedef struct explanation {
    const hl_ask *ask;
    const hl_host *host;
    const hl_value *heads;
    const pool *from;
    text_table texts;
    size_t count, most; /* directions of a head, texts of a direction, at most */
    double coherence;
    description *found; /* by head */

    /* Each direction twice, as it is and turned round. */
    pursuit *pursuits;
    size_t pursuit_count;
    size_t *picked; /* what they point to */
    double *numbers;

    /* Those of them that go side by side. */
    pursuit *batch;
    double *rests, *products; /* what is left of each; with each text */
} explanation;

static uint32_t component_of(const explanation *self, size_t head) {
    return self->heads->selections[head]->components[0];
}

/* ---- directions ---- */

/* One after the other: the backend's threads are at work in each. */
static hl_status read_basis(const explanation *self, size_t head, hl_error *error) {
    const hl_host *host = self->host;
    const hl_component *row = hl_component_at(self->ask->model, component_of(self, head));
    size_t rows = (size_t)row->width + row->scalar_count;
    hl_status status = hl_check_cancelled(host, error);
    if (status != HL_OK) return status;
    self->found[head].basis = host->allocate(host, rows * self->texts.dim, sizeof(float));
    if (!self->found[head].basis) return hl_no_memory(error, "a basis");
    return self->ask->basis(self->ask, component_of(self, head), self->found[head].basis, error);
}

static hl_status find_directions(const explanation *self, size_t head, hl_error *error) {
    const hl_host *host = self->host;
    description *to = &self->found[head];
    size_t width = hl_component_at(self->ask->model, component_of(self, head))->width;
    double *gram = host->allocate(host, width * width, sizeof *gram);
    hl_status status = gram ? self->ask->value_gram(self->ask, component_of(self, head), gram, error)
                            : hl_no_memory(error, "a Gram matrix");
    if (status == HL_OK)
        status = principal_make(self->ask, gram, to->basis, width, 0, self->count, &to->parts, error);
    host->release(host, gram);
    return status;
}

static hl_status find_directions_of(void *argument, size_t head, hl_error *error) {
    const explanation *self = argument;
    description *to = &self->found[head];
    hl_status status = hl_check_cancelled(self->host, error);
    if (status == HL_OK) status = find_directions(self, head, error);
    self->host->release(self->host, to->basis);
    to->basis = NULL;
    return status;
}

static hl_status find_all_directions(explanation *self, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->heads->count && status == HL_OK; ++i) status = read_basis(self, i, error);
    return status == HL_OK ? hl_parallel(self->host, self->heads->count, find_directions_of, self, error)
                           : status;
}

/* ---- texts ---- */

static hl_status open_pursuits(explanation *self, hl_error *error) {
    const hl_host *host = self->host;
    size_t most = self->most, numbers = most * (most + 2), at = 0;
    for (size_t i = 0; i < self->heads->count; ++i) self->pursuit_count += 2 * self->found[i].parts.count;
    self->pursuits = host->allocate(host, self->pursuit_count + 1, sizeof *self->pursuits);
    self->picked = host->allocate(host, self->pursuit_count * most + 1, sizeof *self->picked);
    self->numbers = host->allocate(host, self->pursuit_count * numbers + 1, sizeof *self->numbers);
    if (!self->pursuits || !self->picked || !self->numbers)
        return hl_no_memory(error, "texts for directions");
    for (size_t i = 0; i < self->heads->count; ++i) {
        const principal *parts = &self->found[i].parts;
        for (size_t k = 0; k < 2 * parts->count; ++k, ++at) {
            double *own = self->numbers + at * numbers;
            self->pursuits[at] = (pursuit){.direction = parts->directions + k / 2 * parts->dim,
                                           .sign = k % 2 ? -1 : 1,
                                           .most = most,
                                           .texts = self->picked + at * most,
                                           .weights = own,
                                           .products = own + most,
                                           .gram = own + 2 * most};
        }
    }
    return HL_OK;
}

/* What is left of the batch times all texts. `block`: room for TEXT_BLOCK of them in double precision. */
static hl_status multiply(const explanation *self, size_t rows, double *block, hl_error *error) {
    size_t dim = self->texts.dim, texts = self->texts.count;
    for (size_t first = 0; first < texts; first += TEXT_BLOCK) {
        size_t count = texts - first < TEXT_BLOCK ? texts - first : TEXT_BLOCK;
        const float *vectors = self->texts.vectors + first * dim;
        for (size_t i = 0; i < count * dim; ++i) block[i] = (double)vectors[i];
        hl_status status = hl_check_cancelled(self->host, error);
        if (status == HL_OK)
            status = self->ask->product_f64(self->ask, false, true, rows, count, dim, self->rests, dim, block,
                                            dim, self->products + first, texts, error);
        if (status != HL_OK) return status;
    }
    return HL_OK;
}

static hl_status step_one(void *argument, size_t row, hl_error *error) {
    const explanation *self = argument;
    pursuit *one = &self->batch[row];
    hl_status status = pursuit_step(one, self->host, &self->texts, self->products + row * self->texts.count,
                                    self->coherence, error);
    pursuit_rest(one, &self->texts, self->rests + row * self->texts.dim);
    return status;
}

static hl_status explain_batch(explanation *self, size_t rows, double *block, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < rows; ++i)
        pursuit_rest(&self->batch[i], &self->texts, self->rests + i * self->texts.dim);
    for (size_t step = 0; step < self->most && status == HL_OK; ++step) {
        status = multiply(self, rows, block, error);
        if (status == HL_OK) status = hl_parallel(self->host, rows, step_one, self, error);
    }
    return status;
}

static hl_status explain_all(explanation *self, hl_error *error) {
    const hl_host *host = self->host;
    size_t dim = self->texts.dim, most = MOST_PRODUCTS / self->texts.count + 1;
    if (most > self->pursuit_count) most = self->pursuit_count;
    double *block = host->allocate(host, TEXT_BLOCK * dim, sizeof *block);
    self->rests = host->allocate(host, most * dim + 1, sizeof *self->rests);
    self->products = host->allocate(host, most * self->texts.count + 1, sizeof *self->products);
    hl_status status =
        block && self->rests && self->products ? HL_OK : hl_no_memory(error, "texts for directions");
    for (size_t first = 0; first < self->pursuit_count && status == HL_OK; first += most) {
        size_t left = self->pursuit_count - first;
        self->batch = self->pursuits + first;
        status = explain_batch(self, left < most ? left : most, block, error);
    }
    host->release(host, block);
    host->release(host, self->rests);
    host->release(host, self->products);
    return status;
}

/* ---- what is handed over ---- */

static void add_direction(const explanation *self, const principal *parts, size_t k, const pursuit *found,
                          hl_result *result, hl_item *list) {
    hl_item *item = result->map(list, NULL);
    result->whole(item, "rank", (int64_t)k + 1);
    result->number(item, "variance", parts->values[k]);
    result->number(item, "share", parts->values[k] / parts->total);
    result->number(item, "explained", found->explained);
    hl_item *rows = result->list(item, "texts", HL_TABLE);
    for (size_t i = 0; i < found->count; ++i) {
        hl_item *row = result->map(rows, NULL);
        result->text(row, "text", self->from->texts[found->texts[i]]);
        result->number(row, "weight", found->weights[i]);
    }
}

/* A direction has no sign of its own: it points to where more of it is explained. */
static const pursuit *better(const pursuit *both) {
    return both[1].explained > both[0].explained ? &both[1] : &both[0];
}

/* `both`: the pursuits of the head's first direction. `direction`: room for one. */
static hl_status hand_over(const explanation *self, size_t head, const pursuit *both, float *direction,
                           hl_finding *to, hl_error *error) {
    const principal *parts = &self->found[head].parts;
    hl_description one = {
        .size = sizeof one, .head = self->heads->selections[head]->name, .direction = direction};
    hl_status status = HL_OK;
    for (size_t k = 0; k < parts->count && status == HL_OK; ++k) {
        const pursuit *found = better(both + 2 * k);
        for (size_t j = 0; j < parts->dim; ++j) direction[j] = (float)(found->sign * found->direction[j]);
        one.rank = (uint32_t)k + 1;
        one.text = found->count ? self->from->texts[found->texts[0]] : NULL;
        one.variance = parts->values[k];
        one.total += one.variance;
        status = to->describe(to, &one, error);
    }
    if (status != HL_OK) return status;
    hl_item *list = to->result->list(principal_tell(parts, one.head, to), "directions", HL_LIST);
    for (size_t k = 0; k < parts->count; ++k)
        add_direction(self, parts, k, better(both + 2 * k), to->result, list);
    return HL_OK;
}

static hl_status hand_over_all(const explanation *self, hl_finding *to, hl_error *error) {
    const pursuit *both = self->pursuits;
    float *direction = self->host->allocate(self->host, self->texts.dim, sizeof *direction);
    hl_status status = direction ? HL_OK : hl_no_memory(error, "a direction");
    for (size_t i = 0; i < self->heads->count && status == HL_OK; ++i) {
        status = hand_over(self, i, both, direction, to, error);
        both += 2 * self->found[i].parts.count;
    }
    self->host->release(self->host, direction);
    return status;
}

/* One line of the log for all heads without a direction. */
static void say_silent(const explanation *self) {
    size_t count = 0, first = 0;
    for (size_t i = self->heads->count; i-- > 0;) {
        if (self->found[i].parts.count > 0) continue;
        ++count;
        first = i;
    }
    if (count == 0) return;
    self->host->log(self->host, HL_LOG_WARNING,
                    "%zu of %zu heads, %s among them, %s no direction: weights of zero write nothing", count,
                    self->heads->count, self->heads->selections[first]->name, count == 1 ? "has" : "have");
}

/* ---- all heads ---- */

static hl_status explain(explanation *self, hl_finding *to, hl_error *error) {
    const hl_host *host = self->host;
    self->found = host->allocate(host, self->heads->count, sizeof *self->found);
    if (!self->found) return hl_no_memory(error, "directions");
    host->log(host, HL_LOG_INFO, "describing %zu heads by %zu texts", self->heads->count, self->texts.count);
    hl_status status = find_all_directions(self, error);
    if (status == HL_OK) status = open_pursuits(self, error);
    if (status == HL_OK) status = explain_all(self, error);
    if (status == HL_OK) status = hand_over_all(self, to, error);
    if (status != HL_OK) return status;
    host->log(host, HL_LOG_INFO, "described %zu heads", self->heads->count);
    say_silent(self);
    return status;
}

static void close_explanation(explanation *self) {
    for (size_t i = 0; i < self->heads->count && self->found; ++i) {
        principal_free(&self->found[i].parts);
        self->host->release(self->host, self->found[i].basis);
    }
    self->host->release(self->host, self->found);
    self->host->release(self->host, self->pursuits);
    self->host->release(self->host, self->picked);
    self->host->release(self->host, self->numbers);
}

static hl_status describe_by_weights(const hl_ask *ask, const hl_value *const *values, hl_finding *to,
                                     hl_error *error) {
    explanation self = {.ask = ask,
                        .host = ask->host,
                        .heads = values[HEADS],
                        .count = (size_t)values[COUNT]->integer,
                        .most = (size_t)values[TEXTS]->integer,
                        .coherence = values[COHERENCE]->real};
    pool *from;
    float *vectors = NULL;
    hl_status status = pool_open(ask->host, values[POOL]->string, &from, error);
    if (status != HL_OK) return status;
    status = pool_embeddings(ask, from, &vectors, error);
    self.from = from;
    self.texts = (text_table){.vectors = vectors, .count = from->count, .dim = ask->model->embed_dim};
    if (status == HL_OK) status = explain(&self, to, error);
    close_explanation(&self);
    ask->host->release(ask->host, vectors);
    pool_close(from);
    return status;
}

static const hl_extractor_api api = {
    .size = sizeof api, .step = HL_STEP_DESCRIPTIONS, .needs = HL_NEEDS_WEIGHTS, .run = describe_by_weights};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "weights", "1.0.0",
              "the directions that a head's weights let it write, in texts of a pool"),
    HL_OPTIONS(options),
    .api = &api,
};
