/* See context.h. */
#include "core/asking/context.h"
#include "core/io/call.h"

#include "core/io/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { TRACE_BUDGET = 1 << 30 };

typedef struct entry {
    const hl_image *image;
    hl_trace *trace; /* NULL: not encoded yet, or dropped */
    size_t last_use;
} entry;

/* q = B t of one direction, component by component, made when first needed. */
typedef struct queries {
    const float *direction;
    float **by_component;
} queries;

struct context {
    hl_ask interface; /* first: the one is cast to the other */
    engine *model;
    nearest *gallery;              /* NULL: there is none */
    const hl_image *const *images; /* the caller's */
    size_t image_count;
    entry *entries; /* in the experiment's order, each path once */
    size_t count, uses, bytes;
    queries *asked;
    size_t asked_count;
    float *scratch; /* tokens x code width, or embed_dim */
    size_t blanks;  /* pictures of neighbours that could not be read */
};

static context *behind(const hl_ask *interface) {
    return (context *)(uintptr_t)interface;
}

static void drop_trace(context *self, entry *image) {
    self->bytes -= self->model->api.bytes(image->trace);
    self->model->api.release(image->trace);
    image->trace = NULL;
}

/* Makes room, sparing what was used in the present question. */
static void keep_within_budget(context *self) {
    while (self->bytes > TRACE_BUDGET) {
        entry *oldest = NULL;
        for (size_t i = 0; i < self->count; ++i) {
            entry *image = &self->entries[i];
            bool spare = !image->trace || image->last_use == self->uses;
            if (!spare && (!oldest || image->last_use < oldest->last_use)) oldest = image;
        }
        if (!oldest) return;
        drop_trace(self, oldest);
    }
}

typedef struct decoding {
    context *self;
    entry **batch;
    float *pixels;
    hl_status *statuses;
    hl_error *errors;
} decoding;

static void decode_one(void *argument, size_t index) {
    decoding *job = argument;
    const hl_preprocess *preprocess = &job->self->model->info->preprocess;
    float *pixels = job->pixels + index * 3 * preprocess->size * preprocess->size;
    job->statuses[index] =
        picture_pixels(job->batch[index]->image->path, preprocess, pixels, &job->errors[index]);
}

/* Decodes and encodes the images of one batch; on success each has its trace. */
static hl_status encode_batch(context *self, entry **batch, size_t count, hl_error *error) {
    engine *model = self->model;
    size_t side = model->info->preprocess.size;
    decoding job = {.self = self, .batch = batch};
    job.pixels = calloc(count * 3 * side * side, sizeof *job.pixels);
    job.statuses = calloc(count, sizeof *job.statuses);
    job.errors = calloc(count, sizeof *job.errors);
    hl_trace **traces = calloc(count, sizeof *traces);
    hl_status status = HL_OK;
    if (!job.pixels || !job.statuses || !job.errors || !traces)
        status = hl_no_memory(error, "a batch of images");
    if (status == HL_OK) model->interface->parallel(model->interface, count, decode_one, &job);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = job.statuses[i];
        if (status != HL_OK && error) *error = job.errors[i];
    }
    if (status == HL_OK) {
        status = engine_encode_images(model, job.pixels, count, HL_DETAIL_TOKENS, traces, error);
    }
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        batch[i]->trace = traces[i];
        batch[i]->last_use = self->uses;
        self->bytes += model->api.bytes(traces[i]);
    }
    free(traces);
    free(job.errors);
    free(job.statuses);
    free(job.pixels);
    return status;
}

static size_t count_encoded(const context *self) {
    size_t encoded = 0;
    for (size_t i = 0; i < self->count; ++i) encoded += self->entries[i].last_use > 0;
    return encoded;
}

/* The image and those after it that have no trace yet, as many as fit one pass. */
static hl_status encode_from(context *self, size_t first, hl_error *error) {
    size_t count = 0;
    entry **batch = calloc(self->model->batch, sizeof *batch);
    if (!batch) return hl_no_memory(error, "a batch of images");
    for (size_t i = first; i < self->count && count < self->model->batch; ++i) {
        if (!self->entries[i].trace) batch[count++] = &self->entries[i];
    }
    hl_status status = encode_batch(self, batch, count, error);
    free(batch);
    if (status != HL_OK) return status;
    keep_within_budget(self);
    call_progress("encoding images", "image", count_encoded(self), self->count);
    return HL_OK;
}

