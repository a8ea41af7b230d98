/* lexicon-agreement: each head named by the property of which it says over a gallery what the whole model
 * says. For every line of a pool that speaks of a property its score is taken less the mean over the
 * property's lines, once of the head's contribution and once of the whole embedding; how the two correlate
 * over the images, on the mean over the lines, is the head's agreement. A head that writes much along the
 * texts of a property without telling them apart as the model does agrees little. (The measure is this
 * project's.) */
#include "headlight/extractor.h"
#include "headlight/plugin.h"
#include "pool/pool.h"
#include "property-lexicon/property_lexicon.h"

#include <math.h>

/* In the order of the table. */
enum { LINES, THRESHOLD, MOST };

static const hl_option options[] = {
    [LINES] =
        {.name = "pool-properties",
         .type = HL_PATH,
         .help =
             "Texts and what they speak of: a text, a tab and its properties, separated by commas, on each "
             "line."},
    [THRESHOLD] =
        {.name = "threshold",
         .type = HL_REAL,
         .fallback = "0.2",
         .min = 0,
         .max = 1,
         .help = "The least agreement, from 0 to 1, that gives a label; a head without it is mixed, and has "
                 "none."},
    [MOST] = {.name = "most",
              .type = HL_INT,
              .fallback = "1",
              .min = 1,
              .max = 100,
              .help = "How many labels a head may have, of properties beyond the threshold."},
};

enum { PIECE = 512 }; /* images that are in memory at a time */

/* Lines of one property, each less their mean. */
typedef struct contrast {
    size_t property, first, count; /* rows of `texts` */
} contrast;

typedef struct described_head {
    const char *name;
    uint32_t component;
    size_t width;    /* numbers of a code */
    double *crossed; /* width x dim: sum of y e' */
} described_head;

typedef struct agreement {
    const hl_ask *ask;
    const hl_host *host;
    lexicon *words;
    size_t dim;
    contrast *contrasts;
    size_t contrast_count, rows;
    double *texts;  /* rows x dim */
    double *spread; /* of each row's score by the whole embedding: its variance over the gallery */
    described_head *heads;
    size_t head_count, widest;
    size_t images;
    double *mean, *products; /* of the normalised embedding: dim, and dim x dim */
    double *agrees;          /* of one head, by contrast */
} agreement;

/* ---- lines ---- */

static hl_status open_lines(const agreement *self, const char *path, pool **out, hl_error *error) {
    size_t bytes = 1, used = 0, count = lexicon_line_count(self->words);
    for (size_t i = 0; i < count; ++i) bytes += strlen(lexicon_line_at(self->words, i).text) + 1;
    char *all = malloc(bytes);
    if (!all) return hl_no_memory(error, path);
    for (size_t i = 0; i < count; ++i) {
        size_t length = strlen(lexicon_line_at(self->words, i).text);
        memcpy(all + used, lexicon_line_at(self->words, i).text, length);
        all[used + length] = '\n';
        used += length + 1;
    }
    all[used] = '\0';
    hl_status status = pool_parse(self->host, path, all, used, out, error);
    if (status != HL_OK || (*out)->count == count) return status;
    pool_close(*out);
    return hl_fail(error, HL_FAILED, "%s: two of its texts differ in white space alone", path);
}

static bool speaks_of(lexicon_line line, size_t property, bool alone) {
    for (size_t i = 0; i < line.count && (!alone || line.count == 1); ++i) {
        if (line.properties[i] == property) return true;
    }
    return false;
}

static size_t count_lines(const agreement *self, size_t property, bool alone) {
    size_t found = 0;
    for (size_t i = 0; i < lexicon_line_count(self->words); ++i)
        found += speaks_of(lexicon_line_at(self->words, i), property, alone);
    return found;
}

/* Lines that speak of nothing else, where there are two. A property of one line tells nothing apart. */
static void plan_contrasts(agreement *self) {
    for (size_t p = 0; p < lexicon_count(self->words); ++p) {
        size_t alone = count_lines(self, p, true), count = alone >= 2 ? alone : count_lines(self, p, false);
        if (count < 2) continue;
        self->contrasts[self->contrast_count++] =
            (contrast){.property = p, .first = self->rows, .count = count};
        self->rows += count;
    }
}

