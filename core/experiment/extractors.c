/* The chain of extractors as an experiment names it: a list of steps, each of which may build on earlier
 * ones, and which of them answers for properties. */
#include "core/experiment/section.h"

#include "core/registry/suggest.h"
#include "headlight/extractor.h"
#include <stdlib.h>
#include <string.h>

static const hl_option step_options[] = {
    {.name = "plugin", .type = HL_STRING, .help = "the extractor plugin"},
    {.name = "name", .type = HL_STRING, .help = "what `from` and `properties` call the step"},
    {.name = "from", .type = HL_STRINGS, .fallback = "~", .help = "the step, or steps, that it builds on"},
};
static const hl_plugin step_section = SECTION("extractor", step_options);

static const hl_option properties_options[] = {
    {.name = "extractor", .type = HL_STRING, .help = "the extractor plugin"},
    {.name = "from", .type = HL_STRINGS, .fallback = "~", .help = "the step, or steps, that it builds on"},
};
static const hl_plugin properties_section = SECTION("properties", properties_options);

static hl_extractor_api api_of(const experiment_step *step) {
    hl_extractor_api api;
    registry_table(step->plugin, &api, sizeof api);
    return api;
}

/* The step that a node names, among those that are there. */
static hl_status find_step(const experiment *plan, const yaml_node *name, const experiment_step **out,
                           hl_error *error) {
    for (size_t i = 0; i < plan->extractor_count; ++i) {
        *out = &plan->extractors[i];
        if ((*out)->name && strcmp((*out)->name, name->text) == 0) return HL_OK;
    }
    const char **names = calloc(plan->extractor_count + 1, sizeof *names);
    if (!names) return hl_no_memory(error, "an experiment");
    size_t count = 0;
    for (size_t i = 0; i < plan->extractor_count; ++i) {
        if (plan->extractors[i].name) names[count++] = plan->extractors[i].name;
    }
    char ending[512];
    suggest(ending, sizeof ending, name->text, names, count);
    free(names);
    return yaml_fail(name, error, "unknown step \"%s\"%s", name->text,
                     count ? ending
                           : "; no extractor is named before it: add extractors: [{name: NAME, ...}]");
}

/* How many steps it may build on. */
static size_t most_of(const hl_extractor_api *api) {
    return api->from_most > 0 ? api->from_most : 1;
}

static bool builds_on(const experiment_step *step, const experiment_step *other) {
    size_t i = 0;
    while (i < step->from_count && step->from[i] != other) ++i;
    return i < step->from_count;
}

/* One more step to build on, of the right kind. */
static hl_status connect_to(const experiment *plan, experiment_step *step, const yaml_node *name,
                            hl_error *error) {
    const experiment_step *other;
    const char *plugin = step->plugin->name;
    hl_status status = find_step(plan, name, &other, error);
    if (status != HL_OK) return status;
    uint32_t wanted = api_of(step).from, found = api_of(other).step;
    if (wanted == HL_STEP_NONE) {
        return yaml_fail(name, error, "%s builds on no other step: take `from` away", plugin);
    }
    if (found != wanted) {
        return yaml_fail(name, error, "%s builds on %s, and the step \"%s\" gives %s", plugin,
                         step_name(wanted), other->name, step_name(found));
    }
    if (builds_on(step, other)) {
        return yaml_fail(name, error, "%s builds on the step \"%s\" already: name it once", plugin,
                         other->name);
    }
    step->from[step->from_count++] = other;
    return HL_OK;
}

