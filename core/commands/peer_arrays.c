/* `headlight decompose --layout clip_text_span`: what the scripts of clip_text_span compute before they look
 * at it, under their names and in their shapes (compute_prs.py, compute_text_projection.py,
 * compute_text_set_projection.py of github.com/yossigandelsman/clip_text_span), image after image, so that
 * memory does not grow with the gallery. */
#include "core/atlas/gallery.h"
#include "core/commands/peer_texts.h"
#include "core/io/call.h"
#include "core/io/npy.h"
#include "core/io/output.h"
#include "core/io/picture.h"
#include "core/io/utf8.h"
#include "core/registry/guard.h"

#include <stdlib.h>
#include <string.h>

/* Few, so that traces of a large model do not add up. */
enum { IMAGES_PER_PASS = 4 };

typedef struct peer_arrays {
    const hl_peer_arrays_request *request;
    const char *model_name;
    host *host;
    engine *model;
    size_t layers, heads, dim; /* of a layer; of the joint space */
    gallery *images;
    arena memory; /* of what follows */
    text_lines pool, classes, templates;
    int64_t *labels; /* images x label_count */
    output *files;
    FILE *attention, *mlps, *class_token;
    float *codes;        /* of a head by token, or of another component */
    float *contribution; /* of one */
    float *sums;         /* of the class token by layer */
} peer_arrays;

/* ---- the model ---- */

/* Layers of equally many heads, each with its MLP, and one input: what the shapes of these arrays can hold.
 */
static hl_status find_rectangle(peer_arrays *self, hl_error *error) {
    const engine *model = self->model;
    for (uint32_t i = 0; i < model->head_count; ++i)
        self->heads += engine_component(model, model->heads[i])->layer == 0;
    bool fits = self->heads > 0 && model->head_count % self->heads == 0 && model->info->prefix_tokens > 0;
    self->layers = fits ? model->head_count / self->heads : 0;
    fits = fits && model->other_count == self->layers + 1;
    for (uint32_t i = 0; fits && i < model->head_count; ++i) {
        const hl_component *head = engine_component(model, model->heads[i]);
        fits = head->layer == (int32_t)(i / self->heads) && head->index == (int32_t)(i % self->heads) &&
               head->has_tokens;
    }
    for (uint32_t i = 0; fits && i < model->other_count; ++i) {
        const hl_component *other = engine_component(model, model->others[i]);
        fits = i == 0 ? other->kind == HL_INPUT : other->kind == HL_MLP && other->layer == (int32_t)i - 1;
    }
    if (fits) return HL_OK;
    return hl_fail(
        error, HL_USAGE,
        "%s: clip_text_span's arrays are of models with a class token and, in every layer, as many "
        "heads and one MLP; this one is another",
        self->request->model);
}

static hl_status open_model(peer_arrays *self, hl_library *library, hl_error *error) {
    const hl_peer_arrays_request *request = self->request;
    const engine_choice choice = {.backend = request->backend,
                                  .compute = request->compute,
                                  .compute_count = request->compute_count,
                                  .threads = request->threads};
    engine_settings settings = {.source = {.size = sizeof(hl_model_source), .path = request->model},
                                .batch = IMAGES_PER_PASS};
    hl_status status = engine_start(library, &choice, &settings, &self->host, &self->model, error);
    if (status != HL_OK) return status;
    self->dim = self->model->info->embed_dim;
    self->model_name = request->model_name ? request->model_name : self->model->info->name;
    return request->gallery ? find_rectangle(self, error) : HL_OK;
}

/* ---- what is asked for, before anything heavy ---- */

static hl_status check_name(const char *option, const char *name, hl_error *error) {
    if (*name && *name != '.' && !strchr(name, '/')) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s \"%s\": expected a name that can be part of a file's", option, name);
}

static hl_status check_request(const hl_peer_arrays_request *request, hl_error *error) {
    if (!request->gallery && !request->pool && !request->classes) {
        return hl_fail(error, HL_USAGE,
                       "there is nothing to write: expected at least one of a gallery (--gallery), a pool "
                       "(--texts) and classes (--classes)");
    }
    if ((request->gallery || request->classes) && !request->dataset) {
        return hl_fail(error, HL_USAGE, "expected --dataset NAME, by which the arrays' files are called");
    }
    if (request->templates && !request->classes) {
        return hl_fail(error, HL_USAGE, "templates are for classes: expected --classes FILE");
    }
    if (request->label_count && !request->gallery) {
        return hl_fail(error, HL_USAGE, "labels are of images: expected --gallery with a gallery.json");
    }
    hl_status status = request->dataset ? check_name("--dataset", request->dataset, error) : HL_OK;
    if (status != HL_OK || !request->model_name) return status;
    return check_name("--model-name", request->model_name, error);
}