static void fill_contrast(const agreement *self, const contrast *of, const float *embeddings) {
    bool alone = count_lines(self, of->property, true) >= 2;
    double *row = self->texts + of->first * self->dim;
    for (size_t i = 0; i < lexicon_line_count(self->words); ++i) {
        if (!speaks_of(lexicon_line_at(self->words, i), of->property, alone)) continue;
        for (size_t d = 0; d < self->dim; ++d) *row++ = (double)embeddings[i * self->dim + d];
    }
    for (size_t d = 0; d < self->dim; ++d) {
        double mean = 0, *at = self->texts + of->first * self->dim + d;
        for (size_t i = 0; i < of->count; ++i) mean += at[i * self->dim] / (double)of->count;
        for (size_t i = 0; i < of->count; ++i) at[i * self->dim] -= mean;
    }
}

static hl_status read_contrasts(agreement *self, const char *path, hl_error *error) {
    pool *lines;
    float *embeddings = NULL;
    size_t properties = lexicon_count(self->words);
    self->contrasts = calloc(properties + 1, sizeof *self->contrasts);
    self->agrees = calloc(properties + 1, sizeof *self->agrees);
    if (!self->contrasts || !self->agrees) return hl_no_memory(error, path);
    plan_contrasts(self);
    if (self->contrast_count == 0)
        return hl_fail(error, HL_USAGE, "%s: expected at least two lines that speak of one property", path);
    self->texts = self->host->allocate(self->host, self->rows, self->dim * sizeof *self->texts);
    self->spread = calloc(self->rows, sizeof *self->spread);
    if (!self->texts || !self->spread) return hl_no_memory(error, path);
    hl_status status = open_lines(self, path, &lines, error);
    if (status != HL_OK) return status;
    status = pool_embeddings(self->ask, lines, &embeddings, error);
    for (size_t i = 0; i < self->contrast_count && status == HL_OK; ++i)
        fill_contrast(self, &self->contrasts[i], embeddings);
    self->host->release(self->host, embeddings);
    pool_close(lines);
    return status;
}

/* ---- heads ---- */

static hl_status add_head(agreement *self, const char *name, hl_error *error) {
    described_head *to = &self->heads[self->head_count];
    for (uint32_t i = 0; i < self->ask->model->component_count; ++i) {
        const hl_component *row = hl_component_at(self->ask->model, i);
        if (strcmp(row->name, name) != 0) continue;
        *to = (described_head){.name = row->name, .component = i, .width = row->width + row->scalar_count};
        to->crossed = self->host->allocate(self->host, to->width, self->dim * sizeof *to->crossed);
        if (!to->crossed) return hl_no_memory(error, "heads");
        if (to->width > self->widest) self->widest = to->width;
        ++self->head_count;
        return HL_OK;
    }
    return hl_fail(error, HL_FAILED, "%s is no component of the model", name);
}

static hl_status take_heads(agreement *self, hl_error *error) {
    const hl_description *of;
    size_t count = 0;
    for (size_t i = 0; (of = self->ask->description(self->ask, NULL, i)); ++i) count += of->rank == 1;
    self->heads = calloc(count + 1, sizeof *self->heads);
    hl_status status = self->heads ? HL_OK : hl_no_memory(error, "heads");
    for (size_t i = 0; status == HL_OK && (of = self->ask->description(self->ask, NULL, i)); ++i) {
        if (of->rank == 1) status = add_head(self, of->head, error);
    }
    return status;
}

/* ---- moments of the gallery ---- */

/* Room for one piece of it. */
typedef struct piece {
    float *read;           /* codes or embeddings */
    double *codes, *whole; /* the same in double precision; embeddings normalised */
    double *product;       /* of one piece */
    size_t first, count;
} piece;

static void add_to(double *sum, const double *more, size_t count) {
    for (size_t i = 0; i < count; ++i) sum[i] += more[i];
}

