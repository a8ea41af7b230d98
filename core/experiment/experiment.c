/* The sections of an experiment: which there are, which plugin each belongs to, and that all of it is right
 * before anything heavy starts. Never knows what a plugin's options mean. */
#include "core/experiment/experiment.h"

#include "core/engine/engine.h"
#include "core/engine/model_home.h"
#include "core/experiment/query_images.h"
#include "core/experiment/secrets.h"
#include "core/experiment/section.h"
#include "headlight/analysis.h"
#include <stdlib.h>
#include <string.h>

static const char *const error_ways[] = {"stop", "skip", NULL};
static const hl_option root_options[] = {
    {.name = "headlight", .type = HL_INT, .min = 1, .max = 1, .help = "the version of this format"},
    {.name = "output", .type = HL_PATH, .fallback = "~", .help = "the folder that gets the report"},
    {.name = "on-error",
     .type = HL_CHOICE,
     .fallback = "stop",
     .choices = error_ways,
     .help = "what a query image that cannot be read does: stop the run, or be left out"},
};
static const hl_plugin root_section = SECTION("experiment", root_options);
static const char *const root_sections[] = {"model",    "compute", "gallery",  "extractors", "properties",
                                            "analyses", "reports", "variants", NULL};

static const hl_option model_options[] = {
    {.name = "path", .type = HL_PATH, .fallback = "~", .help = "the model's folder; this or `name`"},
    {.name = "name", .type = HL_STRING, .fallback = "~", .help = "a model at home, see `headlight models`"},
    {.name = "plugin", .type = HL_STRING, .fallback = "~", .help = "the model plugin"},
    {.name = "random-weights",
     .type = HL_INT,
     .fallback = "~",
     .max = 9007199254740991, /* 2^53 - 1: results.json shows it, and every reader of JSON takes it whole */
     .help = "a seed: random weights of this shape, in place of those in the folder"},
};
static const hl_plugin model_section = SECTION("model", model_options);

static const hl_option compute_options[] = {
    {.name = "backend", .type = HL_STRING, .fallback = "auto", .help = "the compute plugin"},
    {.name = "threads", .type = HL_INT, .fallback = "0", .max = 1024, .help = "0: all cores"},
};
static const hl_plugin compute_section = SECTION("compute", compute_options);

static const char *const atlas_types[] = {"f16", "f32", NULL};
static const hl_option gallery_options[] = {
    {.name = "images", .type = HL_PATH, .help = "a folder, a list or a gallery.json"},
    {.name = "atlas", .type = HL_PATH, .fallback = "~", .help = "the atlas's folder"},
    {.name = "dtype",
     .type = HL_CHOICE,
     .fallback = "~",
     .choices = atlas_types,
     .help = "of the atlas; default: what is there, else f16"},
};
static const hl_plugin gallery_section = SECTION("gallery", gallery_options);

static const hl_option analysis_options[] = {
    {.name = "plugin", .type = HL_STRING, .help = "the analysis plugin"},
    {.name = "title", .type = HL_STRING, .fallback = "~", .help = "a heading for the report"},
};
static const hl_plugin analysis_section = SECTION("analysis", analysis_options);

static const char *const no_keys[] = {NULL};

typedef struct section_reader {
    const registry *plugins;
    experiment *plan;
    hl_error *error;
} section_reader;

static const yaml_node *section_node(const section_reader *reader, const char *name) {
    return yaml_get(reader->plan->root, name);
}

static hl_status read_root(const section_reader *reader) {
    experiment *plan = reader->plan;
    option_values *values;
    hl_status status = options_read(&root_section, plan->root, root_sections, &values, reader->error);
    if (status != HL_OK) return status;
    const hl_value *output = options_values(values)[1];
    plan->skip_unreadable = options_values(values)[2]->integer == 1;
    if (output->given && !(plan->output = strdup(output->string))) {
        status = hl_no_memory(reader->error, "an experiment");
    }
    options_free(values);
    return status;
}

