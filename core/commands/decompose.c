/* `headlight decompose`: the arrays of one model for some images and texts, as .npy files.
 *
 * Arrays are written image after image as they are made, so memory does not grow with the number of images.
 * This is where a table of components is written out as layers x heads, where its heads form such a
 * rectangle; what does not fit one is written by component_arrays.c. */
#include "core/commands/component_arrays.h"
#include "core/engine/cut_texts.h"
#include "core/engine/engine.h"
#include "core/host/library.h"
#include "core/io/call.h"
#include "core/io/input.h"
#include "core/io/lines.h"
#include "core/io/npy.h"
#include "core/io/picture.h"
#include "core/registry/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Few, so that traces of a large model do not add up. */
enum { IMAGES_PER_PASS = 4, LARGEST_TEXT_FILE = 1 << 30 };

/* An array that is being written. */
typedef struct array {
    const char *name;
    FILE *file;
} array;

typedef struct decompose {
    const hl_decompose_request *request;
    host *host;
    engine *model;
    const hl_model_info *info;
    bool is_rectangle; /* its heads are layers x heads of one width, each with parts by token */
    size_t layers, heads, code_width; /* of the rectangle; a list of such heads has one layer */
    bool has_heat;                    /* all heads are of one width and have parts by token */
    uint32_t *summands;               /* MLPs and what enters the first layer */
    size_t summand_count;
    component_arrays *components; /* NULL: the rectangle and its summands are all there is */
    size_t tokens, cells, width;
    size_t image_height, image_width, image_numbers; /* of an image as the model takes it */
    size_t image_count;
    npy_array given; /* --pixels */
    char **texts;
    size_t text_count;
    float *queries; /* text x head x code_width */
    output *files;
    array pixels, embedding, codes, head_sums, mlps, token_sums, heat, logits;
    float *text_embeddings; /* text x width */
    float *buffer;          /* what one image needs at most of one array */
    double *grid;
} decompose;

static void find_rectangle(decompose *self) {
    const engine *model = self->model;
    size_t first_layer = 0;
    self->has_heat = model->head_count > 0;
    for (uint32_t i = 0; i < model->head_count; ++i) {
        const hl_component *head = engine_component(model, model->heads[i]);
        if (i == 0) self->code_width = engine_code_width(head);
        if (head->layer == 0) first_layer++;
        self->has_heat &= head->has_tokens && engine_code_width(head) == self->code_width;
    }
    self->is_rectangle = self->has_heat && first_layer > 0 && model->head_count % first_layer == 0;
    for (uint32_t i = 0; self->is_rectangle && i < model->head_count; ++i) {
        const hl_component *head = engine_component(model, model->heads[i]);
        self->is_rectangle =
            head->layer == (int32_t)(i / first_layer) && head->index == (int32_t)(i % first_layer);
    }
    self->heads = self->is_rectangle ? first_layer : model->head_count;
    self->layers = self->is_rectangle ? model->head_count / first_layer : 1;
}

static hl_status find_summands(decompose *self, hl_error *error) {
    const engine *model = self->model;
    self->summands = calloc((size_t)model->other_count + 1, sizeof *self->summands);
    if (!self->summands) return hl_no_memory(error, "the components");
    for (uint32_t i = 0; i < model->other_count; ++i) {
        if (engine_component(model, model->others[i])->kind == HL_REMAINDER) continue;
        self->summands[self->summand_count++] = model->others[i];
    }
    return HL_OK;
}

static bool is_rectangle_all(const decompose *self) {
    return self->is_rectangle && self->summand_count == self->model->other_count;
}

static hl_status open_model(decompose *self, hl_library *library, hl_error *error) {
    const hl_decompose_request *request = self->request;
    const engine_choice choice = {.backend = request->backend,
                                  .compute = request->compute,
                                  .compute_count = request->compute_count,
                                  .threads = request->threads};
    engine_settings settings = {.source = {.size = sizeof(hl_model_source), .path = request->model},
                                .model_options = request->options,
                                .model_option_count = request->option_count,
                                .batch = IMAGES_PER_PASS};
    hl_status status = engine_start(library, &choice, &settings, &self->host, &self->model, error);
    if (status != HL_OK) return status;
    self->info = self->model->info;
    self->tokens = engine_tokens(self->model);
    self->cells = self->tokens - self->info->prefix_tokens;
    self->width = self->info->embed_dim;
    self->image_height = self->info->preprocess->height;
    self->image_width = self->info->preprocess->width;
    self->image_numbers = engine_pixels(self->model);
    find_rectangle(self);
    return find_summands(self, error);
}

