/* The sink into which analyses put their results: numbers keep their values, mistakes are named. */
#include "tests/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const cJSON *first_item(results *all) {
    const cJSON *analyses = cJSON_GetObjectItem(results_root(all), "analyses");
    return cJSON_GetObjectItem(cJSON_GetArrayItem(analyses, 0), "results")->child;
}

static void test_floats_survive_printing(void **state) {
    (void)state;
    enum { COUNT = 4000 };
    hl_result *sink;
    hl_error error;
    results *all = open_results(&sink);
    float *grid = sink->grid(sink->item(sink, "x"), "grid", COUNT / 4, 4);
    float expected[COUNT];
    uint32_t bits = 1;
    for (size_t i = 0; i < COUNT; i++) {
        do {
            bits = bits * 1664525 + 1013904223;
            memcpy(&expected[i], &bits, sizeof bits);
        } while (!isfinite(expected[i]));
        grid[i] = expected[i];
    }
    assert_ok(results_finish_analysis(all, &error), error);
    char *json = cJSON_Print(first_item(all));
    cJSON *read = cJSON_Parse(json), *rows = cJSON_GetObjectItem(read, "grid"), *row, *number;
    size_t i = 0;
    cJSON_ArrayForEach(row, rows) {
        cJSON_ArrayForEach(number, row) assert_true((float)number->valuedouble == expected[i++]);
    }
    assert_int_equal(i, COUNT);
    cJSON_Delete(read);
    free(json);
    results_close(all);
}

static void test_numbers_print_short_and_exact(void **state) {
    (void)state;
    hl_result *sink;
    hl_error error;
    results *all = open_results(&sink);
    hl_item *item = sink->item(sink, "x");
    sink->number(item, "real", 0.6);
    sink->number(item, "float", (double)0.1F);
    sink->number(item, "count", 1099511627776);
    assert_ok(results_finish_analysis(all, &error), error);
    char *json = cJSON_PrintUnformatted(first_item(all));
    assert_string_equal(json, "{\"schema\":\"x\",\"real\":0.6,\"float\":0.1,\"count\":1099511627776}");
    free(json);
    results_close(all);
}

/* Finishes and expects a failure that names both words. */
static void expect_refusal(results *all, const char *word, const char *other) {
    hl_error error = {0};
    assert_int_equal(results_finish_analysis(all, &error), HL_FAILED);
    if (!strstr(error.message, word) || !strstr(error.message, other)) fail_msg("%s", error.message);
    assert_non_null(strstr(error.message, "some-analysis, result 2"));
    results_close(all);
}

static void test_no_nan_gets_in(void **state) {
    (void)state;
    hl_result *sink;
    results *all = open_results(&sink);
    sink->item(sink, "x");
    sink->number(sink->item(sink, "x"), "score", NAN);
    expect_refusal(all, "score", "nan");

    all = open_results(&sink);
    sink->item(sink, "x");
    float *grid = sink->grid(sink->item(sink, "x"), "heights", 2, 3);
    grid[5] = INFINITY;
    sink->item(sink, "x");
    expect_refusal(all, "heights", "row 1, column 2 is inf");
}

static void test_other_mistakes_of_plugins(void **state) {
    (void)state;
    hl_result *sink;
    results *all = open_results(&sink);
    sink->item(sink, "x");
    hl_item *item = sink->item(sink, "x");
    sink->text(item, "name", "a");
    sink->text(item, "name", "b");
    expect_refusal(all, "'name'", "already there");

    all = open_results(&sink);
    sink->item(sink, "x");
    assert_null(sink->grid(sink->item(sink, "x"), "grid", 0, 4));
    expect_refusal(all, "'grid'", "0 x 4");

    all = open_results(&sink);
    hl_error error = {0};
    assert_null(sink->grid(sink->item(sink, "x"), "grid", UINT32_MAX, UINT32_MAX));
    assert_int_equal(results_finish_analysis(all, &error), HL_NO_MEMORY);
    assert_non_null(strstr(error.message, "out of memory"));
    sink->text(NULL, "key", "value");
    sink->number(NULL, "key", 1);
    assert_null(sink->grid(NULL, "key", 1, 1));
    results_close(all);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_floats_survive_printing),
        cmocka_unit_test(test_numbers_print_short_and_exact),
        cmocka_unit_test(test_no_nan_gets_in),
        cmocka_unit_test(test_other_mistakes_of_plugins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
