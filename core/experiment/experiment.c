/* The sections of an experiment: which there are, which plugin each belongs to, and that all of it is right
 * before anything heavy starts. Never knows what a plugin's options mean. */
#include "core/experiment/experiment.h"

#include "core/engine/engine.h"
#include "headlight/analysis.h"
#include <stdlib.h>
#include <string.h>

/* What sections hold besides their plugin's options is checked like a plugin's options. */
#define SECTION(NAME, TABLE)                                                                                 \
    { .size = sizeof(hl_plugin), .name = (NAME), HL_OPTIONS(TABLE) }

static const hl_option root_options[] = {
    {.name = "headlight", .type = HL_INT, .min = 1, .max = 1, .help = "the version of this format"},
    {.name = "output", .type = HL_PATH, .fallback = "~", .help = "the folder that gets the report"},
};
static const hl_plugin root_section = SECTION("experiment", root_options);
static const char *const root_sections[] = {"model",    "compute",  "gallery", "properties",
                                            "analyses", "variants", NULL};

static const hl_option model_options[] = {
    {.name = "path", .type = HL_PATH, .help = "the model's folder"},
    {.name = "plugin", .type = HL_STRING, .fallback = "~", .help = "the model plugin"},
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

static const hl_option properties_options[] = {
    {.name = "extractor", .type = HL_STRING, .help = "the extractor plugin"},
};
static const hl_plugin properties_section = SECTION("properties", properties_options);

static const hl_option analysis_options[] = {
    {.name = "plugin", .type = HL_STRING, .help = "the analysis plugin"},
    {.name = "title", .type = HL_STRING, .fallback = "~", .help = "a heading for the report"},
};
static const hl_plugin analysis_section = SECTION("analysis", analysis_options);

static const hl_option variant_options[] = {
    {.name = "name", .type = HL_STRING, .help = "what reports call it: letters, digits, '-', '_' and '.'"},
};
static const hl_plugin variant_section = SECTION("variant", variant_options);

static const char *const no_keys[] = {NULL};

typedef struct section_reader {
    const registry *plugins;
    experiment *plan;
    const yaml_node_t *root;
    hl_error *error;
} section_reader;

static const yaml_node_t *section_node(const section_reader *reader, const char *name) {
    return yaml_get(reader->plan->file, reader->root, name);
}

/* The plugin that a section names under `key`, and its options; `keys` are the section's own. */
static hl_status read_step(const section_reader *reader, const yaml_node_t *node, hl_kind kind,
                           const char *key, const char *const *keys, experiment_step *step) {
    const yaml_file *file = reader->plan->file;
    const yaml_node_t *name = yaml_get(file, node, key);
    char place[512];
    yaml_place(file, name, place, sizeof place);
    hl_status status = registry_need(reader->plugins, kind, (const char *)name->data.scalar.value, place,
                                     &step->plugin, reader->error);
    if (status != HL_OK) return status;
    return options_read(step->plugin, file, node, keys, &step->values, reader->error);
}

static hl_status read_root(const section_reader *reader) {
    experiment *plan = reader->plan;
    option_values *values;
    hl_status status =
        options_read(&root_section, plan->file, reader->root, root_sections, &values, reader->error);
    if (status != HL_OK) return status;
    const hl_value *output = options_values(values)[1];
    if (output->given && !(plan->output = strdup(output->string))) {
        status = hl_no_memory(reader->error, "an experiment");
    }
    options_free(values);
    return status;
}

static hl_status missing_section(const section_reader *reader, const char *name, const char *example) {
    return yaml_fail(reader->plan->file, reader->root, reader->error, "the section \"%s\" is missing: add %s",
                     name, example);
}

static hl_status check_model_folder(const section_reader *reader, const yaml_node_t *node) {
    hl_error why;
    hl_status status = engine_check_folder(reader->plan->model_path, &why);
    if (status == HL_OK) return HL_OK;
    if (status == HL_FAILED) return hl_fail(reader->error, HL_FAILED, "%s", why.message);
    return yaml_fail(reader->plan->file, yaml_get(reader->plan->file, node, "path"), reader->error, "%s",
                     why.message);
}

static hl_status read_model(const section_reader *reader) {
    static const char *const keys[] = {"path", "plugin", NULL};
    experiment *plan = reader->plan;
    const yaml_node_t *node = section_node(reader, "model");
    if (!node) return missing_section(reader, "model", "model: {path: FOLDER}");
    option_values *values;
    hl_status status = options_read(&model_section, plan->file, node, NULL, &values, reader->error);
    if (status != HL_OK) return status;
    bool named = options_values(values)[1]->given;
    plan->model_path = strdup(options_values(values)[0]->string);
    options_free(values);
    if (!plan->model_path) return hl_no_memory(reader->error, "an experiment");
    if (named) {
        status = read_step(reader, node, HL_MODEL, "plugin", keys, &plan->model);
    } else {
        status = options_read(&model_section, plan->file, node, no_keys, &values, reader->error);
        if (status == HL_OK) options_free(values);
    }
    return status == HL_OK ? check_model_folder(reader, node) : status;
}

static hl_status read_compute(const section_reader *reader) {
    static const char *const keys[] = {"backend", "threads", NULL};
    const yaml_node_t *node = section_node(reader, "compute");
    if (!node) return HL_OK;
    option_values *values;
    hl_status status = options_read(&compute_section, reader->plan->file, node, NULL, &values, reader->error);
    if (status != HL_OK) return status;
    bool automatic = strcmp(options_values(values)[0]->string, "auto") == 0;
    reader->plan->threads = (unsigned)options_values(values)[1]->integer;
    options_free(values);
    if (!automatic) return read_step(reader, node, HL_COMPUTE, "backend", keys, &reader->plan->compute);
    status = options_read(&compute_section, reader->plan->file, node, no_keys, &values, reader->error);
    if (status == HL_OK) options_free(values);
    return status;
}

static hl_status read_gallery(const section_reader *reader) {
    experiment_gallery *gallery = &reader->plan->gallery;
    const yaml_node_t *node = section_node(reader, "gallery");
    if (!node) return HL_OK;
    option_values *values;
    hl_status status =
        options_read(&gallery_section, reader->plan->file, node, no_keys, &values, reader->error);
    if (status != HL_OK) return status;
    const hl_value *images = options_values(values)[0], *atlas = options_values(values)[1];
    gallery->images = strdup(images->string);
    if (atlas->given) gallery->atlas = strdup(atlas->string);
    gallery->place = yaml_get(reader->plan->file, node, "images");
    const hl_value *dtype = options_values(values)[2];
    if (dtype->given) gallery->dtype = dtype->integer == 0 ? HL_F16 : HL_F32;
    if (!gallery->images || (atlas->given && !gallery->atlas)) {
        status = hl_no_memory(reader->error, "an experiment");
    }
    options_free(values);
    return status;
}

enum { MOST_KEYS = 4 };

/* The section's own keys first: that the first, which names the plugin, is there and is text. */
static hl_status read_named_step(const section_reader *reader, const yaml_node_t *node,
                                 const hl_plugin *section, hl_kind kind, experiment_step *step) {
    const char *keys[MOST_KEYS + 1] = {NULL};
    for (size_t i = 0; i < section->option_count && i < MOST_KEYS; ++i) keys[i] = section->options[i].name;
    option_values *values;
    hl_status status = options_read(section, reader->plan->file, node, NULL, &values, reader->error);
    if (status != HL_OK) return status;
    const hl_value *title = section->option_count > 1 ? options_values(values)[1] : NULL;
    if (title && title->given && !(step->title = strdup(title->string))) {
        status = hl_no_memory(reader->error, "an experiment");
    }
    options_free(values);
    return status == HL_OK ? read_step(reader, node, kind, keys[0], keys, step) : status;
}

static hl_status read_properties(const section_reader *reader) {
    const yaml_node_t *node = section_node(reader, "properties");
    if (!node) return HL_OK;
    return read_named_step(reader, node, &properties_section, HL_EXTRACTOR, &reader->plan->properties);
}

static hl_status check_needs(const section_reader *reader, const yaml_node_t *node,
                             const hl_plugin *analysis) {
    hl_analysis_api api;
    registry_table(analysis, &api, sizeof api);
    if (!(api.needs & HL_NEEDS_GALLERY) || reader->plan->gallery.images) return HL_OK;
    return yaml_fail(reader->plan->file, node, reader->error,
                     "%s searches a gallery: add gallery: {images: FOLDER}", analysis->name);
}

static hl_status read_analyses(const section_reader *reader) {
    experiment *plan = reader->plan;
    const yaml_node_t *node = section_node(reader, "analyses");
    if (!node) return missing_section(reader, "analyses", "analyses: [{plugin: NAME, ...}]");
    size_t count = 0;
    while (yaml_item(plan->file, node, count)) ++count;
    if (count == 0) {
        return yaml_fail(plan->file, node, reader->error,
                         "analyses: expected a list of at least one mapping, such as [{plugin: NAME}]");
    }
    plan->analyses = calloc(count, sizeof *plan->analyses);
    if (!plan->analyses) return hl_no_memory(reader->error, "an experiment");
    plan->analysis_count = count;
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        const yaml_node_t *item = yaml_item(plan->file, node, i);
        status = read_named_step(reader, item, &analysis_section, HL_ANALYSIS, &plan->analyses[i]);
        if (status == HL_OK) status = check_needs(reader, item, plan->analyses[i].plugin);
    }
    return status;
}

