/* The typed tree: what is put into it, what JSON makes of it, what is read from JSON, and all of that where
 * the program speaks with a decimal comma. */
#include "core/tree/tree.h"
#include "tests/comma.h"
#include "tests/json.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static tree *open_tree(void) {
    tree *made;
    hl_error error;
    assert_ok(tree_open(&made, &error), error);
    return made;
}

static tree *read_tree(const char *json) {
    tree *made;
    hl_error error;
    assert_ok(tree_read_json("some.json", (const uint8_t *)json, strlen(json), NULL, &made, &error), error);
    return made;
}

static void assert_json(const tree *made, const char *expected) {
    char *printed;
    hl_error error;
    assert_ok(tree_print_json(tree_node(made), false, &printed, &error), error);
    assert_string_equal(printed, expected);
    free(printed);
}

static void every_type_is_kept_and_written(void **state) {
    (void)state;
    static const uint8_t rgb[6] = {1, 2, 3, 4, 5, 6};
    tree *made = open_tree();
    hl_item *root = tree_root(made);
    item_nothing(root, "nothing");
    item_truth(root, "truth", true);
    item_whole(root, "whole", INT64_MIN);
    item_number(root, "number", 0.1);
    item_text(root, "text", "a \"quoted\"\\ \n\x01 \xc3\xa4");
    hl_item *list = item_list(root, "list", HL_LIST);
    item_whole(list, NULL, 1);
    item_text(item_map(list, NULL), "inner", "x");
    hl_item *table = item_list(root, "table", HL_TABLE);
    for (int i = 0; i < 2; ++i) item_whole(item_map(table, NULL), "row", i);
    float *grid = item_grid(root, "grid", 2, 2);
    const float numbers[4] = {0.1f, 3, -0.0f, 1e-30f};
    memcpy(grid, numbers, sizeof numbers);
    item_picture(root, "picture", 1, 2, rgb);
    hl_error error;
    assert_ok(tree_check(made, &error), error);

    const hl_node *node = tree_node(made);
    assert_int_equal(node->count, 9);
    assert_int_equal(hl_get(node, "whole")->type, HL_WHOLE);
    assert_true(hl_get(node, "number")->number == 0.1 && !hl_get(node, "number")->single);
    assert_int_equal(hl_get(node, "table")->type, HL_TABLE);
    assert_true(hl_is_list(hl_get(node, "table")) && !hl_is_list(node));
    assert_memory_equal(hl_get(node, "grid")->grid, numbers, sizeof numbers);
    assert_memory_equal(hl_get(node, "picture")->rgb, rgb, sizeof rgb);
    assert_null(hl_get(node, "other"));
    assert_string_equal(hl_get_text(node, "whole"), "");
    assert_true(hl_get_number(node, "text", 7) == 7);
    assert_json(made,
                "{\"nothing\":null,\"truth\":true,\"whole\":-9223372036854775808,\"number\":0.1,"
                "\"text\":\"a \\\"quoted\\\"\\\\ \\n\\u0001 \xc3\xa4\",\"list\":[1,{\"inner\":\"x\"}],"
                "\"table\":[{\"row\":0},{\"row\":1}],\"grid\":[[0.1,3],[-0.0,1e-30]],\"picture\":null}");
    tree_close(made);
}

static double random_double(uint64_t *seed) {
    double value;
    do {
        *seed = *seed * 6364136223846793005u + 1442695040888963407u;
        uint64_t bits = *seed ^ *seed >> 29;
        memcpy(&value, &bits, sizeof value);
    } while (!isfinite(value));
    return value;
}

static void numbers_read_back(void **state) {
    (void)state;
    uint64_t seed = 1;
    char room[NUMBER_ROOM];
    for (int i = 0; i < 20000; ++i) {
        hl_node number = {.type = HL_NUMBER, .number = random_double(&seed)};
        assert_true(strtod(number_text(&number, room), NULL) == number.number);
        float narrow = (float)number.number;
        if (!isfinite(narrow)) continue;
        number = (hl_node){.type = HL_NUMBER, .number = (double)narrow, .single = true};
        assert_true(strtof(number_text(&number, room), NULL) == narrow);
        if (strlen(room) > 16) fail_msg("%s of %a", room, (double)narrow);
    }
}

