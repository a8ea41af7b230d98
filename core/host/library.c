/* Opening the library and asking about its plugins. */
#include "core/host/library.h"

#include "core/host/compute.h"
#include "core/host/cores.h"
#include "core/host/data_files.h"
#include "core/io/call.h"
#include "core/io/mapping.h"
#include "core/io/output.h"
#include "core/io/watch.h"
#include "core/registry/guard.h"
#include "core/registry/options.h"
#include "core/registry/suggest.h"
#include <stdlib.h>
#include <string.h>

static void warn(void *user, const char *line) {
    const hl_library_settings *settings = user;
    if (settings->log) settings->log(settings->user, HL_LOG_WARNING, line);
}

hl_status hl_library_open(const hl_library_settings *settings, hl_library **library, hl_error *error) {
    *library = NULL;
    double started = watch_clock();
    hl_library *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, "the library");
    hl_status status =
        call_take(&made->settings, sizeof made->settings, settings, "hl_library_settings", error);
    if (status != HL_OK) {
        free(made);
        return status;
    }
    registry_settings search = {.files = made->settings.plugin_files,
                                .file_count = made->settings.plugin_file_count,
                                .folders = made->settings.plugin_folders,
                                .folder_count = made->settings.plugin_folder_count,
                                .user = &made->settings,
                                .warn = warn};
    made->settings.plugin_files = NULL;
    made->settings.plugin_file_count = 0;
    made->settings.plugin_folders = NULL; /* needed only while plugins are looked for */
    made->settings.plugin_folder_count = 0;
    status = registry_open(&search, &made->plugins, error);
    if (status != HL_OK) {
        free(made);
        return status;
    }
    made->seconds = watch_clock() - started;
    *library = made;
    return HL_OK;
}

void hl_library_close(hl_library *library) {
    if (!library) return;
    registry_close(library->plugins);
    free(library);
}

bool hl_library_absorb_fault(const void *address) {
    return mapping_absorb(address);
}

void hl_library_running(char *out, size_t size) {
    guard_name(guard_current(), out, size);
}

void hl_library_clean_up(void) {
    output_abandon_all();
}

char *hl_data_file(const char *name) {
    return data_file(name);
}

unsigned hl_usable_cores(void) {
    return cores_usable();
}

const hl_plugin *hl_plugin_at(const hl_library *library, size_t index) {
    return registry_at(library->plugins, index);
}

const char *hl_plugin_file(const hl_library *library, size_t index) {
    return registry_file(library->plugins, index);
}

const char *hl_plugin_broken(const hl_library *library, size_t index) {
    return registry_broken(library->plugins, index);
}

const char *hl_kind_name(uint32_t kind) {
    return kind_name(kind);
}

const char *hl_plugin_missing(const hl_library *library, size_t index, size_t number) {
    const hl_plugin *plugin = registry_at(library->plugins, index);
    return plugin && plugin->kind == HL_COMPUTE ? compute_missing(plugin, number) : NULL;
}

hl_status hl_plugin_document(const hl_library *library, size_t index, FILE *out, hl_error *error) {
    return options_document(registry_at(library->plugins, index), out, error);
}

/* Whether `name` is "KIND/NAME" or plain "NAME" of the plugin. */
static bool is_called(const hl_plugin *plugin, const char *name) {
    const char *kind = kind_name(plugin->kind);
    size_t length = strlen(kind);
    bool with_kind = strncmp(name, kind, length) == 0 && name[length] == '/';
    return strcmp(with_kind ? name + length + 1 : name, plugin->name) == 0;
}

static hl_status unknown_plugin(const hl_library *library, const char *name, hl_error *error) {
    const char *names[256];
    size_t count = 0;
    for (const hl_plugin *plugin; count < 256 && (plugin = registry_at(library->plugins, count)); ++count) {
        names[count] = plugin->name;
    }
    const char *slash = strrchr(name, '/'),
               *broken = registry_broken_called(library->plugins, slash ? slash + 1 : name);
    if (broken) return hl_fail(error, HL_USAGE, "the plugin \"%s\" is broken: %s", name, broken);
    char hint[512];
    suggest(hint, sizeof hint, slash ? slash + 1 : name, names, count);
    return hl_fail(error, HL_USAGE, "there is no plugin \"%s\"%s", name, hint);
}

hl_status hl_plugin_find(const hl_library *library, const char *name, size_t *index, hl_error *error) {
    size_t found = 0;
    const hl_plugin *plugin;
    for (size_t i = 0; (plugin = registry_at(library->plugins, i)); ++i) {
        if (!is_called(plugin, name)) continue;
        if (found++ == 0) *index = i;
    }
    if (found == 0) return unknown_plugin(library, name, error);
    if (found == 1) return HL_OK;
    return hl_fail(error, HL_USAGE, "plugins of several kinds are called \"%s\"; write KIND/%s", name, name);
}
