/* See fidelity.h. */
#include "core/commands/fidelity.h"

#include "core/commands/made_input.h"
#include "core/io/call.h"
#include "core/io/picture.h"
#include "core/registry/guard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- taking a sample ---- */

static void make_unit(float *vector, size_t count) {
    double square = 0;
    for (size_t i = 0; i < count; ++i) square += (double)vector[i] * (double)vector[i];
    double inverse = square > 0 ? 1 / sqrt(square) : 0;
    for (size_t i = 0; i < count; ++i) vector[i] = (float)((double)vector[i] * inverse);
}

/* The pixels of input image `number`; *readable is false for a file that is no image. */
static hl_status take_pixels(const engine *model, const fidelity_input *input, size_t number, float *pixels,
                             bool *readable, hl_error *error) {
    const hl_preprocess *how = model->info->preprocess;
    *readable = true;
    if (!input->files) {
        made_image(number, how->height, how->width, pixels);
        return HL_OK;
    }
    hl_status status = picture_pixels(input->files->images[number].file, how, pixels, error);
    if (status == HL_OK || status == HL_NO_MEMORY) return status;
    *readable = false;
    return HL_OK;
}

static hl_status keep_trace(const engine *model, const hl_trace *trace, fidelity_sample *out,
                            hl_error *error) {
    size_t image = out->images++, dim = model->info->embed_dim;
    float *embedding = out->embeddings + image * dim;
    GUARD_VOID(model->model_plugin, model->api.embedding(trace, embedding));
    make_unit(embedding, dim);
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < out->components && status == HL_OK; ++i) {
        float *code = out->codes[i] + image * engine_code_width(engine_component(model, i));
        status = GUARD(model->model_plugin, error, model->api.code(trace, i, code, error));
    }
    return status;
}

static hl_status take_batch(engine *model, const float *pixels, size_t count, hl_trace **traces,
                            fidelity_sample *out, hl_error *error) {
    if (count == 0) return HL_OK;
    hl_status status = engine_encode_images(model, pixels, count, HL_DETAIL_CODES, NULL, traces, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < count; ++i) {
        if (status == HL_OK) status = keep_trace(model, traces[i], out, error);
        model->api.release(traces[i]);
    }
    return status;
}

static hl_status take_images(engine *model, const fidelity_input *input, fidelity_sample *out,
                             hl_error *error) {
    size_t numbers = engine_pixels(model), waiting = 0;
    float *pixels = calloc(input->batch, numbers * sizeof *pixels);
    hl_trace **traces = calloc(input->batch, sizeof(hl_trace *));
    hl_status status = pixels && traces ? HL_OK : hl_no_memory(error, "the images of a batch");
    for (size_t i = 0; i < input->images && status == HL_OK; ++i) {
        bool readable;
        status = take_pixels(model, input, i, pixels + waiting * numbers, &readable, error);
        if (status == HL_OK && !readable) ++out->unreadable;
        if (status == HL_OK && readable) ++waiting;
        if (status != HL_OK || (waiting < input->batch && i + 1 < input->images)) continue;
        status = take_batch(model, pixels, waiting, traces, out, error);
        waiting = 0;
        call_progress("encoding images", "image", i + 1, input->images);
    }
    free(pixels);
    free(traces);
    return status;
}

/* A model may lack its tokenizer, and then its texts cannot be measured. */
static hl_status take_texts(engine *model, const fidelity_input *input, fidelity_sample *out,
                            hl_error *error) {
    char(*lines)[MADE_TEXT] = calloc(input->texts + 1, sizeof *lines);
    const char **texts = calloc(input->texts + 1, sizeof *texts);
    hl_status status = lines && texts ? HL_OK : hl_no_memory(error, "texts");
    for (size_t i = 0; i < input->texts && status == HL_OK; ++i) {
        made_text(i, lines[i]);
        texts[i] = lines[i];
    }
    if (status == HL_OK) {
        status = engine_encode_texts(model, texts, input->texts, out->text_embeddings, NULL, error);
        if (status == HL_OK) out->texts = input->texts;
    }
    if (status == HL_USAGE) {
        out->without_texts = *error;
        status = HL_OK;
    }
    free(lines);
    free(texts);
    return status;
}

static hl_status make_room(const engine *model, const fidelity_input *input, fidelity_sample *out,
                           hl_error *error) {
    size_t dim = model->info->embed_dim;
    uint32_t components = model->info->component_count;
    out->embeddings = calloc(input->images + 1, dim * sizeof *out->embeddings);
    out->text_embeddings = calloc(input->texts + 1, dim * sizeof *out->text_embeddings);
    out->codes = calloc(components + 1, sizeof *out->codes);
    bool whole = out->embeddings && out->text_embeddings && out->codes;
    for (uint32_t i = 0; i < components && whole; ++i) {
        size_t width = engine_code_width(engine_component(model, i));
        out->codes[i] = calloc(input->images + 1, width * sizeof *out->codes[i]);
        whole = out->codes[i] != NULL;
        out->components = i + 1;
    }
    return whole ? HL_OK : hl_no_memory(error, "the codes of all images");
}