static hl_status read_texts(peer_arrays *self, hl_error *error) {
    const hl_peer_arrays_request *request = self->request;
    hl_status status = HL_OK;
    if (request->pool) status = text_lines_read(request->pool, &self->memory, &self->pool, error);
    if (status == HL_OK && request->pool) status = texts_check(self->model, &self->pool, error);
    if (status != HL_OK || !request->classes) return status;
    status = class_lines_read(request->classes, &self->memory, &self->classes, error);
    if (status == HL_OK)
        status = template_lines_read(request->templates, &self->memory, &self->templates, error);
    return status == HL_OK && !self->model->info->context ? engine_no_texts(self->model, error) : status;
}

static hl_status read_label(const peer_arrays *self, const gallery_image *image, const char *key,
                            int64_t *out, hl_error *error) {
    const hl_node *fact = hl_find(image->facts, key);
    size_t class = fact && fact->type == HL_TEXT ? text_lines_find(&self->classes, fact->text) : SIZE_MAX;
    if (class != SIZE_MAX) {
        *out = (int64_t) class;
    } else if (fact && fact->type == HL_WHOLE) {
        *out = fact->whole;
    } else {
        return hl_fail(
            error, HL_USAGE,
            "%s: its \"%s\" %s%s%s; expected in gallery.json a whole number or one of the classes of "
            "--classes",
            image->path, key, fact ? "is " : "is missing", fact && fact->text ? fact->text : "",
            fact && !fact->text ? "something else" : "");
    }
    return HL_OK;
}

static hl_status read_labels(peer_arrays *self, hl_error *error) {
    const hl_peer_arrays_request *request = self->request;
    size_t keys = request->label_count;
    self->labels = arena_array(&self->memory, self->images->count * keys + 1, sizeof *self->labels);
    if (!self->labels) return hl_no_memory(error, "labels");
    for (size_t i = 0; i < self->images->count * keys; ++i) {
        hl_status status = read_label(self, &self->images->images[i / keys], request->labels[i % keys],
                                      &self->labels[i], error);
        if (status != HL_OK) return status;
    }
    return HL_OK;
}

/* A row that is missing would shift all that follow: every image must be one. */
static hl_status open_images(peer_arrays *self, hl_error *error) {
    if (!self->request->gallery) return HL_OK;
    hl_status status = gallery_open(self->request->gallery, &self->images, error);
    if (status == HL_OK && self->images->count == 0) {
        status = hl_fail(error, HL_USAGE, "%s: there are no images in it", self->request->gallery);
    }
    for (size_t i = 0; status == HL_OK && i < self->images->count; ++i) {
        size_t width, height;
        status = call_check(error);
        if (status == HL_OK) status = picture_size(self->images->images[i].file, &width, &height, error);
    }
    return status == HL_OK ? read_labels(self, error) : status;
}

/* ---- files ---- */

/* An array called "BEFORE_MIDDLE_MODEL.npy", or "BEFORE_MODEL.npy" without a middle. */
static hl_status begin(peer_arrays *self, const char *before, const char *middle, size_t rank,
                       const size_t *shape, FILE **file, hl_error *error) {
    char *name;
    if (asprintf(&name, "%s%s%s_%s.npy", before, middle ? "_" : "", middle ? middle : "", self->model_name) <
        0)
        return hl_no_memory(error, "a name");
    hl_status status = npy_begin(self->files, name, "<f4", rank, shape, file, error);
    free(name);
    return status;
}

static hl_status write(peer_arrays *self, FILE *to, const float *numbers, size_t count, hl_error *error) {
    return output_write(self->files, to, numbers, count * sizeof *numbers, error);
}

/* ---- texts ---- */

/* "texts/general.txt" -> "general" */
static char *stem_of(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t length = strlen(name);
    if (length > 4 && strcmp(name + length - 4, ".txt") == 0) length -= 4;
    return strndup(name, length);
}

static hl_status write_pool(peer_arrays *self, hl_error *error) {
    size_t count = self->pool.count;
    FILE *file;
    if (!self->request->pool) return HL_OK;
    char *stem = stem_of(self->request->pool);
    float *rows = calloc(count * self->dim, sizeof *rows);
    hl_status status = stem && rows
                           ? engine_encode_texts(self->model, self->pool.all, count, rows, NULL, error)
                           : hl_no_memory(error, "a pool");
    if (status == HL_OK) status = begin(self, stem, NULL, NPY_SHAPE(count, self->dim), &file, error);
    if (status == HL_OK) status = write(self, file, rows, count * self->dim, error);
    free(rows);
    free(stem);
    return status;
}

