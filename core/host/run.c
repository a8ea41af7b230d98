/* `headlight run`: an experiment from its YAML file to its report. Each step hands its result to the next:
 * experiment -> model and backend -> analyses -> results -> files. An experiment with variants goes that way
 * once for each of them, each into a folder of its own, and ends with a page that compares them. */
#include "core/host/context.h"
#include "core/host/experiment.h"
#include "core/host/library.h"
#include "core/host/properties.h"
#include "core/report/compare.h"
#include "core/report/results.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { IMAGES_PER_PASS = 8 };

/* One way through. */
typedef struct run {
    hl_library *library;
    const hl_run_request *request;
    const char *variant; /* its name and folder; NULL: the experiment as it stands */
    experiment *plan;
    host *host;
    engine *model;
    properties *properties;  /* NULL: the experiment names none */
    char *atlas;             /* of the gallery */
    nearest *gallery;        /* NULL: the experiment names none */
    const hl_image **images; /* all that the analyses name */
    size_t image_count;
    context *context;
    results *results;
    output *files; /* the caller's */
} run;

static const hl_value *const *values_of(const experiment_step *step) {
    return step->values ? options_values(step->values) : NULL;
}

static hl_status open_model(run *self, hl_error *error) {
    const experiment *plan = self->plan;
    hl_status status =
        host_open(&self->library->settings, &self->library->cancel, plan->threads, &self->host, error);
    if (status != HL_OK) return status;
    engine_settings settings = {
        .model_plugin = plan->model.plugin,
        .model_values = values_of(&plan->model),
        .source = {.size = sizeof(hl_model_source), .path = plan->model_path},
        .compute_plugin = plan->compute.plugin,
        .compute_values = values_of(&plan->compute),
        .batch = IMAGES_PER_PASS,
    };
    return engine_open(self->host, self->library->plugins, &settings, &self->model, error);
}

/* Texts that cannot become ids are found before the weights are read. */
static hl_status check_texts(void *user, const hl_option *option, const hl_value *value,
                             const char *const *written, size_t written_count, hl_error *error) {
    (void)value;
    const engine *model = user;
    if (option->type != HL_DIRECTIONS) return HL_OK;
    int32_t *ids = calloc((size_t)model->info->context + 1, sizeof *ids);
    if (!ids) return hl_no_memory(error, "token ids");
    hl_status status = HL_OK;
    for (size_t i = 0; i < written_count && status == HL_OK; ++i) {
        status = model->api.tokenize(model->model, written[i], ids, error);
    }
    free(ids);
    return status;
}

static hl_status collect_images(run *self, hl_error *error) {
    size_t count = 0;
    for (size_t i = 0; i < self->plan->analysis_count; ++i) {
        for (size_t j = 0; options_image(self->plan->analyses[i].values, j); ++j) ++count;
    }
    self->images = calloc(count + 1, sizeof *self->images);
    if (!self->images) return hl_no_memory(error, "the list of images");
    for (size_t i = 0; i < self->plan->analysis_count; ++i) {
        const hl_image *image;
        for (size_t j = 0; (image = options_image(self->plan->analyses[i].values, j)); ++j) {
            self->images[self->image_count++] = image;
        }
    }
    return HL_OK;
}

static hl_status open_properties(run *self, hl_error *error) {
    const experiment_step *step = &self->plan->properties;
    if (!step->plugin) return HL_OK;
    return properties_open(self->model->interface, step->plugin, values_of(step), self->model->info,
                           &self->properties, error);
}

static hl_status find_property(const void *user, const char *name, const hl_selection **out,
                               hl_error *error) {
    return properties_find(user, name, out, error);
}

static hl_status check_gallery(const run *self, hl_error *error) {
    struct stat status;
    const char *images = self->plan->gallery.images;
    if (!images || stat(images, &status) == 0) return HL_OK;
    return hl_fail(error, HL_USAGE, "%s: gallery: the images %s cannot be read: %s", self->plan->path, images,
                   strerror(errno));
}