/* A name that can be a folder's among the results. */
static bool is_folder_name(const char *name) {
    size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.");
    bool taken = strcmp(name, "report.html") == 0 || strcmp(name, "results.json") == 0;
    return length > 0 && name[length] == '\0' && name[0] != '.' && !taken;
}

static hl_status check_variant_name(const section_reader *reader, const yaml_node_t *node, size_t index) {
    const experiment *plan = reader->plan;
    const yaml_node_t *at = yaml_get(plan->file, node, "name");
    if (!is_folder_name(plan->variants[index].name)) {
        return yaml_fail(plan->file, at, reader->error,
                         "a variant's name becomes a folder beside report.html: use letters, digits, '-', "
                         "'_' and '.'");
    }
    for (size_t i = 0; i < index; ++i) {
        if (strcmp(plan->variants[i].name, plan->variants[index].name) == 0) {
            return yaml_fail(plan->file, at, reader->error, "another variant is called \"%s\" already",
                             plan->variants[i].name);
        }
    }
    return HL_OK;
}

/* `set: {compute.backend: reference}` as the arguments that `--set` would take. */
static hl_status read_variant_sets(const section_reader *reader, const yaml_node_t *set,
                                   experiment_variant *variant) {
    const yaml_file *file = reader->plan->file;
    const yaml_node_t *key, *value;
    size_t count = 0;
    while (yaml_entry(file, set, count, &key, &value)) ++count;
    variant->sets = calloc(count + 1, sizeof *variant->sets);
    variant->places = calloc(count + 1, sizeof *variant->places);
    if (!variant->sets || !variant->places) return hl_no_memory(reader->error, "an experiment");
    for (; variant->set_count < count; ++variant->set_count) {
        yaml_entry(file, set, variant->set_count, &key, &value);
        char **out = &variant->sets[variant->set_count];
        if (value->type != YAML_SCALAR_NODE) {
            return yaml_fail(file, value, reader->error,
                             "expected one value, such as compute.backend: reference");
        }
        if (asprintf(out, "%s=%s", (const char *)key->data.scalar.value,
                     (const char *)value->data.scalar.value) < 0) {
            *out = NULL;
            return hl_no_memory(reader->error, "an experiment");
        }
        char place[512];
        yaml_place(file, value, place, sizeof place);
        variant->places[variant->set_count] = strdup(place);
        if (!variant->places[variant->set_count]) {
            free(*out);
            return hl_no_memory(reader->error, "an experiment");
        }
    }
    return HL_OK;
}

