/* See model_info.h. */
#include "core/engine/model_info.h"

#include <stdbool.h>
#include <string.h>

static hl_status refuse(const hl_plugin *plugin, hl_error *error, const char *what) {
    return hl_fail(error, HL_FAILED, "model/%s describes its model wrongly: %s", plugin->name, what);
}

static hl_status check_component(const hl_plugin *plugin, const hl_model_info *info, uint32_t index,
                                 hl_error *error) {
    const hl_component *component = hl_component_at(info, index);
    if (!component->name || !*component->name) {
        return hl_fail(error, HL_FAILED, "model/%s describes its model wrongly: component %u has no name",
                       plugin->name, index);
    }
    if (component->basis >= info->basis_count) {
        return hl_fail(error, HL_FAILED, "model/%s: component %s names basis %u of %u", plugin->name,
                       component->name, component->basis, info->basis_count);
    }
    if (component->scalar_count > 0 && !component->scalars) {
        return hl_fail(error, HL_FAILED,
                       "model/%s: component %s has %u further numbers and does not say of what", plugin->name,
                       component->name, component->scalar_count);
    }
    return HL_OK;
}

static bool has_facts(const hl_model_info *info) {
    if (info->fact_count > 0 && !info->facts) return false;
    for (uint32_t i = 0; i < info->fact_count; ++i) {
        if (!info->facts[i].name || !info->facts[i].value) return false;
    }
    return true;
}

hl_status model_info_check(const hl_plugin *plugin, const hl_model_info *info, hl_error *error) {
    if (!info) return refuse(plugin, error, "there is no description");
    if (!info->name || !info->summary) return refuse(plugin, error, "it has no name or no summary");
    if (info->embed_dim == 0) return refuse(plugin, error, "embeddings have no numbers");
    if (info->component_count == 0 || !info->components) return refuse(plugin, error, "it has no components");
    if (info->component_size < offsetof(hl_component, basis)) {
        return refuse(plugin, error, "rows of its component table are too short");
    }
    if (!has_facts(info)) {
        return refuse(plugin, error, "a fact lacks its name or its value");
    }
    hl_status status = HL_OK;
    for (uint32_t i = 0; i < info->component_count && status == HL_OK; ++i) {
        status = check_component(plugin, info, i, error);
    }
    return status;
}