/* Everything that can be wrong with the experiment and is known without the weights. */
static hl_status check(run *self, hl_error *error) {
    hl_status status = open_model(self, error);
    if (status == HL_OK) status = check_gallery(self, error);
    if (status == HL_OK) status = open_properties(self, error);
    options_find_property *find = self->properties ? find_property : NULL;
    for (size_t i = 0; i < self->plan->analysis_count && status == HL_OK; ++i) {
        option_values *values = self->plan->analyses[i].values;
        status = options_bind_heads(values, self->model->info, error);
        if (status == HL_OK) status = options_bind_properties(values, find, self->properties, error);
        if (status == HL_OK) status = options_visit(values, check_texts, self->model, error);
    }
    return status == HL_OK ? collect_images(self, error) : status;
}

static const char *output_folder(const run *self) {
    return self->request->output ? self->request->output : self->plan->output;
}

static hl_status encode_texts(void *user, const char *const *texts, size_t count, float *out,
                              hl_error *error) {
    return engine_encode_texts(user, texts, count, out, NULL, error);
}

/* An atlas that the experiment gives no place lies among the results, where the next run finds it again. */
static hl_status open_gallery(run *self, hl_error *error) {
    const experiment_gallery *plan = &self->plan->gallery;
    if (!plan->images) return HL_OK;
    const char *between = self->variant ? "/" : "", *variant = self->variant ? self->variant : "";
    if (!plan->atlas && asprintf(&self->atlas, "%s%s%s/atlas", output_folder(self), between, variant) < 0) {
        self->atlas = NULL;
        return hl_no_memory(error, "the atlas's path");
    }
    nearest_settings settings = {
        .gallery = plan->images, .atlas = plan->atlas ? plan->atlas : self->atlas, .dtype = plan->dtype};
    return nearest_open(self->model, &settings, &self->gallery, error);
}

static hl_status load(run *self, hl_error *error) {
    hl_status status = engine_load(self->model, error);
    for (size_t i = 0; i < self->plan->analysis_count && status == HL_OK; ++i) {
        status = options_bind_directions(self->plan->analyses[i].values, self->model->info->embed_dim,
                                         encode_texts, self->model, error);
    }
    if (status == HL_OK) status = open_gallery(self, error);
    if (status != HL_OK) return status;
    return context_open(self->model, self->images, self->image_count, self->gallery, &self->context, error);
}

static bool add_text(cJSON *object, const char *key, const char *value) {
    return cJSON_AddStringToObject(object, key, value) != NULL;
}

static bool add_number(cJSON *object, const char *key, double value) {
    return cJSON_AddNumberToObject(object, key, value) != NULL;
}

static hl_status describe_properties(run *self, hl_error *error) {
    if (!self->properties) return HL_OK;
    cJSON *section = cJSON_AddObjectToObject(results_root(self->results), "properties");
    cJSON *heads = section ? cJSON_AddObjectToObject(section, "heads") : NULL;
    if (!heads || !add_text(section, "extractor", self->plan->properties.plugin->name)) {
        return hl_no_memory(error, "the results");
    }
    return properties_describe(self->properties, heads, error);
}

static hl_status describe_run(run *self, hl_error *error) {
    cJSON *root = results_root(self->results);
    cJSON *model = cJSON_GetObjectItem(root, "model"), *compute = cJSON_GetObjectItem(root, "compute");
    const hl_model_info *info = self->model->info;
    const hl_compute *backend = &self->model->compute;
    bool ok = add_text(model, "name", info->name) &&
              add_text(model, "plugin", self->model->model_plugin->name) &&
              add_text(model, "summary", info->summary) && add_number(model, "embed_dim", info->embed_dim) &&
              add_text(compute, "backend", self->model->compute_plugin->name) &&
              add_text(compute, "description", backend->api->describe(backend->backend)) &&
              add_number(compute, "threads", thread_pool_count(self->host->pool));
    return ok ? describe_properties(self, error) : hl_no_memory(error, "the results");
}

