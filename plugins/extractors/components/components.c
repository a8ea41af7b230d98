/* components: each head described by the principal components of what it writes over a gallery, from bases
 * and moments alone: eigenvectors of the covariance B' Cov(y) B, the texts of a pool nearest to each on both
 * sides, and the images that lie furthest out along it (PCLens). */
#include "extremes.h"
#include "headlight/extractor.h"
#include "headlight/plugin.h"
#include "pool/pool.h"
#include "principal/principal.h"

/* In the order of the table. */
enum { POOL, COUNT, TEXTS, EXTREMES, HEADS };

static const hl_option options[] = {
    [POOL] = {.name = "pool",
              .type = HL_PATH,
              .help = "The texts to name components by, a file with one a line."},
    [COUNT] = {.name = "count",
               .type = HL_INT,
               .fallback = "4",
               .min = 1,
               .max = 1000,
               .help = "How many components describe a head; fewer where it varies in fewer directions."},
    [TEXTS] = {.name = "texts",
               .type = HL_INT,
               .fallback = "3",
               .min = 1,
               .max = 1000,
               .help = "How many texts are shown on each side of a component, the nearest first."},
    [EXTREMES] =
        {.name = "extremes",
         .type = HL_INT,
         .fallback = "4",
         .min = 0,
         .max = 1000,
         .help = "How many images are shown at each end of a component; 0: none, and no codes are read."},
    [HEADS] = {.name = "heads", .type = HL_HEADS, .fallback = "all", .help = "The heads to describe."},
};

/* Texts and images that are scored together. */
enum { TEXT_BLOCK = 256, IMAGE_BLOCK = 1024 };

/* Of the squares that a variance is the difference of, what rounding leaves. */
static const double least_square = 1e-13;

/* What is found of a head: arrays of `count` rows each. */
typedef struct description {
    principal parts;
    double *mean; /* of its codes */
    extremes *texts, *images;
} description;

typedef struct decomposition {
    const hl_ask *ask;
    const hl_host *host;
    const hl_value *heads;
    const pool *from;
    size_t count, dim;  /* components of a head at most; numbers of a direction */
    size_t images;      /* of the gallery */
    description *found; /* by head */
    extremes *ends;     /* of texts, then of images, by head and component */
    ranked *ranks;      /* of all of these */
} decomposition;

static size_t code_width(const hl_component *head) {
    return (size_t)head->width + head->scalar_count;
}

static const hl_component *head_at(const decomposition *self, size_t index) {
    return hl_component_at(self->ask->model, self->heads->selections[index]->components[0]);
}

/* ---- directions ---- */

/* The sum of y becomes its mean, the sum of y' y the covariance. Returns what of a variance may be rounding.
 */
static double take_covariance(double *sum, double *products, const float *basis, size_t n, size_t dim,
                              size_t images) {
    double squares = 0;
    for (size_t i = 0; i < n; ++i) {
        double length = 0;
        for (size_t k = 0; k < dim; ++k) length += (double)basis[i * dim + k] * (double)basis[i * dim + k];
        squares += products[i * n + i] / (double)images * length;
        sum[i] /= (double)images;
    }
    for (size_t i = 0; i < n * n; ++i) products[i] = products[i] / (double)images - sum[i / n] * sum[i % n];
    return least_square * squares;
}

static hl_status find_directions(const decomposition *self, size_t index, description *to, hl_error *error) {
    const hl_host *host = self->host;
    uint32_t component = self->heads->selections[index]->components[0];
    size_t n = code_width(head_at(self, index)), images;
    float *basis = host->allocate(host, n * self->dim, sizeof *basis);
    double *products = host->allocate(host, n * n, sizeof *products);
    to->mean = host->allocate(host, n, sizeof *to->mean);
    hl_status status = basis && products && to->mean ? self->ask->basis(self->ask, component, basis, error)
                                                     : hl_no_memory(error, "a head's components");
    if (status == HL_OK)
        status = self->ask->moments(self->ask, NULL, component, 0, 1, &images, to->mean, products, error);
    if (status == HL_OK) {
        double least = take_covariance(to->mean, products, basis, n, self->dim, images);
        status = principal_make(self->ask, products, basis, n, least, self->count, &to->parts, error);
    }
    host->release(host, basis);
    host->release(host, products);
    return status;
}

static hl_status find_directions_of(void *argument, size_t index, hl_error *error) {
    const decomposition *self = argument;
    hl_status status = hl_check_cancelled(self->host, error);
    return status == HL_OK ? find_directions(self, index, &self->found[index], error) : status;
}

/* ---- texts ---- */

/* The directions of all heads, one below the other. */
static void gather(const decomposition *self, double *rows) {
    for (size_t i = 0; i < self->heads->count; ++i) {
        const principal *parts = &self->found[i].parts;
        memcpy(rows, parts->directions, parts->count * self->dim * sizeof *rows);
        rows += parts->count * self->dim;
    }
}