static hl_status missing_section(const section_reader *reader, const char *name, const char *example) {
    return yaml_fail(reader->plan->root, reader->error, "the section \"%s\" is missing: add %s", name,
                     example);
}

/* An experiment that has variants is never run as it stands. */
static bool is_run(const experiment *plan) {
    return plan->variant || !yaml_get(plan->root, "variants");
}

static hl_status check_model_folder(const section_reader *reader) {
    hl_error why;
    hl_status status = is_run(reader->plan) ? engine_check_folder(reader->plan->model_path, &why) : HL_OK;
    if (status == HL_OK) return HL_OK;
    if (status == HL_FAILED) return hl_fail(reader->error, HL_FAILED, "%s", why.message);
    const yaml_node *node = section_node(reader, "model"), *name = yaml_get(node, "name");
    if (!name || yaml_is_null(name)) {
        yaml_fail(yaml_get(node, "path"), reader->error, "%s", why.message);
    } else {
        yaml_fail(name, reader->error, "%s, or fetch it: `headlight models` lists those that are known",
                  why.message);
    }
    return reader->plan->optional ? status : HL_USAGE;
}

/* An optional variant may do without its folder, but not without being right: that is looked at first. */
static hl_status check_optional_folder(const section_reader *reader) {
    return reader->plan->optional ? check_model_folder(reader) : HL_OK;
}

/* A name stands for a folder at home; where it is not there, for the one that it would be. */
static hl_status read_model_folder(const section_reader *reader, const yaml_node *node,
                                   const hl_value *const *values) {
    const hl_value *path = values[0], *name = values[1];
    if (path->given == name->given) {
        return yaml_fail(node, reader->error,
                         "expected either path, the model's folder, or name, of one at home");
    }
    char **out = &reader->plan->model_path;
    if (path->given) {
        *out = strdup(path->string);
    } else {
        hl_error why;
        hl_status status = model_home_place(name->string, out, &why);
        if (status == HL_USAGE) return yaml_fail(yaml_get(node, "name"), reader->error, "%s", why.message);
    }
    return *out ? HL_OK : hl_no_memory(reader->error, "an experiment");
}

/* Whichever plugin recognises the folder will read its options once it is known; until then a key must be one
 * of some plugin's. */
static hl_status check_model_keys(const section_reader *reader, const yaml_node *node) {
    const hl_plugin *plugin;
    size_t count = 0, used = 0;
    for (size_t i = 0; (plugin = registry_at(reader->plugins, i)); ++i) count += plugin->option_count;
    const char **known = calloc(count + 1, sizeof *known);
    if (!known) return hl_no_memory(reader->error, "an experiment");
    for (size_t i = 0; (plugin = registry_at(reader->plugins, i)); ++i) {
        for (size_t k = 0; plugin->kind == HL_MODEL && k < plugin->option_count; ++k)
            known[used++] = plugin->options[k].name;
    }
    option_values *values;
    hl_status status = options_read(&model_section, node, known, &values, reader->error);
    if (status == HL_OK) options_free(values);
    free(known);
    return status;
}

const char *const experiment_model_keys[] = {"path", "name", "plugin", "random-weights", NULL};

static hl_status read_model(const section_reader *reader) {
    experiment *plan = reader->plan;
    const yaml_node *node = section_node(reader, "model");
    if (!node) return missing_section(reader, "model", "model: {path: FOLDER}");
    option_values *values;
    hl_status status = options_read(&model_section, node, NULL, &values, reader->error);
    if (status != HL_OK) return status;
    bool has_plugin = options_values(values)[2]->given;
    const hl_value *seed = options_values(values)[3];
    plan->random_weights = seed->given;
    plan->seed = (uint64_t)seed->integer;
    status = read_model_folder(reader, node, options_values(values));
    options_free(values);
    if (status != HL_OK) return status;
    if (has_plugin) {
        status = section_plugin(reader->plugins, node, HL_MODEL, "plugin", experiment_model_keys,
                                &plan->model, reader->error);
    } else {
        plan->model.place = node;
        status = check_model_keys(reader, node);
    }
    return status == HL_OK && !plan->optional ? check_model_folder(reader) : status;
}