/* An option's value as results.json shows it. */
static cJSON *value_as_json(const hl_option *option, const hl_value *value, const char *const *written,
                            size_t written_count) {
    if (!value->given) return cJSON_CreateNull();
    switch (option->type) {
    case HL_BOOL:
        return cJSON_CreateBool(value->boolean);
    case HL_INT:
        return cJSON_CreateNumber((double)value->integer);
    case HL_REAL:
        return cJSON_CreateNumber(value->real);
    case HL_STRING:
    case HL_CHOICE:
    case HL_PATH:
        return cJSON_CreateString(written_count ? written[0] : "");
    case HL_STRINGS:
    case HL_IMAGES:
    case HL_DIRECTIONS:
    case HL_HEADS:
    case HL_PROPERTIES:
        return cJSON_CreateStringArray(written, (int)written_count);
    }
    return NULL;
}

static hl_status add_option(void *user, const hl_option *option, const hl_value *value,
                            const char *const *written, size_t written_count, hl_error *error) {
    cJSON *item = value_as_json(option, value, written, written_count);
    if (item && cJSON_AddItemToObject(user, option->name, item)) return HL_OK;
    cJSON_Delete(item);
    return hl_no_memory(error, "the results");
}

static hl_status start_analysis(run *self, const experiment_step *step, hl_result **sink, hl_error *error) {
    cJSON *options = cJSON_CreateObject();
    if (!options) return hl_no_memory(error, "the results");
    hl_status status = options_visit(step->values, add_option, options, error);
    if (status != HL_OK) {
        cJSON_Delete(options);
        return status;
    }
    status = results_analysis(self->results, step->plugin->name, step->plugin->summary, options, sink, error);
    if (status != HL_OK || !step->title) return status;
    const cJSON *analyses = cJSON_GetObjectItem(results_root(self->results), "analyses");
    cJSON *analysis = cJSON_GetArrayItem(analyses, cJSON_GetArraySize(analyses) - 1);
    return add_text(analysis, "title", step->title) ? HL_OK : hl_no_memory(error, "the results");
}

static hl_status analyse(run *self, const experiment_step *step, hl_error *error) {
    hl_analysis_api api;
    registry_table(step->plugin, &api, sizeof api);
    if (!api.run) return hl_fail(error, HL_USAGE, "analysis/%s lacks the function `run`", step->plugin->name);
    hl_result *sink;
    hl_status status = start_analysis(self, step, &sink, error);
    if (status == HL_OK) {
        status = api.run(context_interface(self->context), options_values(step->values), sink, error);
    }
    return status == HL_OK ? results_finish_analysis(self->results, error) : status;
}

static bool copy_text(const char *path, FILE *to) {
    FILE *file = fopen(path, "rb");
    if (!file) return false;
    char buffer[4096];
    bool ok = true;
    for (size_t got; ok && (got = fread(buffer, 1, sizeof buffer, file)) > 0;) {
        ok = fwrite(buffer, 1, got, to) == got;
    }
    ok = !ferror(file) && ok;
    fclose(file);
    return ok;
}

/* The experiment as it was written, for the page, and what the command line changed. free() it. */
static hl_status read_experiment(const hl_run_request *request, char **text, hl_error *error) {
    *text = NULL;
    size_t size = 0;
    FILE *copy = open_memstream(text, &size);
    bool ok = copy && copy_text(request->experiment, copy);
    for (size_t i = 0; ok && i < request->set_count; ++i) {
        ok = fprintf(copy, "# --set %s\n", request->sets[i]) > 0;
    }
    if (copy) ok = fclose(copy) == 0 && ok;
    return ok ? HL_OK : hl_fail(error, HL_FAILED, "%s: cannot be read any more", request->experiment);
}

