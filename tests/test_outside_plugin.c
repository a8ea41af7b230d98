/* plugins/README.md, taken at its word: its plugin is built outside the tree against an installed headlight,
 * by CMake and by hand, and gives the right answer on the embedded model. */
#include "tests/outside.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE TEST_SOURCE "/tests/golden/images/rgb_wide.png" /* the first in golden/order.txt */

enum { COUNT = 3 };

static int open_shop(void **state) {
    int status = open_workshop(state);
    write_block(*state, "c", 0, "head-norms.c");
    write_block(*state, "cmake", 0, "CMakeLists.txt");
    write_block(*state, "yaml", 0, "head-norms.yaml");
    return status;
}

static void the_plugin_is_short(void **state) {
    (void)state;
    char *code = readme_block("c", 0);
    assert_true(count_lines(code) <= 60);
    free(code);
}

/* ---- What it should say ---- */

typedef struct norm {
    size_t head; /* layer * heads of a layer + head */
    double length;
} norm;

static int longer_first(const void *a, const void *b) {
    double first = ((const norm *)a)->length, second = ((const norm *)b)->length;
    return (first < second) - (first > second);
}

/* Every head's |c| for the first image, longest first, from the golden contributions. */
static norm *golden_norms(size_t *heads_of_a_layer) {
    npy_array heads = golden("mini", "heads");
    assert_int_equal(heads.rank, 4);
    *heads_of_a_layer = heads.shape[2];
    size_t count = heads.shape[1] * heads.shape[2], width = heads.shape[3];
    norm *norms = calloc(count, sizeof *norms);
    assert_non_null(norms);
    for (size_t i = 0; i < count; ++i) {
        norms[i].head = i;
        for (size_t j = 0; j < width; ++j) norms[i].length += pow((double)heads.data[i * width + j], 2);
        norms[i].length = sqrt(norms[i].length);
    }
    qsort(norms, count, sizeof *norms, longer_first);
    free(heads.data);
    return norms;
}

static const char *text_of(const cJSON *item, const char *key) {
    const char *found = cJSON_GetStringValue(cJSON_GetObjectItem(item, key));
    assert_non_null(found);
    return found;
}

static void check_results(const char *path) {
    char *content = read_file(path, NULL);
    cJSON *root = cJSON_Parse(content);
    assert_non_null(root);
    const cJSON *analysis = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "analyses"), 0);
    const cJSON *items = cJSON_GetObjectItem(analysis, "results");
    assert_string_equal(text_of(analysis, "plugin"), "head-norms");
    assert_int_equal(cJSON_GetArraySize(items), COUNT);
    size_t heads_of_a_layer;
    norm *norms = golden_norms(&heads_of_a_layer);
    for (int i = 0; i < COUNT; ++i) {
        const cJSON *item = cJSON_GetArrayItem(items, i);
        char *head = text("L%zu.H%zu", norms[i].head / heads_of_a_layer, norms[i].head % heads_of_a_layer);
        assert_string_equal(text_of(item, "head"), head);
        assert_string_equal(text_of(item, "image"), IMAGE);
        double got = cJSON_GetNumberValue(cJSON_GetObjectItem(item, "norm"));
        assert_true(fabs(got - norms[i].length) <= 2e-5 * norms[0].length);
        free(head);
    }
    free(norms);
    cJSON_Delete(root);
    free(content);
}

/* The README's experiment, on the golden image, by the installed command, which finds its own plugins by
 * itself. */
static void run_experiment(const workshop *shop, const char *plugin_folder, const char *out) {
    char *yaml = text("%s/head-norms.yaml", shop->folder);
    char *results = text("%s/results.json", out), *report = text("%s/report.html", out);
    RUN(shop->command, "run", yaml, "--out", out, "--plugin-dir", plugin_folder, "--set",
        "model.path=" TEST_SOURCE "/configs/mini/model", "--set", "analyses.0.images=[" IMAGE "]", "--set",
        "compute.backend=reference");
    check_results(results);
    char *page = read_file(report, NULL);
    assert_non_null(strstr(page, "head-norms"));
    free(page);
    free(report);
    free(results);
    free(yaml);
}

/* ---- Two ways to build it ---- */

static void builds_with_cmake(void **state) {
    const workshop *shop = *state;
    char *build = text("%s/build", shop->folder), *out = text("%s/out-cmake", shop->folder);
    char *search = text("-DCMAKE_PREFIX_PATH=%s", shop->prefix);
    RUN("cmake", "-S", shop->folder, "-B", build, "-G", "Ninja", search);
    RUN("cmake", "--build", build);
    run_experiment(shop, build, out);
    free(search);
    free(out);
    free(build);
}

static void builds_by_hand(void **state) {
    const workshop *shop = *state;
    char *out = text("%s/out-hand", shop->folder), *folder = text("%s/by-hand", shop->folder);
    build_by_hand(shop, "head-norms");
    run_experiment(shop, folder, out);
    free(folder);
    free(out);
}

static void is_found_in_the_environment(void **state) {
    const workshop *shop = *state;
    char *path = text("%s/by-hand", shop->folder), *printed;
    setenv("HEADLIGHT_PLUGIN_PATH", path, 1);
    const char *const words[] = {shop->command, "plugins", "head-norms", NULL};
    assert_int_equal(run_program(words, &printed, NULL), 0);
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    assert_non_null(strstr(printed, "analysis/head-norms 1.0.0"));
    assert_non_null(strstr(printed, "by-hand/head-norms.so"));
    free(printed);
    free(path);
}

static void exports_one_symbol(void **state) {
    const workshop *shop = *state;
    char *path = text("%s/by-hand/head-norms.so", shop->folder), *listing;
    const char *const words[] = {"nm", "-D", "--defined-only", path, NULL};
    assert_int_equal(run_program(words, &listing, NULL), 0);
    char *end = strchr(listing, '\n');
    assert_non_null(strstr(listing, " headlight_plugin\n"));
    assert_non_null(end);
    assert_string_equal(end, "\n");
    free(listing);
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_plugin_is_short), cmocka_unit_test(builds_with_cmake),
        cmocka_unit_test(builds_by_hand),      cmocka_unit_test(is_found_in_the_environment),
        cmocka_unit_test(exports_one_symbol),
    };
    return cmocka_run_group_tests(tests, open_shop, close_workshop);
}