static hl_status find_trace(context *self, const hl_image *image, const hl_trace **out, hl_error *error) {
    for (size_t i = 0; i < self->count; ++i) {
        if (self->entries[i].image != image && strcmp(self->entries[i].image->path, image->path) != 0)
            continue;
        self->uses++;
        if (!self->entries[i].trace) {
            hl_status status = encode_from(self, i, error);
            if (status != HL_OK) return status;
        }
        self->entries[i].last_use = self->uses;
        *out = self->entries[i].trace;
        return HL_OK;
    }
    return hl_fail(error, HL_FAILED, "%s: the analysis asks about an image that is in none of its options",
                   image->path);
}

static hl_status embedding(const hl_ask *interface, const hl_image *image, float *out, hl_error *error) {
    context *self = behind(interface);
    const hl_trace *trace = NULL;
    hl_status status = find_trace(self, image, &trace, error);
    if (status == HL_OK) self->model->api.embedding(trace, out);
    return status;
}

static hl_status check_component(const context *self, uint32_t component, hl_error *error) {
    uint32_t count = self->model->info->component_count;
    if (component < count) return HL_OK;
    return hl_fail(error, HL_FAILED, "the analysis asks about component %u of %u", component, count);
}

static hl_status code(const hl_ask *interface, const hl_image *image, uint32_t component, float *out,
                      hl_error *error) {
    context *self = behind(interface);
    const hl_trace *trace = NULL;
    hl_status status = check_component(self, component, error);
    if (status == HL_OK) status = find_trace(self, image, &trace, error);
    return status == HL_OK ? self->model->api.code(trace, component, out, error) : status;
}

static hl_status contribution(const hl_ask *interface, const hl_image *image, uint32_t component, float *out,
                              hl_error *error) {
    context *self = behind(interface);
    hl_status status = code(interface, image, component, self->scratch, error);
    return status == HL_OK ? engine_expand(self->model, component, self->scratch, 1, out, error) : status;
}

static hl_status find_queries(context *self, const float *direction, queries **out, hl_error *error) {
    for (size_t i = 0; i < self->asked_count; ++i) {
        *out = &self->asked[i];
        if (self->asked[i].direction == direction) return HL_OK;
    }
    queries *longer = realloc(self->asked, (self->asked_count + 1) * sizeof *longer);
    if (!longer) return hl_no_memory(error, "queries");
    self->asked = longer;
    *out = &longer[self->asked_count];
    **out = (queries){direction, calloc(self->model->info->component_count, sizeof(float *))};
    if (!(*out)->by_component) return hl_no_memory(error, "queries");
    self->asked_count++;
    return HL_OK;
}

static hl_status find_query(context *self, const float *direction, uint32_t component, const float **out,
                            hl_error *error) {
    queries *known = NULL;
    hl_status status = find_queries(self, direction, &known, error);
    if (status != HL_OK) return status;
    *out = known->by_component[component];
    if (*out) return HL_OK;
    float *made = calloc(engine_code_width(engine_component(self->model, component)), sizeof *made);
    if (!made) return hl_no_memory(error, "a query");
    status = engine_query(self->model, component, direction, made, error);
    if (status != HL_OK) {
        free(made);
        return status;
    }
    *out = known->by_component[component] = made;
    return HL_OK;
}

static hl_status add_heat(context *self, const hl_trace *trace, uint32_t component,
                          const hl_direction *direction, double *sums, hl_error *error) {
    const float *query = NULL;
    hl_status status = check_component(self, component, error);
    if (status == HL_OK) status = find_query(self, direction->vector, component, &query, error);
    if (status != HL_OK) return status;
    return engine_add_heat(self->model, trace, component, query, sums, self->scratch, error);
}

/* `own`: room for one component's heat, of as many cells; only used with weights. */
static hl_status add_heats(context *self, const hl_trace *trace, const hl_selection *selection,
                           const hl_direction *direction, size_t cells, double *sums, double *own,
                           hl_error *error) {
    hl_status status = HL_OK;
    const double *weights = selection->weights;
    for (size_t i = 0; i < selection->count && status == HL_OK; ++i) {
        if (weights) memset(own, 0, cells * sizeof *own);
        status = add_heat(self, trace, selection->components[i], direction, weights ? own : sums, error);
        for (size_t j = 0; weights && j < cells; ++j) sums[j] += weights[i] * own[j];
    }
    return status;
}

static hl_status heat(const hl_ask *interface, const hl_image *image, const hl_selection *selection,
                      const hl_direction *direction, float *grid, hl_error *error) {
    context *self = behind(interface);
    size_t cells = (size_t)self->model->info->grid_rows * self->model->info->grid_cols;
    const hl_trace *trace = NULL;
    hl_status status = find_trace(self, image, &trace, error);
    if (status != HL_OK) return status;
    double *sums = calloc(2 * cells, sizeof *sums);
    if (!sums) return hl_no_memory(error, "a heat");
    status = add_heats(self, trace, selection, direction, cells, sums, sums + cells, error);
    for (size_t i = 0; i < cells; ++i) grid[i] = (float)sums[i];
    free(sums);
    return status;
}

