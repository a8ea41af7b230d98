/* Finds plugins, loads them, checks what they declare. Knows descriptors, not what a plugin does. */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "headlight/plugin.h"

typedef struct registry registry;

typedef struct registry_settings {
    const char *const *files; /* plugins that come before those of all folders, each with a '/' in its path */
    size_t file_count;
    const char *const
        *folders; /* in order of search, before HEADLIGHT_PLUGIN_PATH and the library's own folder */
    size_t folder_count;
    void *user;
    void (*warn)(void *user, const char *line); /* may be NULL */
} registry_settings;

/* A file that cannot be loaded is kept as broken, and so are two in one folder that share kind and name.
 * HL_USAGE for one that everybody may write to. */
hl_status registry_open(const registry_settings *settings, registry **out, hl_error *error);
void registry_close(registry *plugins); /* accepts NULL */

/* Sorted by kind, then name; NULL past the end. The descriptor and its option table are copies that are
 * padded to this host's struct sizes, so every field may be read. */
const hl_plugin *registry_at(const registry *plugins, size_t index);
const char *registry_file(const registry *plugins, size_t index);

/* Of each broken file what is wrong with it, "FILE: reason"; NULL past the end. And of the one of that name;
 * NULL: none. */
const char *registry_broken(const registry *plugins, size_t index);
const char *registry_broken_called(const registry *plugins, const char *name);

/* NULL when there is none. */
const hl_plugin *registry_find(const registry *plugins, hl_kind kind, const char *name);

/* The same, with an error that lists what there is and suggests the nearest name. `where` starts the message.
 */
hl_status registry_need(const registry *plugins, hl_kind kind, const char *name, const char *where,
                        const hl_plugin **out, hl_error *error);

/* Copies a plugin's function table into `table` of `size` bytes, zero where the plugin's is shorter. */
void registry_table(const hl_plugin *plugin, void *table, size_t size);

/* HL_NEEDS_... of an analysis or an extractor; 0 for any other kind. */
uint32_t registry_needs(const hl_plugin *plugin);

const char *kind_name(uint32_t kind);

/* What an hl_step gives, in plural: "labels". */
const char *step_name(uint32_t step);

/* Lower case letters, digits and '-', which is not first. `name` may be NULL. */
bool registry_is_name(const char *name);

#endif