static hl_status check_images(decompose *self, hl_error *error) {
    const hl_decompose_request *request = self->request;
    if ((request->pixels != NULL) == (request->image_count > 0)) {
        return hl_fail(error, HL_USAGE, "give either images (--image FILE, repeatable) or --pixels FILE.npy");
    }
    self->image_count = request->image_count;
    hl_status status = HL_OK;
    for (size_t i = 0; i < request->image_count && status == HL_OK; ++i) {
        size_t width, height;
        status = picture_size(request->images[i], &width, &height, error);
    }
    if (status != HL_OK || !request->pixels) return status;
    status = npy_read(request->pixels, &self->given, error);
    if (status != HL_OK) return status;
    const size_t *shape = self->given.shape;
    bool fits = self->given.rank == 4 && shape[1] == 3 && shape[2] == self->image_height &&
                shape[3] == self->image_width;
    if (!fits || shape[0] == 0) {
        return hl_fail(error, HL_FAILED, "%s: must hold images x 3 x %zu x %zu numbers for this model",
                       request->pixels, self->image_height, self->image_width);
    }
    self->image_count = shape[0];
    return HL_OK;
}

static hl_status add_text(decompose *self, const char *text, size_t length, hl_error *error) {
    char **longer = realloc(self->texts, (self->text_count + 1) * sizeof *longer);
    if (!longer) return hl_no_memory(error, "the texts");
    self->texts = longer;
    longer[self->text_count] = strndup(text, length);
    if (!longer[self->text_count]) return hl_no_memory(error, "the texts");
    self->text_count++;
    return HL_OK;
}

static hl_status read_text_file(decompose *self, hl_error *error) {
    uint8_t *bytes;
    size_t count;
    hl_status status =
        input_read_piped(self->request->text_file, LARGEST_TEXT_FILE, &bytes, &count, NULL, error);
    if (status != HL_OK) return status;
    lines all = lines_of(self->request->text_file, bytes, count);
    line one;
    status = lines_next(&all, &one, error);
    for (; status == HL_OK && one.text; status = lines_next(&all, &one, error)) {
        status = add_text(self, one.text, one.length, error);
        if (status != HL_OK) break;
    }
    free(bytes);
    return status;
}

/* All texts become ids before the weights are read, so that a bad one costs no time and a cut one is known.
 */
static hl_status check_texts(decompose *self, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->request->text_count && status == HL_OK; ++i) {
        status = add_text(self, self->request->texts[i], strlen(self->request->texts[i]), error);
    }
    if (status == HL_OK && self->request->text_file) status = read_text_file(self, error);
    cut_texts cut = {.count = 0};
    for (size_t i = 0; i < self->text_count && status == HL_OK; ++i) {
        status = cut_texts_check(&cut, self->model, self->texts[i], error);
    }
    if (status == HL_OK) cut_texts_warn(&cut, self->model);
    cut_texts_free(&cut);
    return status;
}

/* A head's code and contribution, a head's heat, or the tokens of a layer. */
static hl_status allocate_buffers(decompose *self, hl_error *error) {
    size_t largest = self->width + self->code_width;
    if (self->cells > largest) largest = self->cells;
    if (self->is_rectangle && self->request->tokens && self->tokens * self->heads * self->width > largest) {
        largest = self->tokens * self->heads * self->width;
    }
    self->buffer = calloc(largest, sizeof *self->buffer);
    self->grid = calloc(self->cells, sizeof *self->grid);
    return self->buffer && self->grid ? HL_OK : hl_no_memory(error, "one image's arrays");
}

static hl_status write(decompose *self, array *to, const void *data, size_t elements, hl_error *error) {
    return output_write(self->files, to->file, data, elements * sizeof(float), error);
}

static hl_status begin(decompose *self, array *to, const char *name, size_t rank, const size_t *shape,
                       hl_error *error) {
    to->name = name;
    return npy_begin(self->files, name, "<f4", rank, shape, &to->file, error);
}

static hl_status begin_rectangle(decompose *self, hl_error *error) {
    size_t b = self->image_count, l = self->layers, h = self->heads, d = self->width;
    hl_status status = begin(self, &self->codes, "codes.npy", NPY_SHAPE(b, l, h, self->code_width), error);
    if (status == HL_OK) status = begin(self, &self->head_sums, "heads.npy", NPY_SHAPE(b, l, h, d), error);
    if (status == HL_OK)
        status = begin(self, &self->mlps, "mlps.npy", NPY_SHAPE(b, self->summand_count, d), error);
    if (status == HL_OK && self->request->tokens) {
        status = begin(self, &self->token_sums, "tokens.npy", NPY_SHAPE(b, l, self->tokens, h, d), error);
    }
    return status;
}

