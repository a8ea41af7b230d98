#include "tests/plugins.h"

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

static void open_backend(const hl_plugin *plugin, const hl_plugin *reference) {
    hl_error error;
    hl_compute_api api;
    registry_table(plugin, &api, sizeof api);
    if (api.score(&the_host->interface) == 0) {
        print_message("compute/%s cannot run here and is skipped\n", plugin->name);
        return;
    }
    assert_true(backend_count < MOST_BACKENDS);
    opened_backend *opened = &backends[backend_count++];
    opened->plugin = plugin;
    assert_ok(compute_open(&the_host->interface, plugin, reference, NULL, &opened->compute, &error), error);
    print_message("compute/%s: %s\n", plugin->name, opened->compute.api->describe(opened->compute.backend));
}

void open_backends(void) {
    const hl_plugin *plugin, *reference = registry_find(plugins, HL_COMPUTE, "reference");
    assert_non_null(reference);
    for (size_t i = 0; (plugin = registry_at(plugins, i)); ++i) {
        if (plugin->kind == HL_COMPUTE) open_backend(plugin, reference);
    }
    assert_true(backend_count >= 2);
}

void close_plugins(void) {
    while (backend_count > 0) compute_close(&backends[--backend_count].compute);
    registry_close(plugins);
    host_close(the_host);
}
