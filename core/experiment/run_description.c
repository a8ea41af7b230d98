/* See run_description.h. */
#include "core/experiment/run_description.h"

#include <stdlib.h>
#include <string.h>

/* Keys of the host that a model need not have. */
static bool is_taken(const char *name) {
    return strcmp(name, "digest") == 0 || strcmp(name, "random_weights") == 0;
}

/* What the plugin says about its model, under keys that the host has not taken. */
static void add_facts(hl_item *model, const hl_model_info *info) {
    for (uint32_t i = 0; i < info->fact_count; ++i) {
        const hl_fact *fact = &info->facts[i];
        if (!fact->name || !fact->value || is_taken(fact->name) || hl_get(item_node(model), fact->name))
            continue;
        item_text(model, fact->name, fact->value);
    }
}

/* One number where the model takes squares, else height x width. */
static void add_image_size(hl_item *model, const hl_preprocess *preprocess) {
    char sides[32];
    snprintf(sides, sizeof sides, "%u x %u", preprocess->height, preprocess->width);
    if (preprocess->height == preprocess->width) {
        item_whole(model, "image_size", preprocess->height);
    } else {
        item_text(model, "image_size", sides);
    }
}

/* Nobody should take what such a model says for a model's word. */
static void add_summary(hl_item *model, const engine *self) {
    char summary[512];
    hl_format(summary, sizeof summary, "%s%s", self->info->summary,
              self->random_weights ? "; RANDOM WEIGHTS, which have learned nothing" : "");
    item_text(model, "summary", summary);
}

/* What the model makes of the cosine of an image and a text, where it says so. */
static void add_score(hl_item *model, const hl_model_info *info) {
    if (info->score != HL_SCORE_SOFTMAX && info->score != HL_SCORE_SIGMOID) return;
    item_text(model, "score", info->score == HL_SCORE_SIGMOID ? "sigmoid" : "softmax");
    item_number(model, "logit_scale", info->logit_scale);
    item_number(model, "logit_bias", info->logit_bias);
}

static void describe_model(hl_item *model, const engine *self, const char *digest) {
    const hl_model_info *info = self->info;
    item_text(model, "name", info->name);
    item_text(model, "plugin", self->model_plugin->name);
    add_summary(model, self);
    if (self->random_weights) item_whole(model, "random_weights", (int64_t)self->seed);
    item_whole(model, "embed_dim", info->embed_dim);
    add_image_size(model, info->preprocess);
    add_score(model, info);
    add_facts(model, info);
    if (*digest) item_text(model, "digest", digest);
}

static void describe_compute(hl_item *compute, const engine *self) {
    const hl_compute *with = &self->compute;
    const char *fallback = self->fallback.message;
    item_text(compute, "backend", self->compute_plugin->name);
    item_text(compute, "description", with->api->describe(with->backend));
    item_text(compute, "kernel", with->api->kernel(with->backend));
    item_text(compute, "precision", with->api->precision(with->backend));
    item_whole(compute, "threads", self->interface->threads(self->interface));
    if (*fallback) item_text(compute, "fallback", fallback);
}

hl_status describe_engine(engine *self, hl_item *root, hl_error *error) {
    const char *digest;
    hl_status status = engine_digest(self, &digest, error);
    if (status != HL_OK) return status;
    describe_model(item_inner(root, "model"), self, digest);
    describe_compute(item_inner(root, "compute"), self);
    return HL_OK;
}

static void add_node(hl_item *item, const char *key, const yaml_node *node) {
    int64_t whole;
    double real;
    if (node->type == YAML_LIST) {
        hl_item *list = item_list(item, key, HL_LIST);
        for (size_t i = 0; i < node->count; ++i) add_node(list, NULL, node->items[i]);
    } else if (node->type == YAML_MAP) {
        hl_item *map = item_map(item, key);
        for (size_t i = 0; i < node->count; ++i) add_node(map, node->keys[i]->text, node->items[i]);
    } else if (yaml_whole(node, &whole)) {
        item_whole(item, key, whole);
    } else if (yaml_real(node, &real)) {
        item_double(item, key, real);
    } else {
        item_text(item, key, node->text);
    }
}

/* A direction that is no text: as it was written, with the name by which results go. */
static void add_form(hl_item *list, const char *name, const yaml_node *form) {
    hl_item *map = item_map(list, NULL);
    item_text(map, "name", name);
    for (size_t i = 0; i < form->count; ++i) {
        if (strcmp(form->keys[i]->text, "name") != 0) add_node(map, form->keys[i]->text, form->items[i]);
    }
}

typedef struct options_description {
    const option_values *values;
    hl_item *item;
} options_description;

static void add_entries(const options_description *self, const hl_option *option, const char *const *written,
                        size_t count) {
    hl_item *list = item_list(self->item, option->name, HL_LIST);
    for (size_t i = 0; i < count; ++i) {
        const yaml_node *form = options_form(self->values, option, i);
        if (form) {
            add_form(list, written[i], form);
        } else {
            item_text(list, NULL, written[i]);
        }
    }
}

/* An option's value as results.json shows it. */
static hl_status add_option(void *user, const hl_option *option, const hl_value *value,
                            const char *const *written, size_t written_count, hl_error *error) {
    const options_description *self = user;
    hl_item *options = self->item;
    (void)error;
    if (!value->given) {
        item_nothing(options, option->name);
        return HL_OK;
    }
    switch (option->type) {
    case HL_BOOL:
        item_truth(options, option->name, value->boolean);
        break;
    case HL_INT:
        item_whole(options, option->name, value->integer);
        break;
    case HL_REAL:
        item_double(options, option->name, value->real);
        break;
    case HL_STRING:
    case HL_CHOICE:
    case HL_PATH:
        item_text(options, option->name, written_count ? written[0] : "");
        break;
    default:
        add_entries(self, option, written, written_count);
    }
    return HL_OK;
}

hl_status describe_options(const option_values *values, hl_item *analysis, hl_error *error) {
    options_description self = {values, item_map(analysis, "options")};
    return options_visit(values, add_option, &self, error);
}

/* The YAML file's name without what every such file ends in. */
static char *experiment_title(const char *path) {
    if (strcmp(path, "-") == 0) return strdup("experiment");
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
    hl_status status = yaml_print_source(source->file, &words->experiment, error);
    return status == HL_OK ? experiment_sections(plan, &words->sections, error) : status;
}