static hl_status add_whole(agreement *self, piece *of, hl_error *error) {
    size_t dim = self->dim;
    hl_status status = self->ask->gallery_embeddings(self->ask, NULL, of->first, of->count, of->read, error);
    for (size_t i = 0; i < of->count && status == HL_OK; ++i) {
        double square = 0;
        for (size_t d = 0; d < dim; ++d)
            square += (double)of->read[i * dim + d] * (double)of->read[i * dim + d];
        for (size_t d = 0; d < dim; ++d) {
            double value = square > 0 ? (double)of->read[i * dim + d] / sqrt(square) : 0;
            of->whole[i * dim + d] = value;
            self->mean[d] += value / (double)self->images;
        }
    }
    if (status == HL_OK)
        status = self->ask->product_f64(self->ask, true, false, dim, dim, of->count, of->whole, dim,
                                        of->whole, dim, of->product, dim, error);
    if (status == HL_OK) add_to(self->products, of->product, dim * dim);
    return status;
}

static hl_status add_head_codes(const agreement *self, const described_head *head, piece *of,
                                hl_error *error) {
    size_t n = head->width, dim = self->dim;
    hl_status status =
        self->ask->gallery_codes(self->ask, NULL, head->component, of->first, of->count, of->read, error);
    for (size_t i = 0; i < of->count * n && status == HL_OK; ++i) of->codes[i] = (double)of->read[i];
    if (status == HL_OK)
        status = self->ask->product_f64(self->ask, true, false, n, dim, of->count, of->codes, n, of->whole,
                                        dim, of->product, dim, error);
    if (status == HL_OK) add_to(head->crossed, of->product, n * dim);
    return status;
}

static hl_status add_piece(agreement *self, piece *of, hl_error *error) {
    hl_status status = hl_check_cancelled(self->host, error);
    if (status == HL_OK) status = add_whole(self, of, error);
    for (size_t i = 0; i < self->head_count && status == HL_OK; ++i)
        status = add_head_codes(self, &self->heads[i], of, error);
    return status;
}

static hl_status read_gallery(agreement *self, hl_error *error) {
    const hl_host *host = self->host;
    size_t dim = self->dim, wide = self->widest > dim ? self->widest : dim;
    hl_status status = self->ask->gallery_count(self->ask, NULL, &self->images, error);
    if (status == HL_OK && self->images < 2)
        return hl_fail(error, HL_USAGE, "expected a gallery of two images or more, to see scores vary");
    piece of = {.read = host->allocate(host, PIECE, wide * sizeof *of.read),
                .codes = host->allocate(host, PIECE, wide * sizeof *of.codes),
                .whole = host->allocate(host, PIECE, dim * sizeof *of.whole),
                .product = host->allocate(host, wide, dim * sizeof *of.product)};
    self->mean = host->allocate(host, dim, sizeof *self->mean);
    self->products = host->allocate(host, dim, dim * sizeof *self->products);
    bool room = of.read && of.codes && of.whole && of.product && self->mean && self->products;
    if (status == HL_OK && !room) status = hl_no_memory(error, "a gallery's moments");
    for (; of.first < self->images && status == HL_OK; of.first += PIECE) {
        of.count = self->images - of.first < PIECE ? self->images - of.first : PIECE;
        status = add_piece(self, &of, error);
    }
    host->release(host, of.read);
    host->release(host, of.codes);
    host->release(host, of.whole);
    host->release(host, of.product);
    return status;
}

/* ---- agreement ---- */

/* From sums of products to covariances. */
static void centre(double *products, size_t rows, size_t cols, const double *row_mean, const double *col_mean,
                   size_t images) {
    for (size_t i = 0; i < rows * cols; ++i)
        products[i] = products[i] / (double)images - row_mean[i / cols] * col_mean[i % cols];
}

static double dot(const double *a, const double *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += a[i] * b[i];
    return sum;
}

static hl_status measure_whole(agreement *self, hl_error *error) {
    size_t dim = self->dim;
    double *room = self->host->allocate(self->host, self->rows, dim * sizeof *room);
    if (!room) return hl_no_memory(error, "scores");
    centre(self->products, dim, dim, self->mean, self->mean, self->images);
    hl_status status = self->ask->product_f64(self->ask, false, false, self->rows, dim, dim, self->texts, dim,
                                              self->products, dim, room, dim, error);
    for (size_t k = 0; k < self->rows; ++k) self->spread[k] = dot(room + k * dim, self->texts + k * dim, dim);
    self->host->release(self->host, room);
    return status;
}