/* A plugin that widens a float means the float. */
static void a_widened_float_is_shown_as_one(void **state) {
    (void)state;
    tree *made = open_tree();
    item_number(tree_root(made), "float", (double)0.1f);
    item_number(tree_root(made), "double", 0.1);
    item_number(tree_root(made), "whole", 3);
    item_number(tree_root(made), "large", 1e20);
    item_double(tree_root(made), "exact", (double)0.1f);
    assert_json(made,
                "{\"float\":0.1,\"double\":0.1,\"whole\":3,\"large\":1e+20,\"exact\":0.10000000149011612}");
    assert_true(hl_get(tree_node(made), "float")->single);
    tree_close(made);
}

static void numbers_of_json_keep_their_digits(void **state) {
    (void)state;
    static const char json[] = "[1234567890123456789,9007199254740993,123456789012345678901234567890,1.10,-0,"
                               "-0.0,1e5,1E+05,6.02e-23,1e999,-1e999,0.1000000000000000055511151231257827]";
    tree *made = read_tree(json);
    assert_json(made, json);
    const hl_node *number = tree_node(made)->first;
    assert_int_equal(number->type, HL_WHOLE);
    assert_true(number->whole == 1234567890123456789);
    number = number->next->next;
    assert_int_equal(number->type, HL_NUMBER); /* too large to be told exactly */
    assert_true(number->number == 123456789012345678901234567890.0);
    number = number->next;
    assert_true(number->number == 1.1);
    for (const hl_node *each = tree_node(made)->first; each; each = each->next) {
        assert_true(isfinite(each->number));
    }
    tree *other = open_tree(); /* a copy has them too */
    item_copy(tree_root(other), "copy", tree_node(made));
    char *expected = text("{\"copy\":%s}", json);
    tree_close(made);
    assert_json(other, expected);
    free(expected);
    tree_close(other);
}

static void json_of_every_shape_is_read(void **state) {
    (void)state;
    static const char *const same[] = {
        "{}", "[]", "null", "true", "\"\"", "[[],{}]", "{\"a\":{\"b\":[1,[2]]}}"};
    for (size_t i = 0; i < sizeof same / sizeof *same; ++i) {
        tree *made = read_tree(same[i]);
        assert_json(made, same[i]);
        tree_close(made);
    }
    static const char *const pairs[][2] = {
        {"\xef\xbb\xbf {\"a\" : 1 }\r\n", "{\"a\":1}"},
        {"\"\\u00e4\\ud83d\\ude00\\/\"", "\"\xc3\xa4\xf0\x9f\x98\x80/\""},
        {"{\"a\":1,\"a\":{\"b\":[2,{}]},\"c\":3,\"a\":4}", "{\"a\":1,\"c\":3}"},
        {"[{\"x\":[{\"y\":1,\"y\":[[]]}],\"x\":2},5]", "[{\"x\":[{\"y\":1}]},5]"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; ++i) {
        tree *made = read_tree(pairs[i][0]);
        assert_json(made, pairs[i][1]);
        tree_close(made);
    }
}

static void assert_refused(const char *json, size_t count, const char *why) {
    tree *made;
    hl_error error;
    assert_int_equal(tree_read_json("a.json", (const uint8_t *)json, count, "path", &made, &error),
                     HL_FAILED);
    assert_null(made);
    if (!strstr(error.message, why)) fail_msg("'%s' for %s", error.message, json);
    assert_int_equal(strncmp(error.message, "a.json", 6), 0);
}

static void other_json_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",        " ",          "[1,]",  "{\"a\":}", "[1 2]", "nul",
                                        "[01]",    "[1.]",       "[+1]",  "[.5]",     "[1] x", "{a:1}",
                                        "\"a",     "[\"a\tb\"]", "[NaN]", "['a']",    "{",     "[",
                                        "// c\n1", "[\"\\x\"]",  "[-]"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; ++i) {
        assert_refused(wrong[i], strlen(wrong[i]), "no valid JSON");
    }
    static const char *const halves[] = {"[\"\\ud83d\"]", "[\"\\ude00\"]", "[\"\\ud83d\\ud83d\"]",
                                         "[\"\\ud83dx\"]"};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; ++i) {
        assert_refused(halves[i], strlen(halves[i]), "surrogate pair alone");
    }
    assert_refused("[\"\\\\\\u0000\"]", 12, "a NUL character at byte 4");
    assert_refused("[1\0]", 4, "no valid JSON");
    assert_refused("[\"\xff\"]", 5, "not UTF-8");
    assert_refused("[{\"path\":1,\"path\":2}]", 21, "item 0 (from 0): has two entries \"path\"");
    char deep[2100];
    memset(deep, '[', sizeof deep);
    assert_refused(deep, sizeof deep, "more than 1000 levels");
}

