/* `headlight bench --fidelity`: how near what a backend makes of a model, in each of its precisions, comes to
 * the most exact that is there. One model is in memory at a time; knows no backend's precisions but f32. */
#include "core/commands/bench_cases.h"
#include "core/commands/fidelity.h"
#include "core/host/compute.h"
#include "core/host/library.h"
#include "core/io/call.h"
#include "core/io/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_IMAGES = 64, USUAL_BATCH = 8, TEXTS = 64, WORST_HEADS = 3 };

typedef struct fidelity_bench {
    const hl_fidelity_request *request;
    hl_library *library;
    FILE *out;
    char *model, *images; /* of the embedded model */
    gallery *files;
    fidelity_input input;
    bench_case yardstick;
    char plugin[64], backend[160], kernel[64], precision[64]; /* of the yardstick, once it has run */
    fidelity_grams grams;
    fidelity_sample sample;
} fidelity_bench;

/* ---- models ---- */

static hl_status start(const fidelity_bench *self, const bench_case *which, host **made, engine **model,
                       hl_error *error) {
    const hl_fidelity_request *request = self->request;
    engine_settings settings = {.source = {.size = sizeof settings.source,
                                           .path = self->model ? self->model : request->model,
                                           .seed = 1},
                                .or_random = true,
                                .batch = self->input.batch};
    const engine_choice choice = {.backend = which->backend,
                                  .compute = which->compute,
                                  .compute_count = which->compute_count,
                                  .threads = request->threads};
    hl_status status = engine_start(self->library, &choice, &settings, made, model, error);
    return status == HL_OK ? engine_choose_backend(*model, error) : status;
}

static void finish(host *made, engine *model) {
    engine_close(model);
    host_close(made);
}

/* About what the images cost: a transformer's products with its weights, and attention. */
static double flops_of(const engine *model, size_t images) {
    double flops = 0, tokens = (double)engine_tokens(model);
    for (uint32_t h = 0; h < model->head_count; ++h) {
        const hl_component *head = engine_component(model, model->heads[h]);
        double width = 0;
        for (uint32_t i = 0; i < model->head_count; ++i) {
            const hl_component *other = engine_component(model, model->heads[i]);
            width += other->layer == head->layer ? other->width : 0;
        }
        flops += (24 * width + 4 * tokens) * head->width * tokens;
    }
    return flops * (double)images;
}

static bool offers(const hl_plugin *plugin, const char *name, const char *word) {
    const char *rows = (const char *)plugin->options;
    for (uint32_t i = 0; i < plugin->option_count; ++i) {
        const hl_option *option = (const hl_option *)(const void *)(rows + (size_t)i * plugin->option_size);
        if (option->type != HL_CHOICE || strcmp(option->name, name) != 0) continue;
        for (size_t k = 0; option->choices[k]; ++k) {
            if (strcmp(option->choices[k], word) == 0) return true;
        }
    }
    return false;
}

/* `reference` sums in double, but takes a second for some 10^9 operations. */
static bench_case choose_yardstick(const fidelity_bench *self, const engine *model) {
    static const double patience = 1e11;
    static const char *const f32[] = {"precision=f32"};
    bool slow = flops_of(model, self->input.images) > patience;
    if (slow && offers(model->compute_plugin, "precision", "f32")) {
        return (bench_case){model->compute_plugin->name, f32, 1};
    }
    return (bench_case){"reference", NULL, 0};
}

static bool is_yardstick(const fidelity_bench *self, const bench_case *which) {
    const bench_case *yardstick = &self->yardstick;
    if (strcmp(which->backend, yardstick->backend) != 0) return false;
    if (which->compute_count != yardstick->compute_count) return false;
    for (size_t i = 0; i < which->compute_count; ++i) {
        if (strcmp(which->compute[i], yardstick->compute[i]) != 0) return false;
    }
    return true;
}

/* ---- JSON ---- */

static bool add_words(const char *plugin, const char *backend, const char *kernel, const char *precision,
                      cJSON *object) {
    return cJSON_AddStringToObject(object, "plugin", plugin) &&
           cJSON_AddStringToObject(object, "backend", backend) &&
           cJSON_AddStringToObject(object, "kernel", kernel) &&
           cJSON_AddStringToObject(object, "precision", precision);
}