static hl_status read_compute(const section_reader *reader) {
    static const char *const keys[] = {"backend", "threads", NULL};
    const yaml_node *node = section_node(reader, "compute");
    if (!node) return HL_OK;
    option_values *values;
    hl_status status = options_read(&compute_section, node, NULL, &values, reader->error);
    if (status != HL_OK) return status;
    bool automatic = strcmp(options_values(values)[0]->string, "auto") == 0;
    reader->plan->threads = (unsigned)options_values(values)[1]->integer;
    options_free(values);
    if (!automatic)
        return section_plugin(reader->plugins, node, HL_COMPUTE, "backend", keys, &reader->plan->compute,
                              reader->error);
    status = options_read(&compute_section, node, no_keys, &values, reader->error);
    if (status == HL_OK) options_free(values);
    return status;
}

static hl_status read_gallery(const section_reader *reader) {
    experiment_gallery *gallery = &reader->plan->gallery;
    const yaml_node *node = section_node(reader, "gallery");
    if (!node) return HL_OK;
    option_values *values;
    hl_status status = options_read(&gallery_section, node, no_keys, &values, reader->error);
    if (status != HL_OK) return status;
    const hl_value *images = options_values(values)[0], *atlas = options_values(values)[1];
    gallery->images = strdup(images->string);
    if (atlas->given) gallery->atlas = strdup(atlas->string);
    gallery->place = yaml_get(node, "images");
    const hl_value *dtype = options_values(values)[2];
    if (dtype->given) gallery->dtype = dtype->integer == 0 ? HL_F16 : HL_F32;
    if (!gallery->images || (atlas->given && !gallery->atlas)) {
        status = hl_no_memory(reader->error, "an experiment");
    }
    options_free(values);
    return status;
}

static hl_status read_extractors(const section_reader *reader) {
    return extractors_read(reader->plugins, reader->plan, reader->error);
}

static hl_status read_reports(const section_reader *reader) {
    return reports_read(reader->plugins, reader->plan, reader->error);
}

static hl_status check_needs(const section_reader *reader, const yaml_node *node, const hl_plugin *analysis) {
    if (!(registry_needs(analysis) & HL_NEEDS_GALLERY) || reader->plan->gallery.images) return HL_OK;
    return yaml_fail(node, reader->error, "%s searches a gallery: add gallery: {images: FOLDER}",
                     analysis->name);
}

/* An experiment that names extractors may have no other questions. */
static hl_status check_analyses(const section_reader *reader, const yaml_node *node) {
    const experiment *plan = reader->plan;
    bool enough = plan->extractor_count > 0 && plan->extractors[0].name;
    if (!node && !enough) return missing_section(reader, "analyses", "analyses: [{plugin: NAME, ...}]");
    bool named = node && !yaml_is_null(node);
    if ((!named && enough) || (named && node->type == YAML_LIST && (node->count > 0 || enough))) return HL_OK;
    return yaml_fail(node, reader->error,
                     "analyses: expected a list of at least one mapping, such as [{plugin: NAME}]");
}

static hl_status read_analysis(const section_reader *reader, const yaml_node *node, experiment_step *step) {
    hl_status status =
        section_step(reader->plugins, node, &analysis_section, HL_ANALYSIS, step, reader->error);
    if (status != HL_OK) return status;
    const yaml_node *title = yaml_get(node, "title");
    if (!yaml_is_null(title)) step->title = title ? title->text : NULL;
    return check_needs(reader, node, step->plugin);
}