hl_status fidelity_take(engine *model, const fidelity_input *input, fidelity_sample *out, hl_error *error) {
    *out = (fidelity_sample){0};
    hl_status status = engine_load(model, error);
    if (status == HL_OK) status = make_room(model, input, out, error);
    if (status == HL_OK) status = take_images(model, input, out, error);
    if (status == HL_OK) status = take_texts(model, input, out, error);
    return status;
}

void fidelity_free(fidelity_sample *sample) {
    for (uint32_t i = 0; sample->codes && i < sample->components; ++i) free(sample->codes[i]);
    free(sample->codes);
    free(sample->embeddings);
    free(sample->text_embeddings);
    *sample = (fidelity_sample){0};
}

/* ---- Gram matrices ---- */

static double *gram_of(const float *basis, size_t rows, size_t width) {
    double *out = calloc(rows * rows + 1, sizeof *out);
    for (size_t i = 0; out && i < rows; ++i) {
        for (size_t j = 0; j <= i; ++j) {
            double sum = 0;
            for (size_t k = 0; k < width; ++k) {
                sum += (double)basis[i * width + k] * (double)basis[j * width + k];
            }
            out[i * rows + j] = out[j * rows + i] = sum;
        }
    }
    return out;
}

hl_status fidelity_grams_make(engine *model, fidelity_grams *out, hl_error *error) {
    *out = (fidelity_grams){.count = model->info->basis_count};
    out->all = calloc((size_t)out->count + 1, sizeof *out->all);
    hl_status status = out->all ? HL_OK : hl_no_memory(error, "the bases of heads");
    for (uint32_t h = 0; h < model->head_count && status == HL_OK; ++h) {
        const hl_component *head = engine_component(model, model->heads[h]);
        const float *basis;
        if (out->all[head->basis]) continue;
        status = engine_basis(model, head->basis, &basis, error);
        if (status != HL_OK) break;
        out->all[head->basis] = gram_of(basis, engine_code_width(head), model->info->embed_dim);
        if (!out->all[head->basis]) status = hl_no_memory(error, "the bases of heads");
    }
    return status;
}

void fidelity_grams_free(fidelity_grams *grams) {
    for (uint32_t i = 0; grams->all && i < grams->count; ++i) free(grams->all[i]);
    free(grams->all);
    *grams = (fidelity_grams){0};
}

/* ---- ranges ---- */

static void add_to(fidelity_range *range, double value, bool smallest_is_worst) {
    bool worse = smallest_is_worst ? value < range->worst : value > range->worst;
    if (range->count == 0 || worse || isnan(value)) range->worst = value;
    range->mean = (range->mean * (double)range->count + value) / (double)(range->count + 1);
    ++range->count;
}

static fidelity_range cosines(const float *exact, const float *sample, size_t count, size_t width) {
    fidelity_range out = {0};
    for (size_t i = 0; i < count; ++i, exact += width, sample += width) {
        double product = 0, a = 0, b = 0;
        for (size_t k = 0; k < width; ++k) {
            double x = (double)exact[k], y = (double)sample[k];
            product += x * y, a += x * x, b += y * y;
        }
        add_to(&out, product / sqrt(a * b), true);
    }
    return out;
}

/* ---- errors of codes ---- */

/* |sample - exact| / |exact|; what should be nothing is as far off as it is large. */
static double error_of(const float *exact, const float *sample, size_t count) {
    double off = 0, whole = 0;
    for (size_t i = 0; i < count; ++i) {
        double difference = (double)sample[i] - (double)exact[i];
        off += difference * difference;
        whole += (double)exact[i] * (double)exact[i];
    }
    return sqrt(whole > 0 ? off / whole : off);
}

static fidelity_layer *layer_at(fidelity_result *result, int32_t layer) {
    size_t i = 0;
    while (i < result->layer_count && result->layers[i].layer < layer) ++i;
    return &result->layers[i];
}

/* Which layers there are, in order. */
static void list_layers(const engine *model, fidelity_result *out) {
    int32_t last = INT32_MIN;
    for (;;) {
        int32_t next = INT32_MAX;
        for (uint32_t i = 0; i < model->info->component_count; ++i) {
            int32_t layer = engine_component(model, i)->layer;
            if (layer > last && layer < next) next = layer;
        }
        if (next == INT32_MAX) return;
        out->layers[out->layer_count++] = (fidelity_layer){.layer = last = next};
    }
}

static void compare_codes(const engine *model, const fidelity_sample *exact, const fidelity_sample *sample,
                          fidelity_result *out) {
    for (uint32_t i = 0; i < exact->components; ++i) {
        const hl_component *component = engine_component(model, i);
        fidelity_layer *layer = layer_at(out, component->layer);
        fidelity_range *range = component->kind == HL_HEAD ? &layer->heads : &layer->others;
        size_t width = engine_code_width(component);
        for (size_t image = 0; image < exact->images; ++image) {
            const float *code = exact->codes[i] + image * width;
            add_to(range, error_of(code, sample->codes[i] + image * width, width), false);
        }
    }
}

