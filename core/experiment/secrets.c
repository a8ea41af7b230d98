/* See secrets.h. */
#include "core/experiment/secrets.h"

#include <string.h>

/* Whether a plugin of that name, or, where it is NULL, any plugin, has such a secret. */
static bool is_secret(const registry *plugins, const char *name, const char *option) {
    const hl_plugin *plugin;
    for (size_t i = 0; (plugin = registry_at(plugins, i)); ++i) {
        if (name && strcmp(plugin->name, name) != 0) continue;
        for (uint32_t k = 0; k < plugin->option_count; ++k) {
            bool same = strcmp(plugin->options[k].name, option) == 0;
            if (same && (plugin->options[k].flags & HL_OPTION_SECRET)) return true;
        }
    }
    return false;
}

/* Whose options a mapping has; NULL: nobody's. */
static const char *plugin_of(const yaml_node *map) {
    static const char *const keys[] = {"plugin", "extractor", "backend"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; ++i) {
        const yaml_node *name = yaml_get(map, keys[i]);
        if (name && name->type == YAML_TEXT) return name->text;
    }
    return NULL;
}

/* "key" beside `plugin`, or, in what a variant sets, "extractors.1.key". */
static bool names_a_secret(const registry *plugins, const char *plugin, const char *key) {
    const char *dot = strrchr(key, '.');
    if (dot) return is_secret(plugins, NULL, dot + 1);
    return plugin && is_secret(plugins, plugin, key);
}

void secrets_hide(const registry *plugins, const yaml_node *root) {
    const char *plugin = plugin_of(root);
    for (size_t i = 0; i < root->count; ++i) {
        const yaml_node *item = root->items[i];
        if (item->type != YAML_TEXT) {
            secrets_hide(plugins, item);
        } else if (root->type == YAML_MAP && names_a_secret(plugins, plugin, root->keys[i]->text)) {
            yaml_hide(item);
        }
    }
}