static hl_status read_analyses(const section_reader *reader) {
    experiment *plan = reader->plan;
    const yaml_node *node = section_node(reader, "analyses");
    hl_status status = check_analyses(reader, node);
    if (status != HL_OK || !node) return status;
    plan->analyses = calloc(node->count + 1, sizeof *plan->analyses);
    if (!plan->analyses) return hl_no_memory(reader->error, "an experiment");
    for (size_t i = 0; i < node->count && status == HL_OK; ++i) {
        ++plan->analysis_count;
        status = read_analysis(reader, node->items[i], &plan->analyses[i]);
    }
    return status;
}

static hl_status read_variants(const section_reader *reader) {
    const yaml_node *node = section_node(reader, "variants");
    return node ? variants_read(node, &reader->plan->variants, &reader->plan->variant_count, reader->error)
                : HL_OK;
}

static hl_status read_sections(const section_reader *reader) {
    static hl_status (*const sections[])(const section_reader *) = {
        read_root,     read_model,   read_compute,  read_gallery,          read_extractors,
        read_analyses, read_reports, read_variants, check_optional_folder,
    };
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof sections / sizeof *sections && status == HL_OK; ++i)
        status = sections[i](reader);
    return status;
}

hl_status experiment_value(const experiment_source *source, const experiment_variant *variant,
                           const char *section, const char *key, const yaml_node **out, hl_error *error) {
    const yaml_node *root = source->root;
    hl_status status = variant_apply(variant, source->file, &root, error);
    *out = status == HL_OK ? yaml_get(yaml_get(root, section), key) : NULL;
    return status;
}

/* ---- one reading ---- */

hl_status experiment_read(const char *path, const char *const *sets, size_t set_count, experiment_source *out,
                          hl_error *error) {
    *out = (experiment_source){NULL, NULL};
    hl_status status = yaml_read(path, &out->file, error);
    if (status == HL_OK) out->root = yaml_root(out->file);
    for (size_t i = 0; i < set_count && status == HL_OK; ++i) {
        status = yaml_set(out->file, out->root, "--set", sets[i], &out->root, error);
    }
    if (status != HL_OK) experiment_forget(out);
    return status;
}

void experiment_forget(experiment_source *source) {
    yaml_close(source->file);
    *source = (experiment_source){NULL, NULL};
}

hl_status experiment_open(const registry *plugins, const experiment_source *source,
                          const experiment_variant *variant, experiment **out, hl_error *error) {
    *out = NULL;
    experiment *plan = calloc(1, sizeof *plan);
    if (!plan) return hl_no_memory(error, "an experiment");
    plan->file = source->file;
    plan->root = source->root;
    plan->variant = variant ? variant->name : NULL;
    secrets_hide(plugins, yaml_root(source->file));
    plan->optional = variant && variant->optional;
    hl_status status = HL_OK;
    if (variant) status = variant_apply(variant, source->file, &plan->root, error);
    if (status == HL_OK) status = read_sections(&(section_reader){plugins, plan, error});
    if (status == HL_OK) status = query_images_find(plan, error);
    if (status != HL_OK) {
        experiment_close(plan);
        return status;
    }
    *out = plan;
    return HL_OK;
}

void experiment_close(experiment *plan) {
    if (!plan) return;
    for (size_t i = 0; i < plan->analysis_count; ++i) options_free(plan->analyses[i].values);
    for (size_t i = 0; i < plan->extractor_count; ++i) {
        options_free(plan->extractors[i].values);
        free(plan->extractors[i].from);
    }
    for (size_t i = 0; i < plan->report_count; ++i) options_free(plan->reports[i].values);
    for (size_t i = 0; i < plan->skipped_count; ++i) {
        free(plan->skipped[i].name);
        free(plan->skipped[i].reason);
    }
    free(plan->skipped);
    free(plan->extractors);
    free(plan->analyses);
    free(plan->reports);
    free(plan->variants);
    options_free(plan->model.values);
    options_free(plan->compute.values);
    free(plan->gallery.images);
    free(plan->gallery.atlas);
    free(plan->model_path);
    free(plan->output);
    free(plan);
}
