/* C++ lives with the contract: its headers, an analysis and a program are built outside the tree against an
 * installed headlight, without a warning, and give the right answers on the embedded model. */
#include "tests/support.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define IMAGE TEST_SOURCE "/tests/golden/images/rgb_wide.png" /* the first in golden/order.txt */
#define MODEL TEST_SOURCE "/configs/mini/model"

typedef struct workshop {
    char *folder, *prefix, *build;
} workshop;

/* *printed is to be freed. */
static void run_or_fail(const char *const *words, char **printed) {
    char *errors;
    int status = run_program(words, printed, &errors);
    if (status != 0) fail_msg("%s %s: status %d\n%s%s", words[0], words[1], status, *printed, errors);
    free(errors);
}

static void just_run(const char *const *words) {
    char *printed;
    run_or_fail(words, &printed);
    free(printed);
}

#define RUN(...) just_run((const char *const[]){__VA_ARGS__, NULL})

static int build_all(void **state) {
    static workshop shop;
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    shop.folder = make_folder();
    shop.prefix = text("%s/prefix", shop.folder);
    shop.build = text("%s/build", shop.folder);
    char *search = text("-DCMAKE_PREFIX_PATH=%s", shop.prefix);
    RUN("cmake", "--install", TEST_BUILD, "--prefix", shop.prefix);
    RUN("cmake", "-S", TEST_SOURCE "/tests/cpp", "-B", shop.build, "-G", "Ninja", search);
    RUN("cmake", "--build", shop.build);
    free(search);
    *state = &shop;
    return 0;
}

static int remove_all(void **state) {
    workshop *shop = *state;
    remove_folder(shop->folder);
    free(shop->build);
    free(shop->prefix);
    return 0;
}

/* The longest contribution of a head to the first golden image less the shortest. */
static double golden_spread(void) {
    npy_array heads = golden("mini", "heads");
    size_t width = heads.shape[3], count = heads.shape[1] * heads.shape[2];
    double longest = 0, shortest = INFINITY;
    for (size_t i = 0; i < count; ++i) {
        double square = 0;
        for (size_t j = 0; j < width; ++j) square += pow((double)heads.data[i * width + j], 2);
        longest = fmax(longest, sqrt(square));
        shortest = fmin(shortest, sqrt(square));
    }
    free(heads.data);
    return longest - shortest;
}

static void a_plugin_answers(void **state) {
    const workshop *shop = *state;
    char *command = text("%s/bin/headlight", shop->prefix), *out = text("%s/out", shop->folder);
    char *yaml = text("%s/a.yaml", shop->folder), *results = text("%s/results.json", out);
    write_text(yaml, "headlight: 1\nmodel: {path: " MODEL "}\ncompute: {backend: reference}\noutput: out\n"
                     "analyses:\n  - {plugin: head-spread, images: [" IMAGE "]}\n");
    RUN(command, "run", yaml, "--out", out, "--plugin-dir", shop->build);
    char *content = read_file(results, NULL);
    cJSON *root = cJSON_Parse(content);
    const cJSON *analysis = cJSON_GetArrayItem(cJSON_GetObjectItem(root, "analyses"), 0);
    const cJSON *item = cJSON_GetArrayItem(cJSON_GetObjectItem(analysis, "results"), 0);
    double expected = golden_spread();
    assert_true(fabs(cJSON_GetNumberValue(cJSON_GetObjectItem(item, "spread")) - expected) <=
                2e-5 * expected);
    cJSON_Delete(root);
    free(content);
    free(results);
    free(yaml);
    free(out);
    free(command);
}

/* Whatever templates of the standard library it holds. */
static void a_plugin_shows_one_symbol(void **state) {
    const workshop *shop = *state;
    char *path = text("%s/head-spread.so", shop->build), *listing;
    const char *const words[] = {"nm", "-D", "--defined-only", path, NULL};
    run_or_fail(words, &listing);
    char *end = strchr(listing, '\n');
    assert_non_null(strstr(listing, " headlight_plugin\n"));
    assert_non_null(end);
    assert_string_equal(end, "\n");
    free(listing);
    free(path);
}

static void a_program_asks(void **state) {
#ifdef TEST_SANITIZED
    skip(); /* the program is built without sanitizers, and cannot load a library with them */
#endif
    const workshop *shop = *state;
    char *program = text("%s/program", shop->build), *printed;
    const char *const words[] = {program, MODEL, IMAGE, "a red star", NULL};
    run_or_fail(words, &printed);
    assert_non_null(strstr(printed, "model/clip-vit\n"));
    assert_non_null(strstr(printed, "analysis/topic-segmentation\n"));
    double cosine = 0;
    char *answer = strstr(printed, "cosine ");
    assert_non_null(answer);
    assert_int_equal(sscanf(answer, "cosine %lf", &cosine), 1);
    assert_true(isfinite(cosine) && cosine != 0 && fabs(cosine) < 1);
    free(printed);
    free(program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plugin_answers),
        cmocka_unit_test(a_plugin_shows_one_symbol),
        cmocka_unit_test(a_program_asks),
    };
    return cmocka_run_group_tests(tests, build_all, remove_all);
}