static hl_status read_variant(const section_reader *reader, const yaml_node_t *node, size_t index) {
    static const char *const keys[] = {"set", NULL};
    const yaml_file *file = reader->plan->file;
    experiment_variant *variant = &reader->plan->variants[index];
    option_values *values;
    hl_status status = options_read(&variant_section, file, node, keys, &values, reader->error);
    if (status != HL_OK) return status;
    variant->name = strdup(options_values(values)[0]->string);
    options_free(values);
    if (!variant->name) return hl_no_memory(reader->error, "an experiment");
    status = check_variant_name(reader, node, index);
    const yaml_node_t *set = yaml_get(file, node, "set");
    if (status != HL_OK || !set) return status;
    if (set->type == YAML_MAPPING_NODE) return read_variant_sets(reader, set, variant);
    return yaml_fail(file, set, reader->error, "expected a mapping, such as {compute.backend: reference}");
}

static hl_status read_variants(const section_reader *reader) {
    experiment *plan = reader->plan;
    const yaml_node_t *node = section_node(reader, "variants");
    if (!node) return HL_OK;
    size_t count = 0;
    while (yaml_item(plan->file, node, count)) ++count;
    if (count == 0) {
        return yaml_fail(
            plan->file, node, reader->error,
            "variants: expected a list such as [{name: a}, {name: b, set: {compute.backend: reference}}]");
    }
    plan->variants = calloc(count, sizeof *plan->variants);
    if (!plan->variants) return hl_no_memory(reader->error, "an experiment");
    plan->variant_count = count;
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = read_variant(reader, yaml_item(plan->file, node, i), i);
    }
    return status;
}