static void deep_json_can_be_copied(void **state) {
    (void)state;
    enum { LEVELS = 1000 };
    char deep[2 * LEVELS + 1] = "";
    memset(deep, '[', LEVELS);
    memset(deep + LEVELS, ']', LEVELS);
    tree *made = read_tree(deep), *other = open_tree();
    hl_item *inner = tree_root(other);
    for (int i = 0; i < 10; ++i) inner = item_map(inner, "below");
    item_copy(inner, "deep", tree_node(made));
    hl_error error;
    assert_ok(tree_check(other, &error), error);
    tree_close(made);
    tree_close(other);
}

/* As many keys as need an index. */
static void a_map_has_each_key_once(void **state) {
    (void)state;
    enum { MANY = 5000 };
    tree *made = open_tree();
    hl_error error;
    for (int i = 0; i < MANY; ++i) {
        char key[16];
        snprintf(key, sizeof key, "key %d", i);
        item_whole(tree_root(made), key, i);
    }
    assert_ok(tree_check(made, &error), error);
    assert_int_equal(tree_node(made)->count, MANY);
    assert_true(hl_get_number(tree_node(made), "key 4321", 0) == 4321);
    tree *source = read_tree("{\"key 17\":\"x\",\"new\":true}");
    item_copy_absent(tree_root(made), tree_node(source));
    assert_ok(tree_check(made, &error), error);
    assert_int_equal(tree_node(made)->count, MANY + 1);
    item_text(tree_root(made), "key 17", "again");
    assert_int_equal(tree_check(made, &error), HL_FAILED);
    assert_non_null(strstr(error.message, "'key 17': a field of this name is already there"));
    tree_close(source);
    tree_close(made);
}

typedef void mistake(hl_item *root);

static void give_no_key(hl_item *root) {
    item_whole(root, NULL, 1);
}

static void give_no_text(hl_item *root) {
    item_text(root, "wrong", NULL);
}

static void give_infinity(hl_item *root) {
    item_number(root, "wrong", INFINITY);
}

static void give_empty_grid(hl_item *root) {
    assert_null(item_grid(root, "wrong", 0, 3));
}

static void give_nan_in_grid(hl_item *root) {
    item_grid(root, "fine", 2, 2);
    item_grid(root, "wrong", 2, 2)[3] = NAN;
}

static void give_other_rows(hl_item *root) {
    hl_item *table = item_list(root, "wrong", HL_TABLE);
    item_whole(item_map(table, NULL), "a", 1);
    item_whole(item_map(table, NULL), "b", 1);
}

static void give_no_row(hl_item *root) {
    item_whole(item_list(root, "wrong", HL_TABLE), NULL, 1);
}

static void give_no_list(hl_item *root) {
    item_list(root, "wrong", HL_MAP);
}