/* The YAML file's name without what every such file ends in. */
static char *experiment_title(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

/* What the page says of the experiment as a whole. */
typedef struct page_words {
    char *title, *experiment, *sections;
} page_words;

static void free_words(page_words *words) {
    free(words->title);
    free(words->experiment);
    free(words->sections);
}

static hl_status find_words(const hl_run_request *request, const experiment *plan, page_words *words,
                            hl_error *error) {
    words->title = experiment_title(request->experiment);
    if (!words->title) return hl_no_memory(error, "the page's title");
    hl_status status = read_experiment(request, &words->experiment, error);
    return status == HL_OK ? experiment_sections(plan, &words->sections, error) : status;
}

static hl_status write_results(run *self, hl_error *error) {
    const hl_model_info *info = self->model->info;
    results_images images = {.user = self->context,
                             .load = context_load_picture,
                             .load_neighbor = context_load_neighbor,
                             .preprocess = info->preprocess,
                             .grid_rows = info->grid_rows,
                             .grid_cols = info->grid_cols,
                             .patch = info->patch};
    page_words words = {NULL, NULL, NULL};
    hl_status status = find_words(self->request, self->plan, &words, error);
    output_enter(self->files, self->variant);
    if (status == HL_OK) {
        status = results_write(self->results, &images, words.title, words.experiment, words.sections,
                               self->files, error);
    }
    free_words(&words);
    return status;
}

static hl_status run_analyses(run *self, hl_error *error) {
    hl_status status = load(self, error);
    if (status == HL_OK) status = results_open(&self->results, error);
    if (status == HL_OK) results_set_facts(self->results, context_facts, self->context);
    if (status == HL_OK) status = describe_run(self, error);
    for (size_t i = 0; i < self->plan->analysis_count && status == HL_OK; ++i) {
        status = analyse(self, &self->plan->analyses[i], error);
    }
    return status == HL_OK ? write_results(self, error) : status;
}

/* Everything but the results. */
static void close_run(run *self) {
    context_close(self->context);
    nearest_close(self->gallery);
    properties_close(self->properties);
    engine_close(self->model);
    host_close(self->host);
    experiment_close(self->plan);
    free(self->atlas);
    free(self->images);
}

/* Once through, or, without files, only the checks. `variant` may be NULL. *out gets the results,
 * the caller's to close; NULL when there are none. */
static hl_status run_once(hl_library *library, const hl_run_request *request,
                          const experiment_variant *variant, output *files, results **out, hl_error *error) {
    run self = {
        .library = library, .request = request, .variant = variant ? variant->name : NULL, .files = files};
    hl_status status = experiment_open(library->plugins, request->experiment, request->sets,
                                       request->set_count, variant, &self.plan, error);
    if (status == HL_OK) status = check(&self, error);
    if (status == HL_OK && files) status = run_analyses(&self, error);
    close_run(&self);
    *out = self.results;
    return status;
}

/* ---- variants ---- */

static bool add_report(cJSON *reports, const char *name, const cJSON *root) {
    cJSON *report = cJSON_CreateObject();
    if (!report || !cJSON_AddItemToArray(reports, report)) {
        cJSON_Delete(report);
        return false;
    }
    const cJSON *model = cJSON_GetObjectItem(root, "model"), *compute = cJSON_GetObjectItem(root, "compute");
    return add_text(report, "variant", name) &&
           cJSON_AddItemToObject(report, "model", cJSON_Duplicate(model, true)) &&
           cJSON_AddItemToObject(report, "compute", cJSON_Duplicate(compute, true));
}

/* The tree of the page that compares: "reports", one for each variant, and "variants", the differences. */
static hl_status compare_all(const experiment *plan, results *const *each, cJSON *root, hl_error *error) {
    cJSON_DeleteItemFromObject(root, "model");
    cJSON_DeleteItemFromObject(root, "compute");
    cJSON *reports = cJSON_AddArrayToObject(root, "reports"), *rows = NULL;
    compare_variant *compared = calloc(plan->variant_count, sizeof *compared);
    bool ok = reports && compared;
    for (size_t i = 0; i < plan->variant_count && ok; ++i) {
        const cJSON *tree = results_root(each[i]);
        compared[i] = (compare_variant){plan->variants[i].name, cJSON_GetObjectItem(tree, "analyses")};
        ok = add_report(reports, plan->variants[i].name, tree);
    }
    hl_status status = ok ? compare_variants(compared, plan->variant_count, &rows, error)
                          : hl_no_memory(error, "the comparison");
    free(compared);
    if (status != HL_OK) return status;
    if (cJSON_AddItemToObject(root, "variants", rows)) return HL_OK;
    cJSON_Delete(rows);
    return hl_no_memory(error, "the comparison");
}

static hl_status write_comparison(const hl_run_request *request, const experiment *plan, results *const *each,
                                  output *files, hl_error *error) {
    static const results_images nothing_to_draw = {0};
    results *overview = NULL;
    page_words words = {NULL, NULL, NULL};
    hl_status status = results_open(&overview, error);
    if (status == HL_OK) status = compare_all(plan, each, results_root(overview), error);
    if (status == HL_OK) status = find_words(request, plan, &words, error);
    output_enter(files, NULL);
    if (status == HL_OK) {
        status = results_write(overview, &nothing_to_draw, words.title, words.experiment, words.sections,
                               files, error);
    }
    free_words(&words);
    results_close(overview);
    return status;
}

/* Without files: only the checks, of all of them. */
static hl_status run_variants(hl_library *library, const hl_run_request *request, const experiment *plan,
                              output *files, hl_error *error) {
    results **each = calloc(plan->variant_count, sizeof *each);
    if (!each) return hl_no_memory(error, "the variants' results");
    hl_status status = HL_OK;
    for (size_t i = 0; i < plan->variant_count && status == HL_OK; ++i) {
        status = run_once(library, request, &plan->variants[i], files, &each[i], error);
    }
    if (status == HL_OK && files) status = write_comparison(request, plan, each, files, error);
    for (size_t i = 0; i < plan->variant_count; ++i) results_close(each[i]);
    free(each);
    return status;
}

static hl_status open_files(const hl_run_request *request, const char *folder, output **files,
                            hl_error *error) {
    if (folder) return output_open(folder, files, error);
    return hl_fail(error, HL_USAGE,
                   "%s: names no folder for the results; add `output: FOLDER` or give --out FOLDER",
                   request->experiment);
}

static hl_status run_plan(hl_library *library, const hl_run_request *request, const experiment *plan,
                          output *files, hl_error *error) {
    if (plan->variant_count) return run_variants(library, request, plan, files, error);
    results *found = NULL;
    hl_status status = run_once(library, request, NULL, files, &found, error);
    results_close(found);
    return status;
}

/* Where the page will be, without detours, to be opened from anywhere. The folder is there already. */
static hl_status find_report(const char *folder, char **report, hl_error *error) {
    char *place = realpath(folder, NULL);
    bool made = place && asprintf(report, "%s/report.html", place) >= 0;
    free(place);
    if (made) return HL_OK;
    *report = NULL;
    return hl_no_memory(error, "the report's path");
}

static hl_status run_and_write(hl_library *library, const hl_run_request *request, const experiment *plan,
                               char **report, hl_error *error) {
    const char *folder = request->output ? request->output : plan->output;
    output *files = NULL;
    hl_status status = run_plan(library, request, plan, NULL, error); /* what is wrong leaves no folder */
    if (status == HL_OK) status = open_files(request, folder, &files, error);
    if (status == HL_OK) status = run_plan(library, request, plan, files, error);
    if (status == HL_OK && report) status = find_report(folder, report, error);
    if (status != HL_OK) {
        output_abandon(files);
        return status;
    }
    status = output_commit(files, error);
    if (status != HL_OK && report) {
        free(*report);
        *report = NULL;
    }
    return status;
}

hl_status hl_run(hl_library *library, const hl_run_request *request, char **report, hl_error *error) {
    if (report) *report = NULL;
    experiment *plan = NULL;
    hl_status status = experiment_open(library->plugins, request->experiment, request->sets,
                                       request->set_count, NULL, &plan, error);
    if (status == HL_OK) {
        status = request->check_only ? run_plan(library, request, plan, NULL, error)
                                     : run_and_write(library, request, plan, report, error);
    }
    experiment_close(plan);
    return status;
}
