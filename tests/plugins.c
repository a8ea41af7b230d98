#include "tests/plugins.h"

#include "core/registry/options.h"
#include <stdlib.h>
#include <string.h>

host *the_host;
registry *plugins;
opened_backend backends[MOST_BACKENDS];
size_t backend_count;

void open_plugins(unsigned threads, const char *more) {
    hl_error error;
    const hl_library_settings settings = {0};
    assert_ok(host_open(&settings, threads, &the_host, &error), error);
    const char *const folders[] = {TEST_PLUGINS, more};
    const registry_settings where = {.folders = folders, .folder_count = more ? 2 : 1};
    assert_ok(registry_open(&where, &plugins, &error), error);
}

hl_status open_compute(const hl_host *on, const hl_plugin *plugin, const char *options, hl_compute *out,
                       hl_error *error) {
    const hl_plugin *reference = registry_find(plugins, HL_COMPUTE, "reference");
    yaml_file *file;
    option_values *values = NULL;
    assert_non_null(reference);
    assert_ok(yaml_parse("options", (const uint8_t *)options, strlen(options), &file, error), *error);
    assert_ok(options_read(plugin, yaml_root(file), NULL, &values, error), *error);
    hl_status status = compute_open(on, plugin, reference, options_values(values), out, error);
    options_free(values);
    yaml_close(file);
    return status;
}

static bool counts_as_f32(const hl_compute *compute) {
    return compute->api->tolerance(compute->backend) <= 1e-4;
}

/* Unless these options cannot be had here, or make another backend than is wanted. */
static void open_backend(const hl_plugin *plugin, const char *options, bool narrow) {
    assert_true(backend_count < MOST_BACKENDS);
    opened_backend *opened = &backends[backend_count];
    hl_error error;
    *opened = (opened_backend){.plugin = plugin};
    snprintf(opened->options, sizeof opened->options, "%s", options);
    hl_status status = open_compute(&the_host->interface, plugin, options, &opened->compute, &error);
    if (status == HL_USAGE) return;
    assert_ok(status, error);
    if (counts_as_f32(&opened->compute) == narrow) {
        compute_close(&opened->compute);
        return;
    }
    ++backend_count;
    print_message("compute/%s: %s\n", plugin->name, opened->compute.api->describe(opened->compute.backend));
}

/* The words of an option; NULL: the plugin has none of that name. */
static const char *const *words_of(const hl_plugin *plugin, const char *name) {
    for (size_t i = 0; i < plugin->option_count; ++i) {
        if (strcmp(plugin->options[i].name, name) == 0) return plugin->options[i].choices;
    }
    return NULL;
}

static void open_each_kernel(const hl_plugin *plugin, bool narrow) {
    const char *const *kernels = words_of(plugin, "kernel"), *const *precisions =
                                                                 words_of(plugin, "precision");
    if (!kernels || !precisions) {
        open_backend(plugin, "{}", narrow);
        return;
    }
    for (size_t k = 0; kernels[k]; ++k) {
        for (size_t p = 0; precisions[p]; ++p) {
            if (strcmp(kernels[k], "auto") == 0 || strcmp(precisions[p], "auto") == 0) continue;
            char *options = text("{kernel: %s, precision: %s}", kernels[k], precisions[p]);
            open_backend(plugin, options, narrow);
            free(options);
        }
    }
}

static void open_all(bool narrow) {
    const hl_plugin *plugin;
    for (size_t i = 0; (plugin = registry_at(plugins, i)); ++i) {
        hl_compute_api api;
        if (plugin->kind != HL_COMPUTE) continue;
        registry_table(plugin, &api, sizeof api);
        if (api.score(&the_host->interface) > 0) {
            open_each_kernel(plugin, narrow);
        } else if (!narrow) {
            print_message("compute/%s cannot run here and is skipped\n", plugin->name);
        }
    }
}

void open_backends(void) {
    open_all(false);
    assert_true(backend_count >= 2);
}

void open_narrow_backends(void) {
    open_all(true);
}

void close_plugins(void) {
    while (backend_count > 0) compute_close(&backends[--backend_count].compute);
    registry_close(plugins);
    host_close(the_host);
}