static hl_status find_nearest(const hl_ask *interface, const hl_query *query, hl_neighbor *neighbors,
                              size_t *found, hl_error *error) {
    context *self = behind(interface);
    *found = 0;
    if (self->gallery) return nearest_find(self->gallery, interface, query, neighbors, found, error);
    return hl_fail(error, HL_USAGE,
                   "an analysis asks for neighbours, but the experiment names no gallery: add "
                   "gallery: {images: FOLDER}");
}

static size_t scratch_elements(const engine *model) {
    size_t widest = 0;
    for (uint32_t i = 0; i < model->info->component_count; ++i) {
        const hl_component *component = engine_component(model, i);
        size_t rows = component->has_tokens ? engine_tokens(model) : 1;
        size_t elements = rows * engine_code_width(component);
        if (elements > widest) widest = elements;
    }
    return widest;
}

/* Each path once, so that an image of several analyses has one trace. */
static void add_entries(context *self) {
    for (size_t i = 0; i < self->image_count; ++i) {
        bool known = false;
        for (size_t j = 0; j < self->count && !known; ++j) {
            known = strcmp(self->entries[j].image->path, self->images[i]->path) == 0;
        }
        if (!known) self->entries[self->count++].image = self->images[i];
    }
}

hl_status context_open(engine *model, const hl_image *const *images, size_t count, nearest *searched,
                       context **out, hl_error *error) {
    *out = NULL;
    context *self = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "the analyses' context");
    self->interface = (hl_ask){.size = sizeof(hl_ask),
                               .host = model->interface,
                               .model = model->info,
                               .embedding = embedding,
                               .code = code,
                               .contribution = contribution,
                               .heat = heat,
                               .nearest = find_nearest};
    self->model = model;
    self->gallery = searched;
    self->images = images;
    self->image_count = count;
    self->entries = calloc(count + 1, sizeof *self->entries);
    self->scratch = calloc(scratch_elements(model) + 1, sizeof *self->scratch);
    if (!self->entries || !self->scratch) {
        context_close(self);
        return hl_no_memory(error, "the analyses' context");
    }
    add_entries(self);
    *out = self;
    return HL_OK;
}

void context_close(context *self) {
    if (!self) return;
    for (size_t i = 0; self->entries && i < self->count; ++i) {
        if (self->entries[i].trace) drop_trace(self, &self->entries[i]);
    }
    for (size_t i = 0; i < self->asked_count; ++i) {
        for (uint32_t j = 0; j < self->model->info->component_count; ++j)
            free(self->asked[i].by_component[j]);
        free(self->asked[i].by_component);
    }
    free(self->asked);
    free(self->entries);
    free(self->scratch);
    free(self);
}

const hl_ask *context_interface(const context *self) {
    return &self->interface;
}

hl_status context_load_picture(void *user, const char *name, picture *out, hl_error *error) {
    const context *self = user;
    for (size_t i = 0; i < self->image_count; ++i) {
        if (utf8_is_shown_as(self->images[i]->name, name))
            return picture_load(self->images[i]->path, out, error);
    }
    return hl_fail(error, HL_FAILED, "%s: a result shows an image that no analysis was given", name);
}

static const gallery_image *find_neighbor(const context *self, const char *path) {
    return self->gallery ? nearest_image(self->gallery, path) : NULL;
}

/* Once: who misses one picture looks for the rest. */
static void warn_of_blank(context *self, const hl_error *why) {
    const hl_host *interface = self->model->interface;
    if (self->blanks++ > 0) return;
    interface->log(interface, HL_LOG_WARNING,
                   "%s; the page shows a gray square for it, and for others like it", why->message);
}

hl_status context_load_neighbor(void *user, const char *path, picture *out, hl_error *error) {
    context *self = user;
    const gallery_image *image = find_neighbor(self, path);
    if (!image)
        return hl_fail(error, HL_FAILED, "%s: a result shows a neighbour that the gallery lacks", path);
    hl_status status = picture_load(image->file, out, error);
    if (status == HL_UNAVAILABLE) warn_of_blank(self, error);
    return status;
}

const hl_node *context_facts(void *user, const char *path) {
    const gallery_image *image = find_neighbor(user, path);
    return image ? image->facts : NULL;
}
