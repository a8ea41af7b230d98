/* Engines for commands and programs, which name a backend and its options in words. */
#include "core/engine/engine.h"

#include "core/engine/model_home.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

hl_status engine_read_words(const hl_plugin *plugin, const char *name, const char *const *words, size_t count,
                            yaml_file **written, option_values **given, hl_error *error) {
    static const uint8_t empty[] = "{}";
    hl_status status = yaml_parse(name, empty, sizeof empty - 1, written, error);
    const yaml_node *root = status == HL_OK ? yaml_root(*written) : NULL;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = yaml_set(*written, root, name, words[i], &root, error);
    }
    static const char *const none[] = {NULL};
    return status == HL_OK ? options_read(plugin, root, none, given, error) : status;
}

static hl_status read_compute(engine *self, const engine_choice *choice, hl_error *error) {
    hl_status status =
        engine_read_words(self->compute_plugin, "--compute", choice->compute, choice->compute_count,
                          &self->compute_written, &self->compute_given, error);
    if (status == HL_OK) self->compute_values = options_values(self->compute_given);
    return status;
}

/* A command names a model by its folder or, where nothing here has that name, as one at home. *out NULL: it
 * is as named. */
static hl_status find_at_home(const char *named, char **out, hl_error *error) {
    struct stat about;
    *out = NULL;
    if (stat(named, &about) == 0 || !model_name_is_valid(named)) return HL_OK;
    hl_status status = model_home_place(named, out, error);
    if (status == HL_USAGE) return HL_OK; /* there is no home */
    if (status != HL_OK || stat(*out, &about) == 0) return status;
    free(*out);
    *out = NULL;
    return HL_OK;
}

/* With the model's folder in place of its name. */
static hl_status open_named(host *made, const registry *plugins, const engine_settings *settings,
                            engine **out, hl_error *error) {
    engine_settings found = *settings;
    char *folder;
    hl_status status = find_at_home(settings->source.path, &folder, error);
    if (status == HL_OK && folder) found.source.path = folder;
    if (status == HL_OK) status = engine_open(made, plugins, &found, out, error);
    if (status == HL_UNAVAILABLE && settings->or_random) {
        found.source.random_weights = true;
        status = engine_open(made, plugins, &found, out, error);
    }
    free(folder);
    return status;
}

hl_status engine_start(hl_library *library, const engine_choice *choice, engine_settings *settings,
                       host **made, engine **out, hl_error *error) {
    *made = NULL;
    *out = NULL;
    hl_status status = HL_OK;
    if (choice->backend && strcmp(choice->backend, "auto") != 0) {
        status = registry_need(library->plugins, HL_COMPUTE, choice->backend, "--backend",
                               &settings->compute_plugin, error);
    }
    if (status == HL_OK) status = host_open(&library->settings, choice->threads, made, error);
    if (status == HL_OK) status = open_named(*made, library->plugins, settings, out, error);
    if (status == HL_UNAVAILABLE) status = HL_USAGE; /* nobody here can do without */
    if (status != HL_OK || choice->compute_count == 0) return status;
    status = engine_choose_backend(*out, error);
    return status == HL_OK ? read_compute(*out, choice, error) : status;
}