static bool add_backend(const engine *model, cJSON *object) {
    const hl_compute *compute = &model->compute;
    const hl_compute_api *api = compute->api;
    return add_words(model->compute_plugin->name, api->describe(compute->backend),
                     api->kernel(compute->backend), api->precision(compute->backend), object);
}

static bool add_range(cJSON *object, const char *name, const char *worst, const fidelity_range *range) {
    if (range->count == 0) return true;
    cJSON *both = cJSON_AddObjectToObject(object, name);
    return cJSON_AddNumberToObject(both, worst, range->worst) &&
           cJSON_AddNumberToObject(both, "mean", range->mean);
}

static bool add_layers(const fidelity_result *result, cJSON *object) {
    cJSON *layers = cJSON_AddArrayToObject(object, "layers");
    for (size_t i = 0; i < result->layer_count && layers; ++i) {
        const fidelity_layer *layer = &result->layers[i];
        cJSON *row = cJSON_CreateObject();
        if (!row || !cJSON_AddItemToArray(layers, row)) return false;
        bool whole = layer->layer < 0 || cJSON_AddNumberToObject(row, "layer", layer->layer);
        if (!whole || !add_range(row, "head_codes", "largest", &layer->heads) ||
            !add_range(row, "other_codes", "largest", &layer->others) ||
            !add_range(row, "kept", "least", &layer->kept)) {
            return false;
        }
    }
    return layers != NULL;
}

static bool add_heads(const engine *model, const fidelity_result *result, cJSON *object) {
    cJSON *heads = result->kept ? cJSON_AddObjectToObject(object, "kept_by_head") : NULL;
    for (uint32_t h = 0; h < model->head_count && heads; ++h) {
        const char *name = engine_component(model, model->heads[h])->name;
        if (!cJSON_AddNumberToObject(heads, name, result->kept[h])) return false;
    }
    return heads || !result->kept;
}

static hl_status print_json(const fidelity_bench *self, const engine *model, const fidelity_result *result,
                            hl_error *error) {
    cJSON *object = cJSON_CreateObject();
    cJSON *yardstick = object ? cJSON_AddObjectToObject(object, "against") : NULL;
    bool whole = yardstick && cJSON_AddStringToObject(object, "model", model->info->name) &&
                 cJSON_AddBoolToObject(object, "random_weights", model->random_weights) &&
                 add_backend(model, object) &&
                 add_words(self->plugin, self->backend, self->kernel, self->precision, yardstick) &&
                 cJSON_AddNumberToObject(object, "images", (double)self->sample.images) &&
                 cJSON_AddNumberToObject(object, "unreadable", (double)self->sample.unreadable) &&
                 cJSON_AddNumberToObject(object, "texts", (double)self->sample.texts) &&
                 (self->sample.texts > 0 ||
                  cJSON_AddStringToObject(object, "without_texts", self->sample.without_texts.message)) &&
                 add_range(object, "image_cosine", "least", &result->cosine) &&
                 add_range(object, "text_cosine", "least", &result->text_cosine) &&
                 add_range(object, "kept", "least", &result->all_kept) && add_heads(model, result, object) &&
                 add_layers(result, object);
    return json_print_line(object, whole, self->out, error);
}

/* ---- the table ---- */

static void print_heading(const fidelity_bench *self, const engine *model) {
    fprintf(self->out, "%s: %s, %s weights\n", model->info->name, model->info->summary,
            model->random_weights ? "random" : "its own");
    fprintf(self->out, "%zu %s, ", self->sample.images, self->files ? "images" : "made images");
    if (self->sample.unreadable > 0) fprintf(self->out, "%zu unreadable, ", self->sample.unreadable);
    if (self->sample.texts > 0) {
        fprintf(self->out, "%zu made texts\n", self->sample.texts);
    } else {
        fprintf(self->out, "no texts: %s\n", self->sample.without_texts.message);
    }
    fprintf(self->out, "held against %s: %s\n", self->plugin, self->backend);
}

static void print_cosines(const fidelity_bench *self, const char *what, const fidelity_range *range) {
    if (range->count == 0) return;
    fprintf(self->out, "  cosine of %s: least %.7f, mean %.7f\n", what, range->worst, range->mean);
}

