/* See run_description.h. */
#include "core/experiment/run_description.h"

#include <stdlib.h>
#include <string.h>

static bool add_text(cJSON *object, const char *key, const char *value) {
    return cJSON_AddStringToObject(object, key, value) != NULL;
}

static bool add_number(cJSON *object, const char *key, double value) {
    return cJSON_AddNumberToObject(object, key, value) != NULL;
}

/* What the plugin says about its model, under keys that the host has not taken. */
static bool add_facts(cJSON *object, const hl_model_info *info) {
    for (uint32_t i = 0; i < info->fact_count; ++i) {
        const char *rows = (const char *)info->facts;
        const hl_fact *fact = (const hl_fact *)(const void *)(rows + (size_t)i * info->fact_size);
        if (!fact->name || !fact->value || strcmp(fact->name, "digest") == 0 ||
            cJSON_GetObjectItemCaseSensitive(object, fact->name))
            continue;
        if (!add_text(object, fact->name, fact->value)) return false;
    }
    return true;
}

static bool describe_model(cJSON *model, const engine *self, const char *digest) {
    const hl_model_info *info = self->info;
    return add_text(model, "name", info->name) && add_text(model, "plugin", self->model_plugin->name) &&
           add_text(model, "summary", info->summary) && add_number(model, "embed_dim", info->embed_dim) &&
           add_number(model, "image_size", info->preprocess.size) && add_facts(model, info) &&
           (!*digest || add_text(model, "digest", digest));
}

static bool describe_compute(cJSON *compute, const engine *self) {
    const hl_compute *with = &self->compute;
    const char *fallback = self->fallback.message;
    return add_text(compute, "backend", self->compute_plugin->name) &&
           add_text(compute, "description", with->api->describe(with->backend)) &&
           add_text(compute, "kernel", with->api->kernel(with->backend)) &&
           add_text(compute, "precision", with->api->precision(with->backend)) &&
           add_number(compute, "threads", self->interface->threads(self->interface)) &&
           (!*fallback || add_text(compute, "fallback", fallback));
}

hl_status describe_engine(engine *self, cJSON *root, hl_error *error) {
    cJSON *model = cJSON_GetObjectItem(root, "model"), *compute = cJSON_GetObjectItem(root, "compute");
    const char *digest;
    hl_status status = engine_digest(self, &digest, error);
    if (status != HL_OK) return status;
    bool ok = describe_model(model, self, digest) && describe_compute(compute, self);
    return ok ? HL_OK : hl_no_memory(error, "the results");
}

hl_status describe_cut_texts(const cut_texts *cut, uint32_t context, cJSON *root, hl_error *error) {
    if (cut->count == 0) return HL_OK;
    cJSON *list = cJSON_AddArrayToObject(root, "truncated");
    bool ok = list != NULL;
    for (size_t i = 0; i < cut->count && ok; ++i) {
        cJSON *entry = cJSON_CreateObject();
        ok = entry && cJSON_AddItemToArray(list, entry);
        if (!ok) cJSON_Delete(entry);
        ok = ok && add_text(entry, "text", cut->all[i].text) &&
             add_number(entry, "tokens", (double)cut->all[i].tokens) && add_number(entry, "context", context);
    }
    return ok ? HL_OK : hl_no_memory(error, "the results");
}

hl_status describe_properties(const properties *known, const char *extractor, cJSON *root, hl_error *error) {
    if (!known) return HL_OK;
    cJSON *section = cJSON_AddObjectToObject(root, "properties");
    cJSON *heads = section ? cJSON_AddObjectToObject(section, "heads") : NULL;
    if (!heads || !add_text(section, "extractor", extractor)) return hl_no_memory(error, "the results");
    return properties_describe(known, heads, error);
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

hl_status describe_options(const option_values *values, cJSON **out, hl_error *error) {
    *out = cJSON_CreateObject();
    if (!*out) return hl_no_memory(error, "the results");
    hl_status status = options_visit(values, add_option, *out, error);
    if (status == HL_OK) return HL_OK;
    cJSON_Delete(*out);
    *out = NULL;
    return status;
}

/* The experiment as it was written, for the page, and what the command line changed. free() it. */
static hl_status copy_experiment(const hl_run_request *request, const experiment_source *source, char **text,
                                 hl_error *error) {
    *text = NULL;
    size_t size = 0;
    FILE *copy = open_memstream(text, &size);
    size_t count;
    const char *written = yaml_source(source->file, &count);
    bool ok = copy && fwrite(written, 1, count, copy) == count;
    for (size_t i = 0; ok && i < request->set_count; ++i) {
        ok = fprintf(copy, "# --set %s\n", request->sets[i]) > 0;
    }
    if (copy) ok = fclose(copy) == 0 && ok && *text; /* without memory the text may be missing */
    return ok ? HL_OK : hl_no_memory(error, "the page's experiment");
}

/* The YAML file's name without what every such file ends in. */
static char *experiment_title(const char *path) {
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    const char *dot = strrchr(name, '.');
    return strndup(name, dot && dot > name ? (size_t)(dot - name) : strlen(name));
}

void page_words_free(page_words *words) {
    free(words->title);
    free(words->experiment);
    free(words->sections);
}

hl_status page_words_make(const hl_run_request *request, const experiment_source *source,
                          const experiment *plan, page_words *words, hl_error *error) {
    *words = (page_words){NULL, NULL, NULL};
    words->title = experiment_title(request->experiment);
    if (!words->title) return hl_no_memory(error, "the page's title");
    hl_status status = copy_experiment(request, source, &words->experiment, error);
    return status == HL_OK ? experiment_sections(plan, &words->sections, error) : status;
}