static hl_status read_sections(const section_reader *reader) {
    static hl_status (*const sections[])(const section_reader *) = {
        read_root, read_model, read_compute, read_gallery, read_properties, read_analyses, read_variants,
    };
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof sections / sizeof *sections && status == HL_OK; ++i)
        status = sections[i](reader);
    return status;
}

hl_status experiment_open(const registry *plugins, const yaml_source *source, const char *const *sets,
                          size_t set_count, const experiment_variant *variant, experiment **out,
                          hl_error *error) {
    *out = NULL;
    experiment *plan = calloc(1, sizeof *plan);
    if (!plan) return hl_no_memory(error, "an experiment");
    plan->path = source->path;
    plan->variant = variant ? variant->name : NULL;
    hl_status status = yaml_open(source, sets, set_count, &plan->file, error);
    if (status == HL_OK && variant) {
        status = yaml_change(plan->file, (const char *const *)variant->sets,
                             (const char *const *)variant->places, variant->set_count, error);
    }
    if (status == HL_OK)
        status = read_sections(&(section_reader){plugins, plan, yaml_root(plan->file), error});
    if (status != HL_OK) {
        experiment_close(plan);
        return status;
    }
    *out = plan;
    return HL_OK;
}

static void free_variant(experiment_variant *variant) {
    for (size_t i = 0; i < variant->set_count; ++i) {
        free(variant->sets[i]);
        free(variant->places[i]);
    }
    free(variant->sets);
    free(variant->places);
    free(variant->name);
}

void experiment_close(experiment *plan) {
    if (!plan) return;
    for (size_t i = 0; i < plan->analysis_count; ++i) {
        options_free(plan->analyses[i].values);
        free(plan->analyses[i].title);
    }
    free(plan->analyses);
    for (size_t i = 0; i < plan->variant_count; ++i) free_variant(&plan->variants[i]);
    free(plan->variants);
    options_free(plan->model.values);
    options_free(plan->compute.values);
    options_free(plan->properties.values);
    free(plan->gallery.images);
    free(plan->gallery.atlas);
    free(plan->model_path);
    free(plan->output);
    yaml_close(plan->file);
    free(plan);
}