/* The heads that keep least, the worst first; equal ones in the table's order. */
static void print_worst_heads(const fidelity_bench *self, const engine *model,
                              const fidelity_result *result) {
    double last = -1;
    uint32_t printed = 0, after = 0;
    while (printed < WORST_HEADS && printed < model->head_count) {
        uint32_t worst = UINT32_MAX;
        for (uint32_t h = 0; h < model->head_count; ++h) {
            bool done = result->kept[h] < last || (result->kept[h] == last && h < after);
            if (!done && (worst == UINT32_MAX || result->kept[h] < result->kept[worst])) worst = h;
        }
        fprintf(self->out, "%s %s %.3f", printed > 0 ? "," : "",
                engine_component(model, model->heads[worst])->name, result->kept[worst]);
        last = result->kept[worst];
        after = worst + 1;
        ++printed;
    }
}

static void print_kept(const fidelity_bench *self, const engine *model, const fidelity_result *result) {
    if (!result->kept) {
        fprintf(self->out, "  neighbours: too few images\n");
        return;
    }
    fprintf(self->out, "  kept of %d nearest neighbours: mean %.4f, worst", FIDELITY_NEIGHBORS,
            result->all_kept.mean);
    print_worst_heads(self, model, result);
    fputc('\n', self->out);
}

static void print_range(const fidelity_bench *self, const fidelity_range *range) {
    if (range->count > 0) {
        fprintf(self->out, " %10.1e %10.1e", range->worst, range->mean);
    } else {
        fprintf(self->out, " %10s %10s", "-", "-");
    }
}

static void print_layers(const fidelity_bench *self, const fidelity_result *result) {
    fprintf(self->out, "%8s %21s %21s %15s\n", "", "codes of heads", "of other parts", "neighbours kept");
    fprintf(self->out, "%8s %10s %10s %10s %10s %7s %7s\n", "layer", "largest", "mean", "largest", "mean",
            "least", "mean");
    for (size_t i = 0; i < result->layer_count; ++i) {
        const fidelity_layer *layer = &result->layers[i];
        if (layer->layer >= 0) fprintf(self->out, "%8d", layer->layer);
        if (layer->layer < 0) fprintf(self->out, "%8s", "-");
        print_range(self, &layer->heads);
        print_range(self, &layer->others);
        if (layer->kept.count > 0) fprintf(self->out, " %7.3f %7.3f", layer->kept.worst, layer->kept.mean);
        fputc('\n', self->out);
    }
}

static void print_table(const fidelity_bench *self, const engine *model, const fidelity_result *result) {
    const hl_compute *compute = &model->compute;
    fprintf(self->out, "%s: %s\n", model->compute_plugin->name, compute->api->describe(compute->backend));
    print_cosines(self, "images", &result->cosine);
    print_cosines(self, "texts", &result->text_cosine);
    print_kept(self, model, result);
    print_layers(self, result);
}

/* ---- cases ---- */

static hl_status measure(const fidelity_bench *self, const bench_case *which, hl_error *error) {
    host *made = NULL;
    engine *model = NULL;
    fidelity_sample sample = {0};
    fidelity_result result = {0};
    hl_status status = start(self, which, &made, &model, error);
    if (status == HL_OK) status = fidelity_take(model, &self->input, &sample, error);
    if (status == HL_OK)
        status = fidelity_compare(model, &self->grams, &self->sample, &sample, &result, error);
    if (status == HL_OK && self->request->json) status = print_json(self, model, &result, error);
    if (status == HL_OK && !self->request->json) print_table(self, model, &result);
    if (status == HL_OK && fflush(self->out) != 0) {
        status = hl_fail(error, HL_FAILED, "the measurements cannot be written: is the disk full?");
    }
    fidelity_result_free(&result);
    fidelity_free(&sample);
    finish(made, model);
    return status;
}

static void say_yardstick(const fidelity_bench *self) {
    if (self->request->json) return;
    fprintf(self->out, "skipped: %s is what all others are held against\n", self->backend);
}

/* What a machine cannot run is named and passed over. */
static hl_status measure_if_possible(void *user, const bench_case *which, hl_error *error) {
    const fidelity_bench *self = user;
    hl_error why;
    if (is_yardstick(self, which)) return say_yardstick(self), HL_OK;
    hl_status status = measure(self, which, &why);
    if (status == HL_OK) return HL_OK;
    if (status != HL_USAGE || call_cancelled()) return hl_fail(error, status, "%s", why.message);
    if (!self->request->json) fprintf(self->out, "skipped: %s\n", why.message);
    return HL_OK;
}

