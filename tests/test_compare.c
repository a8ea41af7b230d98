/* Differences of variants: two results' trees, and what the rows say of them. */
#include "core/experiment/compare.h"
#include "tests/json.h"
#include "tests/support.h"
#include "tests/tree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The rows for variants a, b, c with these analyses. */
static cJSON *compare_all(const char *const *analyses, size_t count) {
    tree *trees[3], *rows;
    compare_variant variants[3];
    hl_error error;
    for (size_t i = 0; i < count; i++) {
        char *json = text("{\"analyses\":%s}", analyses[i]);
        trees[i] = make_tree(json);
        variants[i] = (compare_variant){(const char *const[]){"a", "b", "c"}[i], tree_node(trees[i])};
        free(json);
    }
    assert_ok(tree_open(&rows, &error), error);
    compare_variants(variants, count, item_list(tree_root(rows), "rows", HL_LIST));
    assert_ok(tree_check(rows, &error), error);
    char *printed;
    assert_ok(tree_print_json(hl_get(tree_node(rows), "rows"), false, &printed, &error), error);
    cJSON *read = parse_json(printed);
    free(printed);
    tree_close(rows);
    for (size_t i = 0; i < count; i++) tree_close(trees[i]);
    return read;
}

/* Compares two lists of analyses; the rows. */
static cJSON *compare(const char *first, const char *second) {
    return compare_all((const char *const[]){first, second}, 2);
}

static double number(const cJSON *row, const char *key) {
    const cJSON *entry = cJSON_GetObjectItem(row, key);
    if (!cJSON_IsNumber(entry)) fail_msg("no number %s", key);
    return entry->valuedouble;
}

static const char *words(const cJSON *row, const char *key) {
    const char *entry = cJSON_GetStringValue(cJSON_GetObjectItem(row, key));
    return entry ? entry : "";
}

#define HEAT(TEXT, GRID)                                                                                     \
    "{\"schema\":\"heat\",\"image\":\"a\",\"text\":\"" TEXT "\",\"head\":\"L0.H1\",\"grid\":" GRID "}"
#define ANALYSIS(PLUGIN, ITEMS) "[{\"plugin\":\"" PLUGIN "\",\"results\":[" ITEMS "]}]"

static void test_grids_differ_by_their_largest_difference(void **state) {
    (void)state;
    cJSON *rows =
        compare(ANALYSIS("p", HEAT("x", "[[1,-4],[0,2]]") "," HEAT("y", "[[0,0],[0,0]]")),
                ANALYSIS("p", HEAT("x", "[[1,-3.75],[0,2.125]]") "," HEAT("y", "[[0,0],[0.125,0]]")));
    assert_int_equal(cJSON_GetArraySize(rows), 1);
    const cJSON *row = rows->child;
    assert_string_equal(words(row, "variant"), "b");
    assert_string_equal(words(row, "plugin"), "p");
    assert_true(number(row, "analysis") == 1);
    assert_true(number(row, "results") == 2);
    assert_true(number(row, "grid difference") == 0.25);
    assert_true(number(row, "largest in grids") == 4);
    assert_false(cJSON_HasObjectItem(row, "score difference"));
    assert_false(cJSON_HasObjectItem(row, "remark"));
    cJSON_Delete(rows);
}

#define NEIGHBORS(LIST)                                                                                      \
    ANALYSIS("n", "{\"schema\":\"neighbors\",\"query\":\"q\",\"head\":\"L0.H1\",\"neighbors\":[" LIST "]}")
#define AT(PATH, SCORE) "{\"path\":\"" PATH "\",\"score\":" SCORE "}"

static void test_ranks_that_changed_are_counted(void **state) {
    (void)state;
    cJSON *rows = compare(NEIGHBORS(AT("a", "4") "," AT("b", "3") "," AT("c", "2") "," AT("d", "1")),
                          NEIGHBORS(AT("a", "4.5") "," AT("c", "3") "," AT("b", "3.25") "," AT("e", "9")));
    assert_true(number(rows->child, "changed ranks") == 3 && number(rows->child, "ranks") == 4);
    assert_true(number(rows->child, "score difference") == 1);
    assert_false(cJSON_HasObjectItem(rows->child, "grid difference"));
    cJSON_Delete(rows);

    rows = compare(NEIGHBORS(AT("a", "4") "," AT("b", "3")), NEIGHBORS(AT("a", "4")));
    assert_true(number(rows->child, "changed ranks") == 1 && number(rows->child, "ranks") == 2);
    assert_true(number(rows->child, "score difference") == 0);
    cJSON_Delete(rows);

    rows = compare(NEIGHBORS(AT("a", "4")), NEIGHBORS(AT("a", "4")));
    assert_true(number(rows->child, "changed ranks") == 0 && number(rows->child, "ranks") == 1);
    cJSON_Delete(rows);
}

static void expect_remark(const char *first, const char *second, const char *remark) {
    cJSON *rows = compare(first, second);
    assert_string_equal(words(rows->child, "remark"), remark);
    assert_false(cJSON_HasObjectItem(rows->child, "grid difference"));
    assert_false(cJSON_HasObjectItem(rows->child, "changed ranks"));
    cJSON_Delete(rows);
}

static void test_what_cannot_be_compared_is_said(void **state) {
    (void)state;
    const char *heat = ANALYSIS("p", HEAT("x", "[[1,2],[3,4]]"));
    expect_remark(heat, ANALYSIS("p", HEAT("x", "[[1,2,0],[3,4,0]]")), "grids of another shape");
    expect_remark(heat, ANALYSIS("p", HEAT("x", "[[1,2]]")), "grids of another shape");
    expect_remark(heat, ANALYSIS("p", HEAT("y", "[[1,2],[3,4]]")), "other results");
    expect_remark(heat, ANALYSIS("p", ""), "other results");
    expect_remark(heat, ANALYSIS("p", HEAT("x", "[[1,2],[3,4]]") "," HEAT("x", "[[1,2],[3,4]]")),
                  "other results");
    expect_remark(heat, ANALYSIS("q", HEAT("x", "[[1,2],[3,4]]")), "another analysis");
    expect_remark("[]", heat, "another analysis");
}

static void test_every_variant_is_held_against_the_first(void **state) {
    (void)state;
    const char *const analyses[3] = {ANALYSIS("p", HEAT("x", "[[0]]")), ANALYSIS("p", HEAT("x", "[[1]]")),
                                     ANALYSIS("p", HEAT("x", "[[3]]"))};
    cJSON *rows = compare_all(analyses, 3);
    assert_int_equal(cJSON_GetArraySize(rows), 2);
    assert_true(number(cJSON_GetArrayItem(rows, 0), "grid difference") == 1);
    assert_string_equal(words(cJSON_GetArrayItem(rows, 1), "variant"), "c");
    assert_true(number(cJSON_GetArrayItem(rows, 1), "grid difference") == 3);
    cJSON_Delete(rows);
    rows = compare_all(analyses, 1);
    assert_int_equal(cJSON_GetArraySize(rows), 0);
    cJSON_Delete(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_grids_differ_by_their_largest_difference),
        cmocka_unit_test(test_ranks_that_changed_are_counted),
        cmocka_unit_test(test_what_cannot_be_compared_is_said),
        cmocka_unit_test(test_every_variant_is_held_against_the_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