static void give_one_in_another(hl_item *root) {
    for (int i = 0; i < 2000; ++i) root = item_map(root, "wrong");
}

static void give_same_bytes(hl_item *root) {
    item_whole(root, "\xff", 1);
    item_whole(root, "\\xff", 2);
}

static void mistakes_are_named(void **state) {
    (void)state;
    static const struct {
        mistake *make;
        const char *message;
    } table[] = {
        {give_no_key, "some, result 3, '': an entry of a map needs a name"},
        {give_no_text, "some, result 3, 'wrong': there is no text"},
        {give_infinity, "some, result 3, 'wrong': the number is inf; only finite"},
        {give_empty_grid, "some, result 3, 'wrong': it is 0 x 3"},
        {give_nan_in_grid, "some, result 3, 'wrong': the number in row 1, column 1 is nan"},
        {give_other_rows, "some, result 3, 'wrong': row 1 (from 0) of the table has other fields"},
        {give_no_row, "some, result 3, 'wrong': only maps can be rows"},
        {give_no_list, "some, result 3, 'wrong': 6 is no type of a list"},
        {give_one_in_another, "some, result 3, 'wrong': more than 1024 levels"},
        {give_same_bytes, "some, result 3, '\\xff': a field of this name"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; ++i) {
        tree *made = open_tree();
        hl_error error;
        item_set_place(tree_root(made), "some, result %d", 3);
        table[i].make(tree_root(made));
        item_text(tree_root(made), "later", "is not taken");
        assert_int_equal(tree_check(made, &error), HL_FAILED);
        if (strncmp(error.message, table[i].message, strlen(table[i].message)) != 0)
            fail_msg("%s", error.message);
        tree_close(made);
    }
}

static void texts_are_utf8_whatever_they_were(void **state) {
    (void)state;
    tree *made = open_tree();
    item_text(tree_root(made), "caf\xe9", "na\xefve \xc3\xa4");
    assert_json(made, "{\"caf\\\\xe9\":\"na\\\\xefve \xc3\xa4\"}");
    assert_string_equal(hl_get_text(tree_node(made), "caf\\xe9"), "na\\xefve \xc3\xa4");
    tree_close(made);
}

static void results_look_as_ever(void **state) {
    (void)state;
    tree *made = read_tree("{\"a\":{},\"b\":[1,[2,3],{\"c\":\"x\"}]}");
    char *printed;
    hl_error error;
    assert_ok(tree_print_json(tree_node(made), true, &printed, &error), error);
    assert_string_equal(printed,
                        "{\n\t\"a\":\t{\n\t},\n\t\"b\":\t[1, [2, 3], {\n\t\t\t\"c\":\t\"x\"\n\t\t}]\n}");
    free(printed);
    tree_close(made);
}

static void a_decimal_comma_changes_nothing(void **state) {
    (void)state;
    char *folder = make_folder();
    if (!comma_set(folder)) {
        remove_folder(folder);
        skip();
    }
    a_widened_float_is_shown_as_one(NULL);
    every_type_is_kept_and_written(NULL);
    numbers_of_json_keep_their_digits(NULL);
    tree *made = read_tree("[1.25]");
    assert_true(tree_node(made)->first->number == 1.25);
    assert_true(comma_is_set()); /* the program has its locale back */
    tree_close(made);
    comma_unset();
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_kept_and_written),
        cmocka_unit_test(numbers_read_back),
        cmocka_unit_test(a_widened_float_is_shown_as_one),
        cmocka_unit_test(numbers_of_json_keep_their_digits),
        cmocka_unit_test(json_of_every_shape_is_read),
        cmocka_unit_test(other_json_is_refused),
        cmocka_unit_test(deep_json_can_be_copied),
        cmocka_unit_test(a_map_has_each_key_once),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(texts_are_utf8_whatever_they_were),
        cmocka_unit_test(results_look_as_ever),
        cmocka_unit_test(a_decimal_comma_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
