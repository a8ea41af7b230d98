/* An analysis or an extractor that is run for whoever asks, with options as text: what an experiment does
 * with its steps, for one of them. */
#include "core/asking/asker_inside.h"

#include "core/asking/findings.h"
#include "core/asking/step.h"
#include "core/registry/registry.h"
#include <stdlib.h>
#include <string.h>

typedef struct plugin_run {
    asker *self;
    const hl_plugin *plugin;
    yaml_file *written;
    option_values *values;
    const hl_image **images; /* all that the options name */
    size_t image_count;
    bool joined; /* the images are in the store */
    cut_texts cut;
    tree *results;
} plugin_run;

/* ---- the plugin ---- */

static hl_status find_plugin(plugin_run *run, const char *name, hl_error *error) {
    static const hl_kind kinds[] = {HL_ANALYSIS, HL_EXTRACTOR};
    for (size_t i = 0; name && i < sizeof kinds / sizeof *kinds; ++i) {
        size_t length = strlen(kind_name(kinds[i]));
        if (strncmp(name, kind_name(kinds[i]), length) != 0 || name[length] != '/') continue;
        return registry_need(run->self->shared->model->plugins, kinds[i], name + length + 1, "hl_ask.run",
                             &run->plugin, error);
    }
    return hl_fail(error, HL_USAGE, "hl_ask.run: expected analysis/NAME or extractor/NAME, got \"%.200s\"",
                   name ? name : "");
}

/* Whether it has all that it cannot do without. */
static hl_status check_needs(plugin_run *run, hl_error *error) {
    hl_extractor_api extractor = {.from = HL_STEP_NONE};
    if (run->plugin->kind == HL_EXTRACTOR) registry_table(run->plugin, &extractor, sizeof extractor);
    if (extractor.from != HL_STEP_NONE) {
        return hl_fail(error, HL_USAGE,
                       "extractor/%s builds on what another step found, which only an experiment has",
                       run->plugin->name);
    }
    if (!(registry_needs(run->plugin) & HL_NEEDS_GALLERY) || run->self->interface.gallery) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "%s/%s asks about a gallery, but there is none: a program names it in "
                   "hl_ask_settings.gallery",
                   kind_name(run->plugin->kind), run->plugin->name);
}

/* ---- its options ---- */

static hl_status read_options(plugin_run *run, const char *options, hl_error *error) {
    static const char *const none[] = {NULL};
    const yaml_node *node = NULL;
    hl_status status = HL_OK;
    if (options && *options) {
        status = yaml_parse("options", (const uint8_t *)options, strlen(options), &run->written, error);
        if (status == HL_OK) node = yaml_root(run->written);
    }
    return status == HL_OK ? options_read(run->plugin, node, none, &run->values, error) : status;
}

static hl_status find_property(const void *user, const char *name, const hl_selection **out,
                               hl_error *error) {
    const asker_findings *found = user;
    return found->property(found->user, name, out, error);
}

static hl_status bind_options(plugin_run *run, hl_error *error) {
    const asker_findings *found = &run->self->findings;
    hl_status status = step_bind(run->values, run->self->shared->model, &run->cut, error);
    if (status != HL_OK) return status;
    return options_bind_properties(run->values, found->property ? find_property : NULL, found, error);
}

static hl_status join_images(plugin_run *run, hl_error *error) {
    while (options_image(run->values, run->image_count)) ++run->image_count;
    run->images = calloc(run->image_count + 1, sizeof *run->images);
    if (!run->images) return hl_no_memory(error, "the list of images");
    for (size_t i = 0; i < run->image_count; ++i) run->images[i] = options_image(run->values, i);
    hl_status status = images_join(run->self->shared->images, run->images, run->image_count, error);
    run->joined = status == HL_OK;
    return status;
}

/* ---- its results ---- */

static hl_status extract(const plugin_run *run, hl_item *list, hl_error *error) {
    findings *found;
    hl_status status =
        findings_ask(run->plugin, &run->self->interface, options_values(run->values), &found, error);
    if (status == HL_OK) findings_write(found, list);
    findings_close(found);
    return status;
}

static hl_status fill_results(plugin_run *run, hl_error *error) {
    hl_status status = tree_open(&run->results, error);
    if (status != HL_OK) return status;
    hl_item *root = tree_root(run->results);
    item_text(root, "plugin", run->plugin->name);
    item_text(root, "summary", run->plugin->summary);
    cut_texts_describe(&run->cut, run->self->interface.model->context, root);
    hl_item *list = item_list(root, "results", HL_LIST);
    const hl_ask *ask = &run->self->interface;
    tree_set_facts(run->results, nearest_facts, (void *)(uintptr_t)ask->gallery);
    status = run->plugin->kind == HL_ANALYSIS
                 ? step_analyse(run->plugin, ask, run->values, run->results, list, error)
                 : extract(run, list, error);
    return status == HL_OK ? tree_check(run->results, error) : status;
}

/* ---- all together ---- */

/* An atlas that is brought up to date for the plugin gets the columns that it needs. */
static hl_status prepare_gallery(const plugin_run *run, hl_error *error) {
    const asker *self = run->self;
    uint32_t columns = nearest_columns_of_needs(self->interface.model, registry_needs(run->plugin));
    nearest *searched = (nearest *)(uintptr_t)self->interface.gallery;
    return columns && searched ? nearest_prepare(searched, columns, error) : HL_OK;
}

static hl_status run_all(plugin_run *run, const char *plugin, const char *options, hl_error *error) {
    hl_status status = find_plugin(run, plugin, error);
    if (status == HL_OK) status = check_needs(run, error);
    if (status == HL_OK) status = read_options(run, options, error);
    if (status == HL_OK) status = bind_options(run, error);
    if (status == HL_OK) cut_texts_warn(&run->cut, run->self->shared->model);
    if (status == HL_OK) status = join_images(run, error);
    if (status == HL_OK) status = asker_load(run->self, error);
    if (status == HL_OK) status = step_encode_directions(run->values, &run->self->interface, error);
    if (status == HL_OK) status = prepare_gallery(run, error);
    return status == HL_OK ? fill_results(run, error) : status;
}

hl_status asker_run(asker *self, const char *plugin, const char *options, const hl_node **out,
                    hl_error *error) {
    plugin_run run = {.self = self};
    hl_status status = run_all(&run, plugin, options, error);
    if (run.joined) images_leave(self->shared->images, run.images, run.image_count);
    free(run.images);
    cut_texts_free(&run.cut);
    options_free(run.values);
    yaml_close(run.written);
    if (status == HL_OK) {
        *out = tree_node(run.results);
    } else {
        tree_close(run.results);
    }
    return status;
}

void asker_release_results(const hl_node *results) {
    if (results) tree_close(tree_owner(results));
}
