/* `headlight bench --uses` on the embedded model, through the built command. */
#include "tests/support.h"

#include <cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MINI TEST_SOURCE "/configs/mini/"

static int make_place(void **state) {
    *state = make_folder();
    return setenv("TMPDIR", *state, 1);
}

static int remove_place(void **state) {
    remove_folder(*state);
    return unsetenv("TMPDIR");
}

static double number(const cJSON *line, const char *key) {
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(line, key);
    if (!cJSON_IsNumber(value)) fail_msg("\"%s\" is no number", key);
    return value->valuedouble;
}

static void check_line(const char *line, const char *use, size_t count, bool many) {
    cJSON *object = cJSON_Parse(line);
    if (!object) fail_msg("no JSON: %s", line);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(object, "use")), use);
    assert_string_equal(cJSON_GetStringValue(cJSON_GetObjectItem(object, "plugin")), "reference");
    assert_true(number(object, "count") == (double)count);
    assert_true(number(object, "threads") == 1);
    double seconds = number(object, "seconds");
    assert_true(seconds > 0);
    if (many)
        assert_true(fabs(number(object, "per_second") * seconds - (double)count) <= 1e-9 * (double)count);
    assert_true(many == (cJSON_GetObjectItem(object, "per_second") != NULL));
    cJSON_Delete(object);
}

static void check_lines(char *printed, size_t texts, size_t images) {
    const struct {
        const char *use;
        size_t count;
        bool many;
    } rows[] = {{"open", 1, false},     {"load", 1, false},     {"question", 1, false},
                {"question", 1, false}, {"question", 1, false}, {"texts", texts, true},
                {"index", images, true}};
    char *rest = NULL, *line = strtok_r(printed, "\n", &rest);
    for (size_t i = 0; i < COUNT(rows); ++i, line = strtok_r(NULL, "\n", &rest)) {
        assert_non_null(line);
        check_line(line, rows[i].use, rows[i].count, rows[i].many);
    }
    assert_null(line);
}

static void test_json(void **state) {
    char *printed, *errors, *list = text("%s/scenes.txt", (const char *)*state);
    write_text(list, MINI "gallery/scene-000.jpg\n" MINI "gallery/scene-001.jpg\n");
    const char *const images[] = {"3", list};
    for (size_t i = 0; i < COUNT(images); ++i) {
        int status = run_command(&printed, &errors, "bench", "--uses", "--model", MINI "model", "--images",
                                 images[i], "--texts", "5", "--runs", "2", "--threads", "1", "--backend",
                                 "reference", "--json", NULL);
        if (status != 0) fail_msg("%s", errors);
        check_lines(printed, 5, 3 - i);
        assert_int_equal(count_files(*state), 1); /* the list: what was made is gone */
        free(printed);
        free(errors);
    }
    free(list);
}

/* A folder without weights has random ones. */
static void test_table_of_random_weights(void **state) {
    char *printed, *errors, *folder = text("%s/shape", (const char *)*state);
    char *command = text("mkdir %s && cp " MINI "model/open_clip_config.json " MINI "model/merges.txt.gz %s",
                         folder, folder);
    assert_int_equal(system(command), 0);
    int status = run_command(&printed, &errors, "bench", "--uses", "--model", folder, "--images", "2",
                             "--runs", "1", NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_non_null(strstr(printed, ", random weights\n"));
    assert_non_null(strstr(printed, "\nload "));
    assert_non_null(strstr(printed, "\nindex "));
    free(printed);
    free(errors);
    free(command);
    free(folder);
}

static void expect_usage(const char *message, const char *option, const char *value) {
    char *printed, *errors;
    assert_int_equal(run_command(&printed, &errors, "bench", "--uses", option, value, NULL), 2);
    assert_string_equal(printed, "");
    if (!strstr(errors, message)) fail_msg("%s", errors);
    free(printed);
    free(errors);
}

static void test_usage(void **state) {
    (void)state;
    expect_usage("--uses needs --model DIR", "--runs", "2");
    expect_usage("not several", "--search", NULL);
    expect_usage("--texts", "--texts", "0");
    expect_usage("does not exist", "--model", "/nowhere/at/all");
    char *printed, *errors;
    assert_int_equal(run_command(&printed, &errors, "bench", "--uses", "--model", MINI "model", "--images",
                                 "/nowhere/at/all", NULL),
                     2);
    if (!strstr(errors, "/nowhere/at/all")) fail_msg("%s", errors);
    free(printed);
    free(errors);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_json, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_table_of_random_weights, make_place, remove_place),
        cmocka_unit_test_setup_teardown(test_usage, make_place, remove_place)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