/* A column for each class. */
static hl_status write_classifier(peer_arrays *self, hl_error *error) {
    size_t count = self->classes.count, dim = self->dim;
    FILE *file;
    if (!self->request->classes) return HL_OK;
    float *row = calloc(dim, sizeof *row), *columns = calloc(count * dim, sizeof *columns);
    hl_status status = row && columns ? HL_OK : hl_no_memory(error, "a classifier");
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = class_encode(self->model, self->classes.all[i], &self->templates, row, error);
        for (size_t j = 0; j < dim && status == HL_OK; ++j) columns[j * count + i] = row[j];
        call_progress("classes", "class", i + 1, count);
    }
    if (status == HL_OK)
        status = begin(self, self->request->dataset, "classifier", NPY_SHAPE(dim, count), &file, error);
    if (status == HL_OK) status = write(self, file, columns, count * dim, error);
    free(row);
    free(columns);
    return status;
}

/* ---- images ---- */

static hl_status write_labels(peer_arrays *self, hl_error *error) {
    size_t images = self->images->count, keys = self->request->label_count;
    char *name;
    FILE *file;
    if (keys == 0) return HL_OK;
    if (asprintf(&name, "%s_labels.npy", self->request->dataset) < 0) return hl_no_memory(error, "a name");
    size_t shape[3] = {images, keys, 1};
    hl_status status = npy_begin(self->files, name, "<i8", keys == 1 ? 1 : 3, shape, &file, error);
    free(name);
    if (status != HL_OK) return status;
    return output_write(self->files, file, self->labels, images * keys * sizeof *self->labels, error);
}

/* A line for each path, whatever is in it. */
static const char *unbroken(uint32_t character) {
    return character == '\n' ? "\\n" : character == '\r' ? "\\r" : NULL;
}

/* Which image each row is of. */
static hl_status write_paths(peer_arrays *self, hl_error *error) {
    char *name;
    FILE *file;
    if (asprintf(&name, "%s_images.txt", self->request->dataset) < 0) return hl_no_memory(error, "a name");
    hl_status status = output_file(self->files, name, &file, error);
    free(name);
    for (size_t i = 0; status == HL_OK && i < self->images->count; ++i) {
        char *path = utf8_rewrite(self->images->images[i].path, UTF8_BYTE, unbroken);
        status =
            path ? output_write(self->files, file, path, strlen(path), error) : hl_no_memory(error, "a path");
        if (status == HL_OK) status = output_write(self->files, file, "\n", 1, error);
        free(path);
    }
    return status;
}

static hl_status begin_images(peer_arrays *self, hl_error *error) {
    const char *dataset = self->request->dataset;
    size_t images = self->images->count, layers = self->layers, heads = self->heads, dim = self->dim;
    hl_status status =
        begin(self, dataset, "attn", NPY_SHAPE(images, layers, heads, dim), &self->attention, error);
    if (status == HL_OK)
        status = begin(self, dataset, "mlp", NPY_SHAPE(images, layers + 1, dim), &self->mlps, error);
    if (status == HL_OK)
        status = begin(self, dataset, "cls_attn", NPY_SHAPE(images, layers, dim), &self->class_token, error);
    if (status == HL_OK) status = write_labels(self, error);
    return status == HL_OK ? write_paths(self, error) : status;
}

static size_t widest_code(const peer_arrays *self) {
    size_t out = 0;
    for (uint32_t i = 0; i < self->model->info->component_count; ++i) {
        const hl_component *row = engine_component(self->model, i);
        size_t width = engine_code_width(row) * (row->kind == HL_HEAD ? engine_tokens(self->model) : 1);
        out = width > out ? width : out;
    }
    return out;
}

static hl_status write_contribution(peer_arrays *self, uint32_t component, const float *code, FILE *to,
                                    hl_error *error) {
    hl_status status = engine_expand(self->model, component, code, 1, self->contribution, error);
    return status == HL_OK ? write(self, to, self->contribution, self->dim, error) : status;
}