static size_t count_directions(const decomposition *self) {
    size_t out = 0;
    for (size_t i = 0; i < self->heads->count; ++i) out += self->found[i].parts.count;
    return out;
}

/* scores: directions x count, of the texts from `first` on. */
static void offer_texts(const decomposition *self, const double *scores, size_t first, size_t count) {
    for (size_t i = 0; i < self->heads->count; ++i) {
        for (size_t k = 0; k < self->found[i].parts.count; ++k, scores += count) {
            for (size_t t = 0; t < count; ++t) extremes_offer(&self->found[i].texts[k], first + t, scores[t]);
        }
    }
}

typedef struct text_room {
    float *vectors;                /* of the pool */
    double *rows, *block, *scores; /* all directions; texts of a block; directions x texts */
} text_room;

static hl_status score_texts(const decomposition *self, size_t directions, const text_room *room,
                             hl_error *error) {
    size_t dim = self->dim, texts = self->from->count;
    for (size_t first = 0; first < texts; first += TEXT_BLOCK) {
        size_t count = texts - first < TEXT_BLOCK ? texts - first : TEXT_BLOCK;
        for (size_t i = 0; i < count * dim; ++i) room->block[i] = (double)room->vectors[first * dim + i];
        hl_status status = hl_check_cancelled(self->host, error);
        if (status == HL_OK)
            status = self->ask->product_f64(self->ask, false, true, directions, count, dim, room->rows, dim,
                                            room->block, dim, room->scores, count, error);
        if (status != HL_OK) return status;
        offer_texts(self, room->scores, first, count);
    }
    return HL_OK;
}

static hl_status find_texts(const decomposition *self, hl_error *error) {
    const hl_host *host = self->host;
    size_t directions = count_directions(self);
    text_room room = {.vectors = NULL};
    hl_status status = pool_embeddings(self->ask, self->from, &room.vectors, error);
    if (status != HL_OK || directions == 0) {
        host->release(host, room.vectors);
        return status;
    }
    room.rows = host->allocate(host, directions * self->dim, sizeof *room.rows);
    room.block = host->allocate(host, TEXT_BLOCK * self->dim, sizeof *room.block);
    room.scores = host->allocate(host, directions * TEXT_BLOCK, sizeof *room.scores);
    if (room.rows && room.block && room.scores) {
        gather(self, room.rows);
        status = score_texts(self, directions, &room, error);
    } else {
        status = hl_no_memory(error, "the texts of a pool");
    }
    host->release(host, room.vectors);
    host->release(host, room.rows);
    host->release(host, room.block);
    host->release(host, room.scores);
    return status;
}

/* A component has no sign of its own: it points to where the text with the greatest projection lies. */
static void orient(const decomposition *self) {
    for (size_t i = 0; i < self->heads->count; ++i) {
        const principal *parts = &self->found[i].parts;
        for (size_t k = 0; k < parts->count; ++k) {
            extremes *texts = &self->found[i].texts[k];
            if (texts->highest[0].score >= -texts->lowest[0].score) continue;
            extremes_turn(texts);
            for (size_t j = 0; j < self->dim; ++j) parts->directions[k * self->dim + j] *= -1;
        }
    }
}

/* ---- images ---- */

/* B v, by which a code is scored; and the mean's score, which is taken off. */
static void make_queries(const decomposition *self, const description *of, const float *basis, size_t n,
                         double *queries, double *offsets) {
    for (size_t k = 0; k < of->parts.count; ++k) {
        const double *direction = of->parts.directions + k * self->dim;
        double *query = queries + k * n;
        offsets[k] = 0;
        for (size_t i = 0; i < n; ++i) {
            query[i] = 0;
            for (size_t j = 0; j < self->dim; ++j)
                query[i] += (double)basis[i * self->dim + j] * direction[j];
            offsets[k] += query[i] * of->mean[i];
        }
    }
}

static hl_status score_images(const decomposition *self, size_t index, size_t n, const double *queries,
                              const double *offsets, float *codes, hl_error *error) {
    description *to = &self->found[index];
    uint32_t component = self->heads->selections[index]->components[0];
    for (size_t first = 0; first < self->images; first += IMAGE_BLOCK) {
        size_t count = self->images - first < IMAGE_BLOCK ? self->images - first : IMAGE_BLOCK;
        hl_status status = hl_check_cancelled(self->host, error);
        if (status == HL_OK)
            status = self->ask->gallery_codes(self->ask, NULL, component, first, count, codes, error);
        if (status != HL_OK) return status;
        for (size_t i = 0; i < count * to->parts.count; ++i) {
            size_t image = i / to->parts.count, k = i % to->parts.count;
            double score = -offsets[k];
            for (size_t j = 0; j < n; ++j) score += queries[k * n + j] * (double)codes[image * n + j];
            extremes_offer(&to->images[k], first + image, score);
        }
    }
    return HL_OK;
}