/* What one head is measured with. */
typedef struct head_work {
    float *basis;
    double *wide_basis;             /* width x dim */
    double *mean, *products;        /* of its codes */
    double *asked, *varied, *along; /* rows x width: B t, then Cov(y) B t and Cov(y, e) t */
} head_work;

static hl_status open_work(const agreement *self, head_work *out, hl_error *error) {
    const hl_host *host = self->host;
    size_t n = self->widest;
    *out = (head_work){.basis = host->allocate(host, n, self->dim * sizeof *out->basis),
                       .wide_basis = host->allocate(host, n, self->dim * sizeof *out->wide_basis),
                       .mean = host->allocate(host, n, sizeof *out->mean),
                       .products = host->allocate(host, n, n * sizeof *out->products),
                       .asked = host->allocate(host, self->rows, n * sizeof *out->asked),
                       .varied = host->allocate(host, self->rows, n * sizeof *out->varied),
                       .along = host->allocate(host, self->rows, n * sizeof *out->along)};
    bool room = out->basis && out->wide_basis && out->mean && out->products && out->asked && out->varied &&
                out->along;
    return room ? HL_OK : hl_no_memory(error, "scores of a head");
}

static void close_work(const agreement *self, head_work *of) {
    self->host->release(self->host, of->basis);
    self->host->release(self->host, of->wide_basis);
    self->host->release(self->host, of->mean);
    self->host->release(self->host, of->products);
    self->host->release(self->host, of->asked);
    self->host->release(self->host, of->varied);
    self->host->release(self->host, of->along);
}

static hl_status ask_head(const agreement *self, const described_head *head, head_work *with,
                          hl_error *error) {
    const hl_ask *ask = self->ask;
    size_t n = head->width, dim = self->dim, rows = self->rows, images = 0;
    hl_status status = ask->basis(ask, head->component, with->basis, error);
    for (size_t i = 0; i < n * dim && status == HL_OK; ++i) with->wide_basis[i] = (double)with->basis[i];
    if (status == HL_OK)
        status = ask->moments(ask, NULL, head->component, 0, 1, &images, with->mean, with->products, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < n; ++i) with->mean[i] /= (double)images;
    centre(with->products, n, n, with->mean, with->mean, images);
    centre(head->crossed, n, dim, with->mean, self->mean, self->images);
    status = ask->product_f64(ask, false, true, rows, n, dim, self->texts, dim, with->wide_basis, dim,
                              with->asked, n, error);
    if (status == HL_OK)
        status = ask->product_f64(ask, false, false, rows, n, n, with->asked, n, with->products, n,
                                  with->varied, n, error);
    if (status == HL_OK)
        status = ask->product_f64(ask, false, true, rows, n, dim, self->texts, dim, head->crossed, dim,
                                  with->along, n, error);
    return status;
}

static double correlation(const agreement *self, const head_work *with, size_t row, size_t n) {
    const double *asked = with->asked + row * n;
    double own = dot(asked, with->varied + row * n, n), whole = self->spread[row];
    double both = dot(asked, with->along + row * n, n);
    return own > 0 && whole > 0 ? both / sqrt(own * whole) : 0;
}

static hl_status measure_head(agreement *self, const described_head *head, head_work *with, hl_error *error) {
    hl_status status = ask_head(self, head, with, error);
    for (size_t i = 0; i < self->contrast_count && status == HL_OK; ++i) {
        const contrast *of = &self->contrasts[i];
        double mean = 0;
        for (size_t k = 0; k < of->count; ++k)
            mean += correlation(self, with, of->first + k, head->width) / (double)of->count;
        self->agrees[i] = mean > 0 ? mean < 1 ? mean : 1 : 0;
    }
    return status;
}

/* ---- labels ---- */

/* The contrast that comes after so many better ones; of equal ones the first comes first. */
static size_t find_place(const agreement *self, size_t place) {
    for (size_t i = 0; i < self->contrast_count; ++i) {
        size_t before = 0;
        for (size_t j = 0; j < self->contrast_count; ++j) {
            double other = self->agrees[j];
            before += other > self->agrees[i] || (!(other < self->agrees[i]) && j < i);
        }
        if (before == place) return i;
    }
    return SIZE_MAX;
}