/* ---- neighbours ---- */

typedef struct search {
    const engine *model;
    const fidelity_grams *grams;
    const fidelity_sample *exact, *sample;
    double *kept;
} search;

/* y G */
static void turn(const float *code, const double *gram, size_t width, double *out) {
    for (size_t i = 0; i < width; ++i) {
        out[i] = 0;
        for (size_t j = 0; j < width; ++j) out[i] += (double)code[j] * gram[i * width + j];
    }
}

/* The images with the best dot products with `query`, itself left out, in no order. */
static void find_best(const float *codes, size_t count, size_t width, const double *query, size_t itself,
                      size_t best[FIDELITY_NEIGHBORS]) {
    double scores[FIDELITY_NEIGHBORS];
    size_t found = 0;
    for (size_t image = 0; image < count; ++image) {
        double score = 0;
        if (image == itself) continue;
        for (size_t k = 0; k < width; ++k) score += (double)codes[image * width + k] * query[k];
        size_t at = found < FIDELITY_NEIGHBORS ? found++ : FIDELITY_NEIGHBORS;
        for (; at > 0 && score > scores[at - 1]; --at) {
            if (at < FIDELITY_NEIGHBORS) scores[at] = scores[at - 1], best[at] = best[at - 1];
        }
        if (at < FIDELITY_NEIGHBORS) scores[at] = score, best[at] = image;
    }
}

static size_t count_common(const size_t a[FIDELITY_NEIGHBORS], const size_t b[FIDELITY_NEIGHBORS]) {
    size_t common = 0;
    for (size_t i = 0; i < FIDELITY_NEIGHBORS; ++i) {
        for (size_t j = 0; j < FIDELITY_NEIGHBORS; ++j) common += a[i] == b[j];
    }
    return common;
}

static hl_status search_head(void *argument, size_t number, hl_error *error) {
    const search *job = argument;
    uint32_t index = job->model->heads[number];
    const hl_component *head = engine_component(job->model, index);
    size_t width = engine_code_width(head), images = job->exact->images, common = 0;
    const double *gram = job->grams->all[head->basis];
    const float *exact = job->exact->codes[index], *sample = job->sample->codes[index];
    double *query = calloc(width, sizeof *query);
    if (!query) return hl_no_memory(error, "neighbours");
    for (size_t image = 0; image < images; ++image) {
        size_t wanted[FIDELITY_NEIGHBORS] = {0}, found[FIDELITY_NEIGHBORS] = {0};
        turn(exact + image * width, gram, width, query);
        find_best(exact, images, width, query, image, wanted);
        turn(sample + image * width, gram, width, query);
        find_best(sample, images, width, query, image, found);
        common += count_common(wanted, found);
    }
    free(query);
    job->kept[number] = (double)common / (double)(images * FIDELITY_NEIGHBORS);
    return HL_OK;
}

/* With no more images than neighbours all of them are always kept. */
static hl_status compare_neighbors(const engine *model, const fidelity_grams *grams,
                                   const fidelity_sample *exact, const fidelity_sample *sample,
                                   fidelity_result *out, hl_error *error) {
    if (exact->images <= FIDELITY_NEIGHBORS + 1 || model->head_count == 0) return HL_OK;
    out->kept = calloc(model->head_count, sizeof *out->kept);
    search job = {.model = model, .grams = grams, .exact = exact, .sample = sample, .kept = out->kept};
    if (!out->kept) return hl_no_memory(error, "neighbours");
    hl_status status = hl_parallel(model->interface, model->head_count, search_head, &job, error);
    if (status != HL_OK) return status;
    for (uint32_t h = 0; h < model->head_count; ++h) {
        add_to(&out->all_kept, out->kept[h], true);
        add_to(&layer_at(out, engine_component(model, model->heads[h])->layer)->kept, out->kept[h], true);
    }
    return HL_OK;
}

/* ---- all together ---- */

hl_status fidelity_compare(const engine *model, const fidelity_grams *grams, const fidelity_sample *exact,
                           const fidelity_sample *sample, fidelity_result *out, hl_error *error) {
    size_t dim = model->info->embed_dim;
    *out = (fidelity_result){0};
    if (exact->images != sample->images || exact->texts != sample->texts) {
        return hl_fail(error, HL_FAILED, "the images changed while they were measured");
    }
    out->layers = calloc((size_t)model->info->component_count + 1, sizeof *out->layers);
    if (!out->layers) return hl_no_memory(error, "a comparison");
    list_layers(model, out);
    out->cosine = cosines(exact->embeddings, sample->embeddings, exact->images, dim);
    out->text_cosine = cosines(exact->text_embeddings, sample->text_embeddings, exact->texts, dim);
    compare_codes(model, exact, sample, out);
    return compare_neighbors(model, grams, exact, sample, out, error);
}

void fidelity_result_free(fidelity_result *result) {
    free(result->kept);
    free(result->layers);
    *result = (fidelity_result){0};
}