static hl_status find_images(const decomposition *self, size_t index, hl_error *error) {
    const hl_host *host = self->host;
    const description *of = &self->found[index];
    size_t n = code_width(head_at(self, index)), count = of->parts.count;
    float *basis = host->allocate(host, n * self->dim, sizeof *basis),
          *codes = host->allocate(host, IMAGE_BLOCK * n, sizeof *codes);
    double *queries = host->allocate(host, (n + 1) * count, sizeof *queries);
    hl_status status =
        basis && codes && queries
            ? self->ask->basis(self->ask, self->heads->selections[index]->components[0], basis, error)
            : hl_no_memory(error, "images at the ends of components");
    if (status == HL_OK) {
        double *offsets = queries + n * count;
        make_queries(self, of, basis, n, queries, offsets);
        status = score_images(self, index, n, queries, offsets, codes, error);
    }
    host->release(host, basis);
    host->release(host, codes);
    host->release(host, queries);
    return status;
}

static hl_status find_images_of(void *argument, size_t index, hl_error *error) {
    const decomposition *self = argument;
    const description *of = &self->found[index];
    return of->parts.count > 0 && of->images[0].most > 0 ? find_images(self, index, error) : HL_OK;
}

/* ---- what is handed over ---- */

static void add_texts(const decomposition *self, hl_result *result, hl_item *item, const char *key,
                      const ranked *list, size_t count) {
    hl_item *rows = result->list(item, key, HL_TABLE);
    for (size_t i = 0; i < count; ++i) {
        hl_item *row = result->map(rows, NULL);
        result->text(row, "text", self->from->texts[list[i].index]);
        result->number(row, "score", list[i].score);
    }
}

static hl_status add_images(const decomposition *self, hl_result *result, hl_item *item, const char *key,
                            const ranked *list, size_t count, hl_error *error) {
    hl_item *end = result->map(item, key);
    hl_gallery_image image = {.size = sizeof image};
    for (size_t i = 0; i < count; ++i) {
        hl_status status = self->ask->gallery_image(self->ask, NULL, list[i].index, &image, error);
        if (status != HL_OK) return status;
        result->neighbor(end, image.path, list[i].score);
    }
    return HL_OK;
}

static hl_status add_component(const decomposition *self, const description *of, size_t k, hl_result *result,
                               hl_item *list, hl_error *error) {
    const extremes *texts = &of->texts[k], *images = &of->images[k];
    hl_item *item = result->map(list, NULL);
    result->whole(item, "rank", (int64_t)k + 1);
    result->number(item, "variance", of->parts.values[k]);
    result->number(item, "share", of->parts.values[k] / of->parts.total);
    add_texts(self, result, item, "texts", texts->highest, texts->count);
    add_texts(self, result, item, "opposite", texts->lowest, texts->count);
    if (images->most == 0) return HL_OK;
    hl_status status = add_images(self, result, item, "top", images->highest, images->count, error);
    return status == HL_OK ? add_images(self, result, item, "bottom", images->lowest, images->count, error)
                           : status;
}

static hl_status tell(const decomposition *self, const description *of, const char *head, hl_finding *to,
                      hl_error *error) {
    hl_result *result = to->result;
    hl_status status = HL_OK;
    hl_item *list = result->list(principal_tell(&of->parts, head, to), "components", HL_LIST);
    for (size_t k = 0; k < of->parts.count && status == HL_OK; ++k)
        status = add_component(self, of, k, result, list, error);
    return status;
}

/* `direction`: room for one. */
static hl_status hand_over(const decomposition *self, size_t index, float *direction, hl_finding *to,
                           hl_error *error) {
    const description *of = &self->found[index];
    const char *head = self->heads->selections[index]->name;
    hl_description one = {.size = sizeof one, .head = head, .direction = direction};
    hl_status status = HL_OK;
    for (size_t k = 0; k < of->parts.count && status == HL_OK; ++k) {
        const double *from = of->parts.directions + k * self->dim;
        for (size_t j = 0; j < self->dim; ++j) direction[j] = (float)from[j];
        one.rank = (uint32_t)k + 1;
        one.text = self->from->texts[of->texts[k].highest[0].index];
        one.variance = of->parts.values[k];
        one.total += one.variance;
        status = to->describe(to, &one, error);
    }
    return status == HL_OK ? tell(self, of, head, to, error) : status;
}

