/* Head effects: what each head, each MLP and the input add to the cosine of an image and a text. An image's
 * normalised embedding is the sum of what all components write, so its cosine with a text is the sum of c . t
 * (Gandelsman, Efros and Steinhardt 2024, section 3); of a gallery the mean of c takes c's place. */
#include "headlight/analysis.h"
#include "headlight/plugin.h"

#include <math.h>

/* In the order of the table. */
enum { IMAGES, TEXTS, GALLERY, COUNT };

static const hl_option options[] = {
    {.name = "images",
     .type = HL_IMAGES,
     .fallback = "[]",
     .flags = HL_OPTION_MAY_BE_EMPTY,
     .help = "The images, each by itself."},
    {.name = "texts", .type = HL_DIRECTIONS, .help = "The texts whose cosine is taken apart."},
    {.name = "gallery",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Also the mean over all images of the gallery."},
    {.name = "count",
     .type = HL_INT,
     .fallback = "10",
     .min = 1,
     .max = 100000,
     .help = "How many of the strongest are listed, whether they add or take away."},
};

/* Room for one image, or the mean over many. */
typedef struct work {
    const hl_ask *ask;
    const hl_value *texts;
    size_t dim, components;
    float *written, *basis; /* a contribution; a basis */
    double *mean;           /* a mean contribution */
    double *sum, *products; /* moments */
    double *effects;        /* texts x components */
    double *products_with;  /* of the whole normalised embedding with each text */
    size_t *order;          /* components, the strongest first */
} work;

enum { BLOCK = 64 }; /* images of a gallery that are read at once */

static size_t code_width(const hl_component *of) {
    return (size_t)of->width + of->scalar_count;
}

static void close_work(work *self) {
    const hl_host *host = self->ask->host;
    host->release(host, self->written);
    host->release(host, self->basis);
    host->release(host, self->mean);
    host->release(host, self->sum);
    host->release(host, self->products);
    host->release(host, self->effects);
    host->release(host, self->products_with);
    host->release(host, self->order);
}

static hl_status open_work(work *self, const hl_ask *ask, const hl_value *texts, hl_error *error) {
    const hl_host *host = ask->host;
    const hl_model_info *model = ask->model;
    size_t dim = model->embed_dim, widest = 1;
    *self = (work){.ask = ask, .texts = texts, .dim = dim, .components = model->component_count};
    for (uint32_t i = 0; i < model->component_count; ++i) {
        const hl_component *of = hl_component_at(model, i);
        if (of->kind == HL_HEAD && code_width(of) > widest) widest = code_width(of);
    }
    self->written = host->allocate(host, BLOCK * dim, sizeof *self->written);
    self->basis = host->allocate(host, widest * dim, sizeof *self->basis);
    self->mean = host->allocate(host, dim, sizeof *self->mean);
    self->sum = host->allocate(host, widest, sizeof *self->sum);
    self->products = host->allocate(host, widest * widest, sizeof *self->products);
    self->effects = host->allocate(host, texts->count, (self->components + 1) * sizeof *self->effects);
    self->products_with = host->allocate(host, texts->count, sizeof *self->products_with);
    self->order = host->allocate(host, self->components + 1, sizeof *self->order);
    bool all = self->written && self->basis && self->mean && self->sum && self->products && self->effects &&
               self->products_with && self->order;
    return all ? HL_OK : hl_no_memory(error, "the effects of heads");
}

/* ---- numbers ---- */

static double length_of(const float *vector, size_t dim) {
    double square = 0;
    for (size_t i = 0; i < dim; ++i) square += (double)vector[i] * (double)vector[i];
    return sqrt(square);
}

static const hl_direction *text_at(const work *self, size_t text) {
    return self->texts->directions[text];
}

/* mean . t of every text, as the effects of a component. */
static void take_effects(work *self, size_t component) {
    for (size_t k = 0; k < self->texts->count; ++k) {
        const float *t = text_at(self, k)->vector;
        double effect = 0;
        for (size_t i = 0; i < self->dim; ++i) effect += self->mean[i] * (double)t[i];
        self->effects[k * self->components + component] = effect;
    }
}

/* To `products_with` the products of the normalised embedding, `share` of it. */
static void add_products(work *self, const float *embedding, double share) {
    double length = length_of(embedding, self->dim);
    for (size_t k = 0; k < self->texts->count && length > 0; ++k) {
        const float *t = text_at(self, k)->vector;
        double product = 0;
        for (size_t i = 0; i < self->dim; ++i) product += (double)embedding[i] * (double)t[i];
        self->products_with[k] += share * product / length;
    }
}

static void forget_products(work *self) {
    for (size_t k = 0; k < self->texts->count; ++k) self->products_with[k] = 0;
}

/* ---- an image ---- */

static hl_status take_apart_image(work *self, const hl_image *image, hl_error *error) {
    hl_status status = HL_OK;
    forget_products(self);
    for (size_t i = 0; i < self->components && status == HL_OK; ++i) {
        status = self->ask->contribution(self->ask, image, (uint32_t)i, self->written, error);
        if (status != HL_OK) return status;
        for (size_t j = 0; j < self->dim; ++j) self->mean[j] = (double)self->written[j];
        take_effects(self, i);
    }
    status = self->ask->embedding(self->ask, image, self->written, error);
    if (status == HL_OK) add_products(self, self->written, 1);
    return status;
}

/* ---- a gallery ---- */

/* mean(c) = mean(y) B, from the moments alone. */
static hl_status mean_of_head(work *self, uint32_t head, hl_error *error) {
    const hl_ask *ask = self->ask;
    size_t width = code_width(hl_component_at(ask->model, head)), images = 0;
    hl_status status = ask->basis(ask, head, self->basis, error);
    if (status == HL_OK) {
        status = ask->moments(ask, NULL, head, 0, 1, &images, self->sum, self->products, error);
    }
    for (size_t j = 0; j < self->dim && status == HL_OK; ++j) {
        double sum = 0;
        for (size_t i = 0; i < width; ++i) sum += self->sum[i] * (double)self->basis[i * self->dim + j];
        self->mean[j] = images ? sum / (double)images : 0;
    }
    return status;
}

static size_t block_at(size_t first, size_t images) {
    return images - first < BLOCK ? images - first : BLOCK;
}

/* What a component that is no head wrote is kept image by image. */
static hl_status mean_of_other(work *self, uint32_t component, size_t images, hl_error *error) {
    const hl_ask *ask = self->ask;
    for (size_t j = 0; j < self->dim; ++j) self->mean[j] = 0;
    for (size_t first = 0; first < images; first += BLOCK) {
        size_t count = block_at(first, images);
        hl_status status = ask->gallery_codes(ask, NULL, component, first, count, self->written, error);
        if (status != HL_OK) return status;
        for (size_t i = 0; i < count * self->dim; ++i) {
            self->mean[i % self->dim] += (double)self->written[i] / (double)images;
        }
    }
    return HL_OK;
}

static hl_status add_gallery_products(work *self, size_t images, hl_error *error) {
    const hl_ask *ask = self->ask;
    forget_products(self);
    for (size_t first = 0; first < images; first += BLOCK) {
        size_t count = block_at(first, images);
        hl_status status = ask->gallery_embeddings(ask, NULL, first, count, self->written, error);
        if (status != HL_OK) return status;
        for (size_t i = 0; i < count; ++i) {
            add_products(self, self->written + i * self->dim, 1 / (double)images);
        }
    }
    return HL_OK;
}

static hl_status take_apart_gallery(work *self, size_t *images, hl_error *error) {
    const hl_ask *ask = self->ask;
    hl_status status = ask->gallery_count(ask, NULL, images, error);
    if (status == HL_OK && !*images) {
        return hl_fail(error, HL_FAILED, "the gallery has no image: there is no mean over it");
    }
    for (uint32_t i = 0; i < self->components && status == HL_OK; ++i) {
        bool head = hl_component_at(ask->model, i)->kind == HL_HEAD;
        status = hl_check_cancelled(ask->host, error);
        if (status != HL_OK) return status;
        status = head ? mean_of_head(self, i, error) : mean_of_other(self, i, *images, error);
        if (status == HL_OK) take_effects(self, i);
    }
    return status == HL_OK ? add_gallery_products(self, *images, error) : status;
}

/* ---- results ---- */

/* Whether `a` comes before `b`: the stronger, and of equally strong ones the first of the model. */
static bool comes_before(const double *effects, size_t a, size_t b) {
    double left = fabs(effects[a]), right = fabs(effects[b]);
    return left > right || (!(left < right) && a < b);
}

/* The `count` strongest to the front of `order`. */
static void find_strongest(work *self, const double *effects, size_t count) {
    for (size_t i = 0; i < self->components; ++i) self->order[i] = i;
    for (size_t rank = 0; rank < count && rank < self->components; ++rank) {
        size_t best = rank;
        for (size_t i = rank + 1; i < self->components; ++i) {
            if (comes_before(effects, self->order[i], self->order[best])) best = i;
        }
        size_t taken = self->order[best];
        self->order[best] = self->order[rank];
        self->order[rank] = taken;
    }
}

static void list_components(work *self, const double *effects, hl_result *result, hl_item *table,
                            bool heads) {
    for (uint32_t i = 0; i < self->components; ++i) {
        const hl_component *of = hl_component_at(self->ask->model, i);
        if ((of->kind == HL_HEAD) != heads) continue;
        hl_item *row = result->map(table, NULL);
        result->text(row, heads ? "head" : "name", of->name);
        result->number(row, "value", effects[i]);
    }
}

static void list_strongest(work *self, const double *effects, size_t count, hl_result *result,
                           hl_item *item) {
    hl_item *table = result->list(item, "strongest", HL_TABLE);
    find_strongest(self, effects, count);
    for (size_t rank = 0; rank < count && rank < self->components; ++rank) {
        size_t at = self->order[rank];
        hl_item *row = result->map(table, NULL);
        result->whole(row, "rank", (int64_t)rank + 1);
        result->text(row, "component", hl_component_at(self->ask->model, (uint32_t)at)->name);
        result->number(row, "effect", effects[at]);
    }
}

/* What the effects sum to is a cosine only where the direction has length 1. */
static void say_sum(work *self, size_t text, hl_result *result, hl_item *item) {
    static const double rounding = 1e-4;
    const double *effects = self->effects + text * self->components;
    double length = length_of(text_at(self, text)->vector, self->dim), sum = 0;
    bool unit = fabs(length - 1) < rounding;
    for (size_t i = 0; i < self->components; ++i) sum += effects[i];
    result->number(item, "sum", sum);
    result->number(item, unit ? "cosine" : "product", self->products_with[text]);
    if (!unit) {
        result->number(item, "length", length);
        result->text(item, "note",
                     "The direction is not of length 1: the effects sum to its dot product with the "
                     "normalised embedding, which is the cosine times the length.");
    }
}

/* One map of heads. `image` NULL: of the gallery's `images`. */
static void report_text(work *self, size_t text, const hl_image *image, size_t images, size_t count,
                        hl_result *result) {
    const double *effects = self->effects + text * self->components;
    const char *name = text_at(self, text)->name;
    char title[512];
    if (image) {
        const char *slash = strrchr(image->name, '/'), *file = slash && slash[1] ? slash + 1 : image->name;
        hl_format(title, sizeof title, "What each head adds to the cosine of %s and \"%s\"", file, name);
    } else {
        hl_format(title, sizeof title, "What each head adds to the cosine with \"%s\", mean over %zu images",
                  name, images);
    }
    hl_item *item = result->item(result, HL_SCHEMA_HEAD_MAP);
    result->text(item, "title", title);
    if (image) result->text(item, "image", image->name);
    if (!image) result->whole(item, "images", (int64_t)images);
    result->text(item, "text", name);
    say_sum(self, text, result, item);
    result->truth(item, "signed", true);
    list_components(self, effects, result, result->list(item, "heads", HL_TABLE), true);
    list_components(self, effects, result, result->list(item, "rest", HL_TABLE), false);
    list_strongest(self, effects, count, result, item);
}

static void report_all(work *self, const hl_image *image, size_t images, const hl_value *const *values,
                       hl_result *result) {
    for (size_t k = 0; k < self->texts->count; ++k) {
        report_text(self, k, image, images, (size_t)values[COUNT]->integer, result);
    }
}

static hl_status take_apart(work *self, const hl_value *const *values, hl_result *result, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < values[IMAGES]->count && status == HL_OK; ++i) {
        const hl_image *image = values[IMAGES]->images[i];
        status = take_apart_image(self, image, error);
        if (status == HL_OK) report_all(self, image, 1, values, result);
    }
    size_t images = 0;
    if (status != HL_OK || !values[GALLERY]->boolean) return status;
    status = take_apart_gallery(self, &images, error);
    if (status == HL_OK) report_all(self, NULL, images, values, result);
    return status;
}

static hl_status find_effects(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                              hl_error *error) {
    work room;
    if (!values[IMAGES]->count && !values[GALLERY]->boolean) {
        return hl_fail(error, HL_USAGE,
                       "name images, or ask for the mean over the gallery with gallery: true");
    }
    if (values[GALLERY]->boolean && !ask->gallery) {
        return hl_fail(error, HL_USAGE, "gallery: true, but there is none: add gallery: {images: FOLDER}");
    }
    hl_status status = open_work(&room, ask, values[TEXTS], error);
    if (status == HL_OK) status = take_apart(&room, values, result, error);
    close_work(&room);
    return status;
}

/* The gallery itself is needed only where it is asked for. */
static const hl_analysis_api api = {
    .size = sizeof api, .run = find_effects, .needs = HL_NEEDS_MLPS | HL_NEEDS_EMBEDDINGS};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "head-effects", "1.0.0",
              "what each head, each MLP and the input add to the cosine of an image and a text"),
    HL_OPTIONS(options),
    .api = &api,
};
