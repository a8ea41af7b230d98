/* What an analysis says it needs of an atlas (HL_NEEDS_EMBEDDINGS, HL_NEEDS_MLPS) is there when it asks: in
 * an experiment as in hl_ask.run. The fixture sample-whole adds up what all components of an image wrote. */
#include "headlight/library.h"
#include "tests/experiment.h"
#include "tests/indexed.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GALLERY = 5 };

#define WHOLE "  - {plugin: sample-whole}\n"

static char *plugins;

static int open_setting(void **state) {
    (void)state;
    plugins = make_folder();
    char *to = text("%s/sample_whole.so", plugins), *caches = text("%s/caches", plugins);
    copy_file(TEST_FIXTURES "/sample_whole.fixture", to);
    setenv("HEADLIGHT_PLUGIN_PATH", plugins, 1);
    setenv("XDG_CACHE_HOME", caches, 1);
    free(to);
    free(caches);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(plugins);
    return 0;
}

static outcome ask_whole(char *folder) {
    return run_in(folder,
                  "model: {path: " MINI
                  "}\ncompute: {backend: reference}\ngallery: {images: images, atlas: atlas, dtype: f32}\n",
                  WHOLE);
}

static void expect_columns(const char *folder) {
    char *path = text("%s/atlas.json", folder), *json = read_file(path, NULL);
    assert_non_null(strstr(json, "\"embedding\""));
    assert_non_null(strstr(json, "\"mlps\""));
    free(json);
    free(path);
}

static void expect_whole(const cJSON *results) {
    assert_int_equal(cJSON_GetArraySize(results), GALLERY);
    const cJSON *item;
    cJSON_ArrayForEach(item, results) assert_true(number_of(item, "distance") < 1e-5);
}

static void a_new_atlas_has_what_is_needed(void **state) {
    (void)state;
    workplace place = make_workplace(GALLERY);
    char *codes = text("%s/atlas", place.folder);
    outcome got = ask_whole(strdup(place.folder));
    need_success(&got);
    expect_columns(codes);
    expect_whole(results_of(&got, 0));
    forget(&got);
    free(got.folder);
    free(codes);
    leave(&place);
}

static void an_atlas_that_lacks_it_is_brought_up_to_date(void **state) {
    (void)state;
    workplace place = make_workplace(GALLERY);
    char *codes = text("%s/atlas", place.folder);
    index_well(MINI, place.images, codes, "--backend", "reference", "--dtype", "f32", NULL);
    outcome got = ask_whole(strdup(place.folder));
    need_success(&got);
    expect_columns(codes);
    expect_whole(results_of(&got, 0));
    forget(&got);
    free(got.folder);
    free(codes);
    leave(&place);
}

/* ---- by a program ---- */

static hl_library *open_library(void) {
    const char *const folders[] = {plugins, TEST_PLUGINS};
    const hl_library_settings settings = {
        .size = sizeof settings, .plugin_folders = folders, .plugin_folder_count = COUNT(folders)};
    hl_library *library;
    hl_error error;
    assert_ok(hl_library_open(&settings, &library, &error), error);
    return library;
}

static const hl_ask *open_ask(hl_library *library, const workplace *place) {
    const hl_gallery_source gallery = {
        .size = sizeof gallery, .images = place->images, .atlas = place->out, .dtype = HL_F32};
    const hl_ask_settings settings = {
        .size = sizeof settings, .model = MINI, .backend = "reference", .gallery = &gallery};
    const hl_ask *ask;
    hl_error error;
    assert_ok(hl_ask_open(library, NULL, &settings, &ask, &error), error);
    return ask;
}

static void a_program_that_runs_it_gets_it_too(void **state) {
    (void)state;
    workplace place = make_workplace(GALLERY);
    hl_library *library = open_library();
    const hl_ask *ask = open_ask(library, &place);
    const hl_node *results;
    hl_error error;
    assert_ok(ask->run(ask, "analysis/sample-whole", NULL, &results, &error), error);
    const hl_node *list = hl_get(results, "results");
    assert_int_equal(list->count, GALLERY);
    for (const hl_node *item = list->first; item; item = item->next) {
        assert_true(hl_get_number(item, "distance", 1) < 1e-5);
    }
    ask->release_results(ask, results);
    hl_ask_close(ask);
    hl_library_close(library);
    leave(&place);
}

/* An atlas that is open stays as it is, for others may be reading it: what it lacks is named. */
static void an_opened_gallery_names_what_it_lacks(void **state) {
    (void)state;
    workplace place = make_workplace(GALLERY);
    hl_library *library = open_library();
    const hl_ask *ask = open_ask(library, &place);
    const hl_node *results;
    hl_error error;
    size_t images;
    uint32_t mlp = 0;
    float *room = calloc(ask->model->embed_dim, sizeof *room);
    while (hl_component_at(ask->model, mlp)->kind != HL_MLP) ++mlp;
    assert_ok(ask->gallery_count(ask, NULL, &images, &error), error);
    assert_int_equal(ask->gallery_codes(ask, NULL, mlp, 0, 1, room, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "lacks the column \"mlps\""));
    assert_non_null(strstr(error.message, "L0.MLP"));
    assert_int_equal(ask->gallery_embeddings(ask, NULL, 0, 1, room, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "\"embedding\""));
    assert_int_equal(ask->run(ask, "analysis/sample-whole", NULL, &results, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "\"embedding\""));
    free(room);
    hl_ask_close(ask);
    hl_library_close(library);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_atlas_has_what_is_needed),
        cmocka_unit_test(an_atlas_that_lacks_it_is_brought_up_to_date),
        cmocka_unit_test(a_program_that_runs_it_gets_it_too),
        cmocka_unit_test(an_opened_gallery_names_what_it_lacks),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