static hl_status measure_all(fidelity_bench *self, const hl_plugin *plugin, hl_error *error) {
    const hl_fidelity_request *request = self->request;
    if (request->every) return bench_cases_each(self->library, measure_if_possible, self, error);
    if (request->compute_count == 0) {
        return bench_cases_of(plugin, "precision", measure_if_possible, self, error);
    }
    const bench_case named = {plugin->name, request->compute, request->compute_count};
    return measure(self, &named, error);
}

/* ---- all together ---- */

static hl_status open_images(fidelity_bench *self, hl_error *error) {
    const hl_fidelity_request *request = self->request;
    const char *images = request->images;
    if (!request->model) {
        self->model = hl_data_file("mini/model");
        self->images = hl_data_file("mini/gallery");
        if (!self->model || !self->images) {
            return hl_fail(error, HL_USAGE, "the embedded model is not there: name one");
        }
        if (!images && request->made_images == 0) images = self->images;
    }
    self->input = (fidelity_input){.images = request->made_images ? request->made_images : USUAL_IMAGES,
                                   .texts = TEXTS,
                                   .batch = request->batch ? request->batch : USUAL_BATCH};
    if (!images) return HL_OK;
    hl_status status = gallery_open(images, &self->files, error);
    if (status != HL_OK) return status;
    self->input.files = self->files;
    self->input.images = self->files->count;
    return HL_OK;
}

/* The plugin that is measured, and what it is held against. A case that is named has to run here, before
 * anything takes long. */
static hl_status look(fidelity_bench *self, const hl_plugin **plugin, hl_error *error) {
    const hl_fidelity_request *request = self->request;
    const bench_case named = {request->backend, request->compute, request->compute_count};
    host *made = NULL;
    engine *model = NULL;
    hl_status status = start(self, &named, &made, &model, error);
    if (status == HL_OK && request->compute_count > 0) status = engine_try_backend(model, error);
    if (status == HL_OK) {
        *plugin = model->compute_plugin;
        self->yardstick = choose_yardstick(self, model);
    }
    finish(made, model);
    return status;
}

static void name_yardstick(fidelity_bench *self, const engine *model) {
    const hl_compute *compute = &model->compute;
    const hl_compute_api *api = compute->api;
    snprintf(self->plugin, sizeof self->plugin, "%s", model->compute_plugin->name);
    snprintf(self->backend, sizeof self->backend, "%s", api->describe(compute->backend));
    snprintf(self->kernel, sizeof self->kernel, "%s", api->kernel(compute->backend));
    snprintf(self->precision, sizeof self->precision, "%s", api->precision(compute->backend));
}

static hl_status take_yardstick(fidelity_bench *self, hl_error *error) {
    host *made = NULL;
    engine *model = NULL;
    hl_status status = start(self, &self->yardstick, &made, &model, error);
    if (status == HL_OK) status = fidelity_take(model, &self->input, &self->sample, error);
    if (status == HL_OK) status = fidelity_grams_make(model, &self->grams, error);
    if (status == HL_OK && self->sample.images == 0) {
        const char *images = self->request->images ? self->request->images : self->images;
        status = hl_fail(error, HL_USAGE, "%s has no image that can be read", images);
    }
    if (status == HL_OK) name_yardstick(self, model);
    if (status == HL_OK && !self->request->json) print_heading(self, model);
    finish(made, model);
    return status;
}

static hl_status run_bench(fidelity_bench *self, hl_error *error) {
    const hl_fidelity_request *request = self->request;
    const hl_plugin *plugin = NULL;
    if (request->every && (request->backend || request->compute_count > 0)) {
        return hl_fail(error, HL_USAGE, "every backend with all its options: name none");
    }
    hl_status status = open_images(self, error);
    if (status == HL_OK) status = look(self, &plugin, error);
    if (status == HL_OK) status = take_yardstick(self, error);
    return status == HL_OK ? measure_all(self, plugin, error) : status;
}

static void close_bench(fidelity_bench *self) {
    fidelity_grams_free(&self->grams);
    fidelity_free(&self->sample);
    gallery_close(self->files);
    free(self->model);
    free(self->images);
}

hl_status hl_bench_fidelity(hl_library *library, const hl_call *call, const hl_fidelity_request *request,
                            FILE *out, hl_error *error) {
    hl_fidelity_request own;
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = call_take(&own, sizeof own, request, "hl_fidelity_request", error);
    fidelity_bench self = {.request = &own, .library = library, .out = out};
    if (status == HL_OK) status = run_bench(&self, error);
    close_bench(&self);
    call_end(&scope);
    return status;
}