/* One line of the log for all heads that do not vary. */
static void say_constant(const decomposition *self) {
    size_t count = 0, first = 0;
    for (size_t i = self->heads->count; i-- > 0;) {
        if (self->found[i].parts.count > 0) continue;
        ++count;
        first = i;
    }
    if (count == 0) return;
    self->host->log(
        self->host, HL_LOG_WARNING,
        "%zu of %zu heads, %s among them, %s no component: what %s writes does not vary over %zu %s", count,
        self->heads->count, self->heads->selections[first]->name, count == 1 ? "has" : "have",
        count == 1 ? "it" : "each of them", self->images, self->images == 1 ? "image" : "images");
}

/* ---- all heads ---- */

static extremes open_extremes(ranked **ranks, size_t most) {
    extremes out = {.highest = *ranks, .lowest = *ranks + most, .most = most};
    *ranks += 2 * most;
    return out;
}

/* Lists of texts and images for each component. */
static hl_status open_found(decomposition *self, size_t texts, size_t images, hl_error *error) {
    const hl_host *host = self->host;
    size_t rows = self->heads->count * self->count;
    self->found = host->allocate(host, self->heads->count, sizeof *self->found);
    self->ends = host->allocate(host, 2 * rows, sizeof *self->ends);
    self->ranks = host->allocate(host, 2 * rows * (texts + images), sizeof *self->ranks);
    if (!self->found || !self->ends || !self->ranks) return hl_no_memory(error, "components");
    ranked *ranks = self->ranks;
    for (size_t i = 0; i < rows; ++i) {
        self->ends[i] = open_extremes(&ranks, texts);
        self->ends[rows + i] = open_extremes(&ranks, images);
    }
    for (size_t i = 0; i < self->heads->count; ++i) {
        self->found[i].texts = self->ends + i * self->count;
        self->found[i].images = self->ends + rows + i * self->count;
    }
    return HL_OK;
}

static hl_status find_all(decomposition *self, hl_error *error) {
    hl_status status = hl_parallel(self->host, self->heads->count, find_directions_of, self, error);
    if (status == HL_OK) status = find_texts(self, error);
    if (status != HL_OK) return status;
    orient(self);
    return hl_parallel(self->host, self->heads->count, find_images_of, self, error);
}

static hl_status hand_over_all(const decomposition *self, hl_finding *to, hl_error *error) {
    float *direction = self->host->allocate(self->host, self->dim, sizeof *direction);
    hl_status status = direction ? HL_OK : hl_no_memory(error, "a direction");
    for (size_t i = 0; i < self->heads->count && status == HL_OK; ++i)
        status = hand_over(self, i, direction, to, error);
    if (status == HL_OK) say_constant(self);
    self->host->release(self->host, direction);
    return status;
}

static void close_found(decomposition *self) {
    for (size_t i = 0; i < self->heads->count && self->found; ++i) {
        principal_free(&self->found[i].parts);
        self->host->release(self->host, self->found[i].mean);
    }
    self->host->release(self->host, self->found);
    self->host->release(self->host, self->ends);
    self->host->release(self->host, self->ranks);
}

/* No head varies in more directions than its codes have numbers. */
static size_t widest(const hl_ask *ask, const hl_value *heads) {
    size_t out = 1;
    for (size_t i = 0; i < heads->count; ++i) {
        size_t width = code_width(hl_component_at(ask->model, heads->selections[i]->components[0]));
        out = width > out ? width : out;
    }
    return out;
}

static size_t at_most(int64_t wanted, size_t there) {
    return (size_t)wanted < there ? (size_t)wanted : there;
}

static hl_status describe_by_components(const hl_ask *ask, const hl_value *const *values, hl_finding *to,
                                        hl_error *error) {
    decomposition self = {
        .ask = ask, .host = ask->host, .heads = values[HEADS], .dim = ask->model->embed_dim};
    pool *from;
    hl_status status = pool_open(ask->host, values[POOL]->string, &from, error);
    if (status != HL_OK) return status;
    self.from = from;
    self.count = at_most(values[COUNT]->integer, widest(ask, self.heads));
    status = ask->gallery_count(ask, NULL, &self.images, error);
    if (status == HL_OK) {
        status = open_found(&self, at_most(values[TEXTS]->integer, from->count),
                            at_most(values[EXTREMES]->integer, self.images), error);
    }
    if (status == HL_OK) status = find_all(&self, error);
    if (status == HL_OK) status = hand_over_all(&self, to, error);
    close_found(&self);
    pool_close(from);
    return status;
}

static const hl_extractor_api api = {.size = sizeof api,
                                     .step = HL_STEP_DESCRIPTIONS,
                                     .needs = HL_NEEDS_GALLERY | HL_NEEDS_WEIGHTS,
                                     .run = describe_by_components};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "components", "1.0.0",
              "the principal components of what a head writes, with their texts and images"),
    HL_OPTIONS(options),
    .api = &api,
};