/* Whether the step gets what it builds on. */
static hl_status connect(const experiment *plan, experiment_step *step, hl_error *error) {
    const yaml_node *from = yaml_get(step->place, "from");
    hl_extractor_api api = api_of(step);
    const char *plugin = step->plugin->name;
    if (!from || yaml_is_null(from)) {
        if (api.from == HL_STEP_NONE) return HL_OK;
        return yaml_fail(step->place, error, "%s builds on %s of an earlier step: add from: NAME", plugin,
                         step_name(api.from));
    }
    const yaml_node *const *names = from->type == YAML_LIST ? (const yaml_node *const *)from->items : &from;
    size_t count = from->type == YAML_LIST ? from->count : 1, most = most_of(&api);
    if (api.from != HL_STEP_NONE && count > most) {
        return yaml_fail(names[most], error, "%s builds on %zu step%s at most, and `from` names %zu", plugin,
                         most, most == 1 ? "" : "s", count);
    }
    step->from = calloc(count, sizeof *step->from);
    hl_status status = step->from ? HL_OK : hl_no_memory(error, "an experiment");
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = connect_to(plan, step, names[i], error);
    return status;
}

static hl_status check_needs(const experiment *plan, const experiment_step *step, hl_error *error) {
    if (!(registry_needs(step->plugin) & HL_NEEDS_GALLERY) || plan->gallery.images) return HL_OK;
    return yaml_fail(step->place, error, "%s asks about a gallery: add gallery: {images: FOLDER}",
                     step->plugin->name);
}

static hl_status check_name(const experiment *plan, const yaml_node *name, hl_error *error) {
    for (size_t i = 0; i < plan->extractor_count; ++i) {
        if (strcmp(plan->extractors[i].name, name->text) != 0) continue;
        return yaml_fail(name, error, "another step is called \"%s\" already", name->text);
    }
    return *name->text ? HL_OK : yaml_fail(name, error, "a step needs a name");
}

/* Reads a step behind those that are there; it counts once it is sound. */
static hl_status add_step(const registry *plugins, experiment *plan, const yaml_node *node,
                          const hl_plugin *section, hl_error *error) {
    experiment_step *step = &plan->extractors[plan->extractor_count];
    hl_status status = section_step(plugins, node, section, HL_EXTRACTOR, step, error);
    const yaml_node *name = section == &step_section ? yaml_get(node, "name") : NULL;
    if (status == HL_OK && name) status = check_name(plan, name, error);
    if (status == HL_OK) status = connect(plan, step, error);
    if (status == HL_OK) status = check_needs(plan, step, error);
    if (status != HL_OK) {
        options_free(step->values);
        free(step->from);
        return status;
    }
    step->name = name ? name->text : NULL;
    ++plan->extractor_count;
    return HL_OK;
}

/* `properties: NAME` or a step of its own. */
static hl_status read_properties(const registry *plugins, experiment *plan, const yaml_node *node,
                                 hl_error *error) {
    hl_status status = HL_OK;
    if (node->type == YAML_TEXT && !yaml_is_null(node)) {
        status = find_step(plan, node, &plan->properties, error);
    } else {
        status = add_step(plugins, plan, node, &properties_section, error);
        if (status == HL_OK) plan->properties = &plan->extractors[plan->extractor_count - 1];
    }
    if (status != HL_OK || api_of(plan->properties).step == HL_STEP_LABELS) return status;
    return yaml_fail(node, error, "%s gives %s, and `properties` needs labels",
                     plan->properties->plugin->name, step_name(api_of(plan->properties).step));
}

hl_status extractors_read(const registry *plugins, experiment *plan, hl_error *error) {
    const yaml_node *steps = yaml_get(plan->root, "extractors"), *named = yaml_get(plan->root, "properties");
    if (steps && steps->type != YAML_LIST) {
        return yaml_fail(steps, error,
                         "extractors: expected a list of steps, such as [{name: labels, plugin: NAME}]");
    }
    size_t count = steps ? steps->count : 0;
    plan->extractors = calloc(count + 1, sizeof *plan->extractors); /* and one for `properties` */
    if (!plan->extractors) return hl_no_memory(error, "an experiment");
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = add_step(plugins, plan, steps->items[i], &step_section, error);
    }
    return status == HL_OK && named ? read_properties(plugins, plan, named, error) : status;
}