/* Without layers the heads come in the order of the component table. */
static hl_status begin_heat(decompose *self, hl_error *error) {
    size_t b = self->image_count, t = self->text_count, l = self->layers, h = self->heads, n = self->cells;
    if (t == 0 || !self->has_heat) return HL_OK;
    if (!self->is_rectangle) return begin(self, &self->heat, "heat.npy", NPY_SHAPE(b, t, h, n), error);
    return begin(self, &self->heat, "heat.npy", NPY_SHAPE(b, t, l, h, n), error);
}

static bool has_logits(const decompose *self) {
    return self->text_count > 0 && self->info->score != HL_SCORE_UNKNOWN;
}

static hl_status begin_components(decompose *self, hl_error *error) {
    const component_wish wish = {self->image_count, !self->is_rectangle,
                                 self->request->tokens && !self->is_rectangle};
    if (is_rectangle_all(self)) return HL_OK;
    return component_arrays_begin(self->model, self->files, wish, &self->components, error);
}

static hl_status begin_arrays(decompose *self, hl_error *error) {
    size_t b = self->image_count;
    hl_status status = begin(self, &self->pixels, "pixels.npy",
                             NPY_SHAPE(b, 3, self->image_height, self->image_width), error);
    if (status == HL_OK)
        status = begin(self, &self->embedding, "embedding.npy", NPY_SHAPE(b, self->width), error);
    if (status == HL_OK && self->is_rectangle) status = begin_rectangle(self, error);
    if (status == HL_OK) status = begin_components(self, error);
    if (status == HL_OK && has_logits(self)) {
        status = begin(self, &self->logits, "logits.npy", NPY_SHAPE(b, self->text_count), error);
    }
    return status == HL_OK ? begin_heat(self, error) : status;
}

static hl_status write_bases(decompose *self, hl_error *error) {
    array bases;
    if (!self->is_rectangle) return HL_OK;
    hl_status status = begin(self, &bases, "bases.npy",
                             NPY_SHAPE(self->layers, self->heads, self->code_width, self->width), error);
    for (uint32_t i = 0; i < self->model->head_count && status == HL_OK; ++i) {
        const float *basis;
        status = engine_basis(self->model, engine_component(self->model, self->model->heads[i])->basis,
                              &basis, error);
        if (status == HL_OK) status = write(self, &bases, basis, self->code_width * self->width, error);
        call_progress("bases", "head", i + 1, self->model->head_count);
    }
    return status;
}

static hl_status make_queries(decompose *self, const float *embeddings, hl_error *error) {
    size_t heads = self->model->head_count;
    self->queries = calloc(self->text_count * heads, self->code_width * sizeof *self->queries);
    if (!self->queries) return hl_no_memory(error, "the texts' queries");
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->text_count * heads && status == HL_OK; ++i) {
        const float *direction = embeddings + i / heads * self->width;
        float *query = self->queries + i * self->code_width;
        status = engine_query(self->model, self->model->heads[i % heads], direction, query, error);
    }
    return status;
}

static hl_status write_text_arrays(decompose *self, const float *embeddings, const int32_t *ids,
                                   hl_error *error) {
    size_t count = self->text_count, context = self->info->context;
    array file;
    hl_status status = begin(self, &file, "text_embedding.npy", NPY_SHAPE(count, self->width), error);
    if (status == HL_OK) status = write(self, &file, embeddings, count * self->width, error);
    if (status == HL_OK) {
        status = npy_begin(self->files, "text_ids.npy", "<i4", NPY_SHAPE(count, context), &file.file, error);
    }
    if (status != HL_OK) return status;
    return output_write(self->files, file.file, ids, count * context * sizeof *ids, error);
}

static hl_status do_texts(decompose *self, hl_error *error) {
    if (self->text_count == 0) return HL_OK;
    float *embeddings = calloc(self->text_count * self->width, sizeof *embeddings);
    int32_t *ids = calloc(self->text_count * self->info->context + 1, sizeof *ids);
    hl_status status = embeddings && ids ? HL_OK : hl_no_memory(error, "the texts' embeddings");
    if (status == HL_OK) {
        status = engine_encode_texts(self->model, (const char *const *)self->texts, self->text_count,
                                     embeddings, ids, error);
    }
    if (status == HL_OK) status = write_text_arrays(self, embeddings, ids, error);
    if (status == HL_OK && self->has_heat) status = make_queries(self, embeddings, error);
    if (status == HL_OK) self->text_embeddings = embeddings, embeddings = NULL;
    free(embeddings);
    free(ids);
    return status;
}

