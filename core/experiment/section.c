/* See section.h. */
#include "core/experiment/section.h"

enum { MOST_KEYS = 4 };

hl_status section_plugin(const registry *plugins, const yaml_node *node, hl_kind kind, const char *key,
                         const char *const *keys, experiment_step *step, hl_error *error) {
    const yaml_node *name = yaml_get(node, key);
    char place[512];
    yaml_place(name, place, sizeof place);
    step->place = node;
    hl_status status = registry_need(plugins, kind, name->text, place, &step->plugin, error);
    return status == HL_OK ? options_read(step->plugin, node, keys, &step->values, error) : status;
}

hl_status section_step(const registry *plugins, const yaml_node *node, const hl_plugin *section, hl_kind kind,
                       experiment_step *step, hl_error *error) {
    const char *keys[MOST_KEYS + 1] = {NULL};
    for (size_t i = 0; i < section->option_count && i < MOST_KEYS; ++i) keys[i] = section->options[i].name;
    option_values *values;
    hl_status status = options_read(section, node, NULL, &values, error);
    if (status != HL_OK) return status;
    options_free(values);
    return section_plugin(plugins, node, kind, keys[0], keys, step, error);
}