/* Of the head; what comes from the class token is added to its layer's. */
static hl_status write_head(peer_arrays *self, const hl_trace *trace, uint32_t number, hl_error *error) {
    const engine *model = self->model;
    uint32_t component = model->heads[number];
    float *sum = self->sums + number / self->heads * self->dim;
    hl_status status =
        GUARD(model->model_plugin, error, model->api.token_codes(trace, component, self->codes, error));
    if (status == HL_OK) /* the class token is the first */
        status = engine_expand(self->model, component, self->codes, 1, self->contribution, error);
    for (size_t i = 0; i < self->dim && status == HL_OK; ++i) sum[i] += self->contribution[i];
    if (status == HL_OK)
        status = GUARD(model->model_plugin, error, model->api.code(trace, component, self->codes, error));
    return status == HL_OK ? write_contribution(self, component, self->codes, self->attention, error)
                           : status;
}

static hl_status write_image(peer_arrays *self, const hl_trace *trace, hl_error *error) {
    const engine *model = self->model;
    hl_status status = HL_OK;
    memset(self->sums, 0, self->layers * self->dim * sizeof *self->sums);
    for (uint32_t i = 0; i < model->head_count && status == HL_OK; ++i)
        status = write_head(self, trace, i, error);
    if (status == HL_OK) status = write(self, self->class_token, self->sums, self->layers * self->dim, error);
    for (uint32_t i = 0; i < model->other_count && status == HL_OK; ++i) {
        status =
            GUARD(model->model_plugin, error, model->api.code(trace, model->others[i], self->codes, error));
        if (status == HL_OK)
            status = write_contribution(self, model->others[i], self->codes, self->mlps, error);
    }
    return status;
}

static hl_status do_pass(peer_arrays *self, size_t first, size_t count, float *pixels, hl_error *error) {
    hl_trace *traces[IMAGES_PER_PASS] = {NULL};
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = picture_pixels(self->images->images[first + i].file, self->model->info->preprocess,
                                pixels + i * engine_pixels(self->model), error);
    }
    if (status == HL_OK)
        status = engine_encode_images(self->model, pixels, count, HL_DETAIL_TOKENS, NULL, traces, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = write_image(self, traces[i], error);
    for (size_t i = 0; i < count; ++i) {
        if (traces[i]) GUARD_VOID(self->model->model_plugin, self->model->api.release(traces[i]));
    }
    return status;
}

static hl_status do_images(peer_arrays *self, hl_error *error) {
    if (!self->images) return HL_OK;
    size_t images = self->images->count;
    float *pixels = calloc(IMAGES_PER_PASS * engine_pixels(self->model), sizeof *pixels);
    self->codes = calloc(widest_code(self), sizeof *self->codes);
    self->contribution = calloc(self->dim, sizeof *self->contribution);
    self->sums = calloc(self->layers * self->dim, sizeof *self->sums);
    hl_status status = pixels && self->codes && self->contribution && self->sums
                           ? begin_images(self, error)
                           : hl_no_memory(error, "one image's arrays");
    for (size_t first = 0; first < images && status == HL_OK; first += IMAGES_PER_PASS) {
        size_t left = images - first, count = left < IMAGES_PER_PASS ? left : IMAGES_PER_PASS;
        status = do_pass(self, first, count, pixels, error);
        call_progress("decomposing", "image", first + count, images);
    }
    free(pixels);
    free(self->codes);
    free(self->contribution);
    free(self->sums);
    return status;
}

/* ---- all of it ---- */

static hl_status write_all(peer_arrays *self, hl_error *error) {
    hl_status status = output_open(self->request->output, &self->files, error);
    if (status == HL_OK) output_heed_call(self->files);
    if (status == HL_OK) status = engine_load(self->model, error);
    if (status == HL_OK) status = write_pool(self, error);
    if (status == HL_OK) status = write_classifier(self, error);
    if (status == HL_OK) status = do_images(self, error);
    if (status != HL_OK) return status;
    status = output_commit(self->files, error);
    self->files = NULL;
    return status;
}

static hl_status write_peer_arrays(hl_library *library, const hl_peer_arrays_request *request,
                                   hl_error *error) {
    peer_arrays self = {.request = request};
    hl_status status = check_request(request, error);
    if (status == HL_OK) status = open_model(&self, library, error);
    if (status == HL_OK) status = read_texts(&self, error);
    if (status == HL_OK) status = open_images(&self, error);
    if (status == HL_OK) status = write_all(&self, error);
    output_abandon(self.files);
    gallery_close(self.images);
    arena_free(&self.memory);
    engine_close(self.model);
    host_close(self.host);
    return status;
}

hl_status hl_peer_arrays(hl_library *library, const hl_call *call, const hl_peer_arrays_request *request,
                         hl_error *error) {
    hl_peer_arrays_request own;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_peer_arrays_request", error);
    if (status == HL_OK) status = write_peer_arrays(library, &own, error);
    call_end(&scope);
    return status;
}