static void describe_place(const agreement *self, size_t place, char *out, size_t room) {
    size_t found = find_place(self, place);
    out[0] = '\0';
    if (found == SIZE_MAX) return;
    const char *property = lexicon_property(self->words, self->contrasts[found].property);
    snprintf(out, room, "; %.100s %.2f", property, self->agrees[found]);
}

static hl_status label_head(const agreement *self, const char *head, const hl_value *const *values,
                            hl_finding *finding, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t place = 0; place < (size_t)values[MOST]->integer && status == HL_OK; ++place) {
        size_t best = find_place(self, place);
        char evidence[320], next[128];
        if (best == SIZE_MAX || self->agrees[best] < values[THRESHOLD]->real || !(self->agrees[best] > 0)) {
            if (place > 0) return HL_OK;
            hl_item *item = finding->about(finding, head);
            if (!item) return hl_fail(error, HL_FAILED, "%s: cannot be written about", head);
            describe_place(self, 0, next, sizeof next);
            snprintf(evidence, sizeof evidence,
                     "no property on which it agrees with the whole model enough%s", next);
            finding->result->text(item, "mixed", evidence);
            return HL_OK;
        }
        describe_place(self, place + 1, next, sizeof next);
        snprintf(evidence, sizeof evidence, "agrees with the whole model by %.2f on %zu texts%s",
                 self->agrees[best], self->contrasts[best].count, next);
        const hl_label label = {.size = sizeof label,
                                .head = head,
                                .property = lexicon_property(self->words, self->contrasts[best].property),
                                .weight = self->agrees[best],
                                .evidence = evidence};
        status = finding->label(finding, &label, error);
    }
    return status;
}

static hl_status label_heads(agreement *self, const hl_value *const *values, hl_finding *finding,
                             hl_error *error) {
    head_work with;
    hl_status status = open_work(self, &with, error);
    for (size_t i = 0; i < self->head_count && status == HL_OK; ++i) {
        status = measure_head(self, &self->heads[i], &with, error);
        if (status == HL_OK) status = label_head(self, self->heads[i].name, values, finding, error);
    }
    close_work(self, &with);
    return status;
}

static void close(agreement *self) {
    for (size_t i = 0; self->heads && i < self->head_count; ++i)
        self->host->release(self->host, self->heads[i].crossed);
    lexicon_close(self->words);
    free(self->contrasts);
    free(self->agrees);
    free(self->spread);
    free(self->heads);
    self->host->release(self->host, self->texts);
    self->host->release(self->host, self->mean);
    self->host->release(self->host, self->products);
}

static hl_status label_by_agreement(const hl_ask *ask, const hl_value *const *values, hl_finding *finding,
                                    hl_error *error) {
    const lexicon_files files = {.lines = values[LINES]->string};
    agreement self = {.ask = ask, .host = ask->host, .dim = ask->model->embed_dim};
    hl_status status = lexicon_open(ask->host, &files, &self.words, error);
    if (status == HL_OK) status = take_heads(&self, error);
    bool any = self.head_count > 0;
    if (status == HL_OK && any) status = read_contrasts(&self, files.lines, error);
    if (status == HL_OK && any) status = read_gallery(&self, error);
    if (status == HL_OK && any) status = measure_whole(&self, error);
    if (status == HL_OK && any) status = label_heads(&self, values, finding, error);
    close(&self);
    return status;
}

static const hl_extractor_api api = {.size = sizeof api,
                                     .step = HL_STEP_LABELS,
                                     .from = HL_STEP_DESCRIPTIONS,
                                     .needs = HL_NEEDS_WEIGHTS | HL_NEEDS_GALLERY | HL_NEEDS_EMBEDDINGS,
                                     .run = label_by_agreement};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_EXTRACTOR, "lexicon-agreement", "1.0.0",
              "heads named by the property on which they agree with the whole model over a gallery"),
    HL_OPTIONS(options),
    .api = &api,
};