static hl_status write_codes_and_heads(decompose *self, const hl_trace *trace, hl_error *error) {
    const engine *model = self->model;
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < model->head_count && status == HL_OK; ++i) {
        status =
            GUARD(model->model_plugin, error, model->api.code(trace, model->heads[i], self->buffer, error));
        if (status == HL_OK) status = write(self, &self->codes, self->buffer, self->code_width, error);
    }
    for (uint32_t i = 0; i < model->head_count && status == HL_OK; ++i) {
        float *code = self->buffer, *contribution = self->buffer + self->code_width;
        status = GUARD(model->model_plugin, error, model->api.code(trace, model->heads[i], code, error));
        if (status == HL_OK)
            status = engine_expand(self->model, model->heads[i], code, 1, contribution, error);
        if (status == HL_OK) status = write(self, &self->head_sums, contribution, self->width, error);
    }
    return status;
}

static hl_status write_summands(decompose *self, const hl_trace *trace, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->summand_count && status == HL_OK; ++i) {
        uint32_t component = self->summands[i];
        size_t width = engine_code_width(engine_component(self->model, component));
        float *code = calloc(width + self->width, sizeof *code);
        if (!code) return hl_no_memory(error, "a code");
        status =
            GUARD(self->model->model_plugin, error, self->model->api.code(trace, component, code, error));
        if (status == HL_OK) status = engine_expand(self->model, component, code, 1, code + width, error);
        if (status == HL_OK) status = write(self, &self->mlps, code + width, self->width, error);
        free(code);
    }
    return status;
}

/* The contributions of all tokens of a layer: tokens x heads x width, in the buffer. */
static hl_status expand_layer(decompose *self, const hl_trace *trace, size_t layer, float *codes, float *rows,
                              hl_error *error) {
    hl_status status = HL_OK;
    for (size_t h = 0; h < self->heads && status == HL_OK; ++h) {
        uint32_t component = self->model->heads[layer * self->heads + h];
        status = GUARD(self->model->model_plugin, error,
                       self->model->api.token_codes(trace, component, codes, error));
        if (status == HL_OK) status = engine_expand(self->model, component, codes, self->tokens, rows, error);
        for (size_t i = 0; i < self->tokens && status == HL_OK; ++i) {
            memcpy(self->buffer + (i * self->heads + h) * self->width, rows + i * self->width,
                   self->width * sizeof *rows);
        }
    }
    return status;
}

static hl_status write_tokens(decompose *self, const hl_trace *trace, hl_error *error) {
    float *codes = calloc(self->tokens * self->code_width, sizeof *codes);
    float *rows = calloc(self->tokens * self->width, sizeof *rows);
    hl_status status = codes && rows ? HL_OK : hl_no_memory(error, "one head's tokens");
    for (size_t layer = 0; layer < self->layers && status == HL_OK; ++layer) {
        status = expand_layer(self, trace, layer, codes, rows, error);
        size_t elements = self->tokens * self->heads * self->width;
        if (status == HL_OK) status = write(self, &self->token_sums, self->buffer, elements, error);
    }
    free(rows);
    free(codes);
    return status;
}

static hl_status write_heat(decompose *self, const hl_trace *trace, hl_error *error) {
    size_t heads = self->model->head_count;
    float *scratch = calloc(self->tokens * self->code_width, sizeof *scratch);
    if (!scratch) return hl_no_memory(error, "one head's tokens");
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->text_count * heads && status == HL_OK; ++i) {
        memset(self->grid, 0, self->cells * sizeof *self->grid);
        const engine_heat one = {self->model->heads[i % heads], self->queries + i * self->code_width,
                                 self->grid};
        status = engine_add_heats(self->model, trace, &one, 1, 0, 1, scratch, error);
        for (size_t j = 0; j < self->cells; ++j) self->buffer[j] = (float)self->grid[j];
        if (status == HL_OK) status = write(self, &self->heat, self->buffer, self->cells, error);
    }
    free(scratch);
    return status;
}

/* What the model makes of the cosine of this image, whose embedding is in the buffer, and each text. */
static hl_status write_logits(decompose *self, hl_error *error) {
    double square = 0;
    hl_status status = HL_OK;
    for (size_t j = 0; j < self->width; ++j) square += (double)self->buffer[j] * (double)self->buffer[j];
    for (size_t i = 0; i < self->text_count && status == HL_OK; ++i) {
        const float *direction = self->text_embeddings + i * self->width;
        double dot = 0;
        for (size_t j = 0; j < self->width; ++j) dot += (double)self->buffer[j] * (double)direction[j];
        float logit = (float)(self->info->logit_scale * dot / sqrt(square) + self->info->logit_bias);
        status = write(self, &self->logits, &logit, 1, error);
    }
    return status;
}

