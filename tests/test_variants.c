/* `variants`: one experiment run several times, each with something changed, and compared. Through the built
 * command. */
#include "tests/json.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

static const char *const analyses =
    "headlight: 1\n"
    "model: {path: " TEST_GOLDEN "/tiny-a/model}\n"
    "analyses:\n"
    "  - {title: Circles, plugin: topic-segmentation, images: [" TEST_GOLDEN "/images/gray.png],\n"
    "     texts: [a red circle], heads: [L1]}\n";

typedef struct workshop {
    char *folder, *experiment, *out;
} workshop;

static workshop open_workshop(const char *variants) {
    workshop made = {.folder = make_folder()};
    made.experiment = text("%s/experiment.yaml", made.folder);
    made.out = text("%s/out", made.folder);
    char *content = text("%s%s", analyses, variants);
    write_text(made.experiment, content);
    free(content);
    return made;
}

static void close_workshop(workshop *made) {
    free(made->experiment);
    free(made->out);
    remove_folder(made->folder);
}

static cJSON *results_of(const workshop *made, const char *variant) {
    char *path = text("%s/%sresults.json", made->out, variant);
    cJSON *tree = read_json(path);
    free(path);
    return tree;
}

static void each_variant_has_a_report_and_all_are_compared(void **state) {
    (void)state;
    workshop made = open_workshop("variants:\n"
                                  "  - {name: fast, set: {compute.backend: openblas}}\n"
                                  "  - {name: plain, set: {compute.backend: reference}}\n"
                                  "  - {name: other, set: {analyses.0.texts: snow}}\n");
    char *printed, *errors;
    int status = run_command(&printed, &errors, "run", made.experiment, "--out", made.out, NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_non_null(strstr(printed, "/out/report.html"));
    cJSON *all = results_of(&made, ""), *plain = results_of(&made, "plain/");
    const cJSON *backend = cJSON_GetObjectItem(cJSON_GetObjectItem(plain, "compute"), "backend");
    assert_string_equal(backend->valuestring, "reference");
    const cJSON *first = cJSON_GetArrayItem(cJSON_GetObjectItem(plain, "analyses"), 0);
    assert_string_equal(cJSON_GetObjectItem(first, "title")->valuestring, "Circles");
    const cJSON *rows = cJSON_GetObjectItem(all, "variants");
    assert_int_equal(cJSON_GetArraySize(rows), 2);
    const cJSON *row = cJSON_GetArrayItem(rows, 0), *other = cJSON_GetArrayItem(rows, 1);
    assert_string_equal(cJSON_GetObjectItem(row, "variant")->valuestring, "plain");
    assert_true(number_of(row, "grid difference") <= 1e-4 * number_of(row, "largest in grids"));
    assert_non_null(cJSON_GetObjectItem(other, "remark")); /* heats of other texts */
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(all, "reports")), 3);
    /* what is true of every variant is said of the whole */
    const cJSON *model = cJSON_GetObjectItem(all, "model"), *compute = cJSON_GetObjectItem(all, "compute");
    assert_true(cJSON_HasObjectItem(model, "name") && cJSON_HasObjectItem(model, "summary"));
    assert_true(compute && !cJSON_HasObjectItem(compute, "backend"));
    assert_int_equal(count_files(made.out), 6); /* three variants, page, results, list of files */
    cJSON_Delete(all);
    cJSON_Delete(plain);
    free(printed);
    free(errors);
    close_workshop(&made);
}

static void mistakes_are_found_before_anything_is_written(void **state) {
    (void)state;
    static const struct {
        const char *variants, *says;
    } mistakes[] = {
        {"variants: []\n", "expected a list such as"},
        {"variants: [{name: a/b}]\n", "becomes a folder"},
        {"variants: [{name: report.html}]\n", "becomes a folder"},
        {"variants: [{name: a}, {name: a}]\n", "another variant is called \"a\""},
        {"variants: [{name: a, sets: {}}]\n", "did you mean \"set\""},
        {"variants: [{name: a}, {name: b, set: {compute.backend: openblass}}]\n",
         "did you mean \"openblas\""},
        {"variants: [{name: a}, {name: b, set: {model.path: nowhere}}]\n", ":6:51: the model's folder"},
        {"variants: [{name: a}, {name: b, set: [1]}]\n", "expected a mapping"},
    };
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; ++i) {
        workshop made = open_workshop(mistakes[i].variants);
        char *errors;
        assert_int_equal(run_command(NULL, &errors, "run", made.experiment, "--out", made.out, NULL), 2);
        if (!strstr(errors, mistakes[i].says)) fail_msg("case %zu: %s", i, errors);
        assert_false(file_exists(made.out));
        free(errors);
        close_workshop(&made);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_variant_has_a_report_and_all_are_compared),
        cmocka_unit_test(mistakes_are_found_before_anything_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
