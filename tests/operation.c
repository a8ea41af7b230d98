#include "tests/operation.h"

#include <stdlib.h>

hl_compute reference;

static char *fixture_folder;

int set_up_backends(void **state) {
    (void)state;
    hl_error error;
    fixture_folder = make_folder();
    char *fixture = text("%s/opaque.so", fixture_folder);
    copy_file(TEST_FIXTURES "/opaque.fixture", fixture);
    free(fixture);
    open_plugins(3, fixture_folder);
    assert_non_null(registry_find(plugins, HL_COMPUTE, "opaque"));
    open_backends();
    open_narrow_backends();
    const hl_plugin *plugin = registry_find(plugins, HL_COMPUTE, "reference");
    assert_ok(compute_open(&the_host->interface, plugin, NULL, NULL, &reference, &error), error);
    return 0;
}

int tear_down_backends(void **state) {
    (void)state;
    compute_close(&reference);
    close_plugins();
    remove_folder(fixture_folder);
    return 0;
}

void compare_with(const char *what, const hl_compute *compute, const test_scene *scene,
                  float *const expected[OPERANDS], double tolerance) {
    hl_error error;
    assert_ok(scene_compare(what, compute, scene, expected, tolerance, &error), error);
}

void conform(const char *what, const test_scene *scene) {
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        char *name = text("compute/%s %s: %s", backends[b].plugin->name, backends[b].options, what);
        assert_ok(scene_check(name, &backends[b].compute, &reference, scene, &error), error);
        free(name);
    }
}

static hl_status conform_one(void *user, const char *what, const test_scene *scene, hl_error *error) {
    (void)user;
    (void)error;
    conform(what, scene);
    return HL_OK;
}

void conform_all(operation_number operation) {
    hl_error error;
    assert_ok(cases_visit(operation, conform_one, NULL, &error), error);
}