static hl_status write_image(decompose *self, const hl_trace *trace, hl_error *error) {
    self->model->api.embedding(trace, self->buffer);
    hl_status status = write(self, &self->embedding, self->buffer, self->width, error);
    if (status == HL_OK && has_logits(self)) status = write_logits(self, error);
    if (self->is_rectangle) {
        if (status == HL_OK) status = write_codes_and_heads(self, trace, error);
        if (status == HL_OK) status = write_summands(self, trace, error);
        if (status == HL_OK && self->request->tokens) status = write_tokens(self, trace, error);
    }
    if (status == HL_OK && self->components) status = component_arrays_add(self->components, trace, error);
    if (status == HL_OK && self->text_count && self->has_heat) status = write_heat(self, trace, error);
    return status;
}

static hl_status get_pixels(decompose *self, size_t image, float *out, hl_error *error) {
    size_t elements = self->image_numbers;
    if (self->given.data) {
        memcpy(out, self->given.data + image * elements, elements * sizeof *out);
        return HL_OK;
    }
    return picture_pixels(self->request->images[image], self->info->preprocess, out, error);
}

static hl_status do_pass(decompose *self, size_t first, size_t count, float *pixels, hl_error *error) {
    size_t elements = self->image_numbers;
    hl_trace *traces[IMAGES_PER_PASS] = {NULL};
    hl_detail detail = self->request->tokens || self->text_count ? HL_DETAIL_TOKENS : HL_DETAIL_CODES;
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = get_pixels(self, first + i, pixels + i * elements, error);
    }
    if (status == HL_OK) status = write(self, &self->pixels, pixels, count * elements, error);
    if (status == HL_OK)
        status = engine_encode_images(self->model, pixels, count, detail, NULL, traces, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = write_image(self, traces[i], error);
    for (size_t i = 0; i < count; ++i) {
        if (traces[i]) self->model->api.release(traces[i]);
    }
    return status;
}

static hl_status do_images(decompose *self, hl_error *error) {
    float *pixels = calloc(IMAGES_PER_PASS * self->image_numbers, sizeof *pixels);
    if (!pixels) return hl_no_memory(error, "a batch of images");
    hl_status status = HL_OK;
    for (size_t first = 0; first < self->image_count && status == HL_OK; first += IMAGES_PER_PASS) {
        size_t left = self->image_count - first, count = left < IMAGES_PER_PASS ? left : IMAGES_PER_PASS;
        status = do_pass(self, first, count, pixels, error);
        call_progress("decomposing", "image", first + count, self->image_count);
    }
    free(pixels);
    return status;
}

static hl_status write_all(decompose *self, hl_error *error) {
    static const char list[] = ".headlight-decompose-files";
    hl_status status = output_open_listed(self->request->output, list, &self->files, error);
    if (status == HL_OK) output_heed_call(self->files);
    if (status == HL_OK) status = engine_load(self->model, error);
    if (status == HL_OK) status = allocate_buffers(self, error);
    if (status == HL_OK) status = begin_arrays(self, error);
    if (status == HL_OK) status = write_bases(self, error);
    if (status == HL_OK) status = do_texts(self, error);
    if (status == HL_OK) status = do_images(self, error);
    if (status != HL_OK) return status;
    status = output_commit(self->files, error);
    self->files = NULL;
    return status;
}

static void close_decompose(decompose *self) {
    output_abandon(self->files);
    component_arrays_free(self->components);
    free(self->text_embeddings);
    free(self->summands);
    free(self->grid);
    free(self->buffer);
    free(self->queries);
    for (size_t i = 0; i < self->text_count; ++i) free(self->texts[i]);
    free(self->texts);
    free(self->given.data);
    engine_close(self->model);
    host_close(self->host);
}

static hl_status run_decompose(hl_library *library, const hl_decompose_request *request, hl_error *error) {
    decompose self = {.request = request};
    hl_status status = open_model(&self, library, error);
    if (status == HL_OK) status = check_images(&self, error);
    if (status == HL_OK) status = check_texts(&self, error);
    if (status == HL_OK) status = write_all(&self, error);
    close_decompose(&self);
    return status;
}

hl_status hl_decompose(hl_library *library, const hl_call *call, const hl_decompose_request *request,
                       hl_error *error) {
    hl_decompose_request own;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_decompose_request", error);
    if (status == HL_OK) status = run_decompose(library, &own, error);
    call_end(&scope);
    return status;
}
