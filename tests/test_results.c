/* The sink into which analyses put their results: numbers keep their values, mistakes are named. */
#include "tests/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static char *print_first_item(const tree *all) {
    const hl_node *analyses = hl_get(tree_node(all), "analyses");
    char *json;
    hl_error error;
    assert_ok(tree_print_json(hl_get(analyses->first, "results")->first, false, &json, &error), error);
    return json;
}

static void test_floats_survive_printing(void **state) {
    (void)state;
    enum { COUNT = 4000 };
    sink items;
    hl_error error;
    tree *all = open_results(&items);
    hl_result *result = &items.functions;
    float *grid = result->grid(result->item(result, "x"), "grid", COUNT / 4, 4);
    float expected[COUNT];
    uint32_t bits = 1;
    for (size_t i = 0; i < COUNT; i++) {
        do {
            bits = bits * 1664525 + 1013904223;
            memcpy(&expected[i], &bits, sizeof bits);
        } while (!isfinite(expected[i]));
        grid[i] = expected[i];
    }
    assert_ok(sink_finish(&items, all, &error), error);
    char *json = print_first_item(all);
    cJSON *read = cJSON_Parse(json), *rows = cJSON_GetObjectItem(read, "grid"), *row, *number;
    size_t i = 0;
    cJSON_ArrayForEach(row, rows) {
        cJSON_ArrayForEach(number, row) assert_true((float)number->valuedouble == expected[i++]);
    }
    assert_int_equal(i, COUNT);
    cJSON_Delete(read);
    free(json);
    tree_close(all);
}

static void test_numbers_print_short_and_exact(void **state) {
    (void)state;
    sink items;
    hl_error error;
    tree *all = open_results(&items);
    hl_result *result = &items.functions;
    hl_item *item = result->item(result, "x");
    result->number(item, "real", 0.6);
    result->number(item, "float", (double)0.1F);
    result->number(item, "count", 1099511627776);
    assert_ok(sink_finish(&items, all, &error), error);
    char *json = print_first_item(all);
    assert_string_equal(json, "{\"schema\":\"x\",\"real\":0.6,\"float\":0.1,\"count\":1099511627776}");
    free(json);
    tree_close(all);
}

/* Finishes and expects a failure that names both words. */
static void expect_refusal(sink *items, tree *all, const char *word, const char *other) {
    hl_error error = {0};
    assert_int_equal(sink_finish(items, all, &error), HL_FAILED);
    if (!strstr(error.message, word) || !strstr(error.message, other)) fail_msg("%s", error.message);
    assert_non_null(strstr(error.message, "some-analysis, result 2"));
    tree_close(all);
}

static void test_no_nan_gets_in(void **state) {
    (void)state;
    sink items;
    tree *all = open_results(&items);
    hl_result *result = &items.functions;
    result->item(result, "x");
    result->number(result->item(result, "x"), "score", NAN);
    expect_refusal(&items, all, "score", "nan");

    all = open_results(&items);
    result->item(result, "x");
    float *grid = result->grid(result->item(result, "x"), "heights", 2, 3);
    grid[5] = INFINITY;
    result->item(result, "x");
    expect_refusal(&items, all, "heights", "row 1, column 2 is inf");
}

static void test_other_mistakes_of_plugins(void **state) {
    (void)state;
    sink items;
    tree *all = open_results(&items);
    hl_result *result = &items.functions;
    result->item(result, "x");
    hl_item *item = result->item(result, "x");
    result->text(item, "name", "a");
    result->text(item, "name", "b");
    expect_refusal(&items, all, "'name'", "already there");

    all = open_results(&items);
    result->item(result, "x");
    assert_null(result->grid(result->item(result, "x"), "grid", 0, 4));
    expect_refusal(&items, all, "'grid'", "0 x 4");

    all = open_results(&items);
    hl_error error = {0};
    assert_null(result->grid(result->item(result, "x"), "grid", UINT32_MAX, UINT32_MAX));
    assert_int_equal(sink_finish(&items, all, &error), HL_NO_MEMORY);
    assert_non_null(strstr(error.message, "out of memory"));
    result->text(NULL, "key", "value");
    result->number(NULL, "key", 1);
    assert_null(result->grid(NULL, "key", 1, 1));
    tree_close(all);
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
