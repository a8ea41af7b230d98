/* `headlight bench --search` on a small atlas, through the built command. */
#include "tests/support.h"

#include <cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The atlas is made in a folder of this test, so that nothing else comes and goes there. */
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

static void test_json(void **state) {
    char *printed, *errors;
    int status = run_command(&printed, &errors, "bench", "--search", "--images", "1500", "--threads", "1",
                             "--runs", "2", "--json", NULL);
    if (status != 0) fail_msg("%s", errors);
    cJSON *line = cJSON_Parse(printed);
    double query = number(line, "query_seconds"), reading = number(line, "read_seconds");
    assert_true(query > 0 && reading > 0);
    assert_true(fabs(number(line, "ratio") - query / reading) <= 1e-9 * query / reading);
    assert_true(number(line, "images") == 1500);
    assert_true(number(line, "threads") == 1);
    assert_true(number(line, "runs") == 2);
    assert_int_equal(count_files(*state), 0); /* the atlas is gone */
    cJSON_Delete(line);
    free(printed);
    free(errors);
}

static void test_table(void **state) {
    (void)state;
    char *printed, *errors;
    int status = run_command(&printed, &errors, "bench", "--search", "--images", "10", "--threads", "1",
                             "--threads", "2", "--runs", "1", NULL);
    if (status != 0) fail_msg("%s", errors);
    assert_non_null(strstr(printed, "one head of width 64 over 10 images"));
    assert_non_null(strstr(printed, "\n       1 "));
    assert_non_null(strstr(printed, "\n       2 "));
    free(printed);
    free(errors);
}

static void test_no_place(void **state) {
    char *printed, *errors, *missing = text("%s/missing", (const char *)*state);
    assert_int_equal(setenv("TMPDIR", missing, 1), 0);
    assert_int_equal(run_command(&printed, &errors, "bench", "--search", "--images", "10", NULL), 1);
    assert_int_equal(setenv("TMPDIR", *state, 1), 0);
    assert_string_equal(printed, "");
    assert_non_null(strstr(errors, missing));
    free(missing);
    free(printed);
    free(errors);
}

static void expect_usage(const char *message, const char *option, const char *value) {
    char *printed, *errors;
    assert_int_equal(run_command(&printed, &errors, "bench", option, value, NULL), 2);
    assert_string_equal(printed, "");
    if (!strstr(errors, message)) fail_msg("%s", errors);
    free(printed);
    free(errors);
}

static void test_usage(void **state) {
    (void)state;
    expect_usage("--model DIR is missing", "--images", "10");
    expect_usage("--search goes without", "--search", "--model=anything");
    expect_usage("--search goes without", "--search", "--batch=2");
    expect_usage("--images", "--search", "--images=0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_no_place),
        cmocka_unit_test(test_usage),
    };
    return cmocka_run_group_tests_name("bench --search", tests, make_place, remove_place);
}
