/* YAML as experiments need it: what is read, what is refused and where, and --set. */
#include "core/io/yaml.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>

static const char *value_of(const yaml_node *node) {
    assert_non_null(node);
    assert_int_equal(node->type, YAML_TEXT);
    return node->text;
}

static hl_status parse(const char *content, size_t count, yaml_file **file, hl_error *error) {
    return yaml_parse("a.yaml", (const uint8_t *)content, count, file, error);
}

static void reads_a_document(void **state) {
    (void)state;
    const char *content = "# a comment\n"
                          "model: {path: mini/model}\n"
                          "analyses:\n"
                          "  - plugin: sample\n"
                          "    texts: [a red star, \"5\"]\n"
                          "same: &here [1, 2]\n"
                          "again: *here\n";
    yaml_file *file;
    hl_error error;
    assert_ok(parse(content, strlen(content), &file, &error), error);
    const yaml_node *root = yaml_root(file);
    assert_string_equal(value_of(yaml_get(yaml_get(root, "model"), "path")), "mini/model");
    const yaml_node *item = yaml_item(yaml_get(root, "analyses"), 0);
    assert_null(yaml_item(yaml_get(root, "analyses"), 1));
    assert_string_equal(value_of(yaml_item(yaml_get(item, "texts"), 1)), "5");
    assert_string_equal(value_of(yaml_item(yaml_get(root, "again"), 1)), "2");
    assert_int_equal(root->count, 4);
    assert_string_equal(value_of(root->keys[3]), "again");
    assert_null(yaml_get(root, "nothing"));
    assert_int_equal(yaml_fail(item, &error, "expected %d", 3), HL_USAGE);
    assert_string_equal(error.message, "a.yaml:4:5: expected 3");
    yaml_close(file);
}

static void a_byte_order_mark_is_no_content(void **state) {
    (void)state;
    yaml_file *file;
    hl_error error;
    assert_ok(parse("\xEF\xBB\xBF"
                    "a: 1\nb: 2\n",
                    13, &file, &error),
              error);
    assert_string_equal(value_of(yaml_get(yaml_root(file), "a")), "1");
    assert_string_equal(value_of(yaml_get(yaml_root(file), "b")), "2");
    yaml_close(file);
}

/* Nine levels of nine: three quarters of a billion nodes in a few lines. */
static const char billion_laughs[] = "a: &a [lol,lol,lol,lol,lol,lol,lol,lol,lol]\n"
                                     "b: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"
                                     "c: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"
                                     "d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n"
                                     "e: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\n"
                                     "f: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n"
                                     "g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f]\n"
                                     "h: &h [*g,*g,*g,*g,*g,*g,*g,*g,*g]\n"
                                     "i: &i [*h,*h,*h,*h,*h,*h,*h,*h,*h]\n";

static void bad_input_is_refused_with_its_place(void **state) {
    (void)state;
    static const struct {
        const char *content;
        size_t count; /* 0: up to the NUL */
        const char *message;
    } cases[] = {
        {"", 0, "a.yaml:1:1: empty; expected YAML"},
        {"# only a comment\n", 0, "a.yaml:1:1: empty; expected YAML"},
        {"a: 1\n---\nb: 2\n", 0, "a.yaml:2:1: a second document starts here"},
        {"a: 1\n...\n---\nb: 2\n", 0, "a.yaml:3:1: a second document starts here"},
        {"a: 1\nb: 2\na: 3\n", 0, "a.yaml:3:1: the key \"a\" is given twice, first at line 1: remove one"},
        {"x:\n  - {k: 1, k: 2}\n", 0,
         "a.yaml:2:12: the key \"k\" is given twice, first at line 2: remove one"},
        {"model:\n\tpath: x\n", 0, "a.yaml:2:1: a tab: YAML indents with blanks"},
        {"model:\n  path: x\n\tplugin: y\n", 0, "a.yaml:3:1: a tab: YAML indents with blanks"},
        {"model:\n  \tpath: x\n   plugin: y\n", 0, "a.yaml:2:3: a tab: YAML indents with blanks"},
        {"a: [1, 2\nb: 3\n", 0,
         "a.yaml:2:2: not YAML: did not find expected ',' or ']' while parsing a flow sequence"},
        {"a: &m {b: 1}\nc:\n  <<: *m\n", 0, "a.yaml:3:3: <<, which merges another mapping in"},
        {"a: 1\nb 2\nc: 3\n", 0, "a.yaml:2:1: not YAML: expected \"KEY: VALUE\", but there is no ':'"},
        {"a: \"open\n", 0,
         "a.yaml:2:1: not YAML: found unexpected end of stream while scanning a quoted scalar"},
        {"a: *nobody\n", 0, "a.yaml:1:4: not YAML: found undefined alias"},
        {"a: &x [1, *x]\n", 0, "a.yaml:1:4: contains itself by an alias"},
        {"a: !python/object 1\n", 0, "a.yaml:1:4: the tag \"!python/object\" has no meaning here"},
        {"? [a, b]\n: 1\n", 0, "a.yaml:1:3: a key must be plain text"},
        {"a: \"x\\0y\"\n", 0, "a.yaml:1:4: the text contains a NUL character"},
        {"a: 1\nb: gr\xFC\n", 0, "a.yaml:2:6: not UTF-8 text: "},
        {"\xFF\xFE"
         "a\0:\0",
         6, "a.yaml:1:1: not UTF-8 text: "},
        {"a: 1\0b: 2\n", 10, "a.yaml:1:5: not UTF-8 text: "},
        {billion_laughs, 0, "too much: more than 10000 nodes, aliases counted as what they stand for"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        yaml_file *file;
        hl_error error;
        size_t count = cases[i].count ? cases[i].count : strlen(cases[i].content);
        assert_int_equal(parse(cases[i].content, count, &file, &error), HL_USAGE);
        assert_null(file);
        if (!strstr(error.message, cases[i].message)) {
            fail_msg("case %zu: expected \"%s\", got \"%s\"", i, cases[i].message, error.message);
        }
    }
}

/* `unit` count times, between two texts. */
static char *repeated(const char *begin, const char *unit, size_t count, const char *end) {
    size_t length = strlen(unit);
    char *out = calloc(1, strlen(begin) + count * length + strlen(end) + 1);
    assert_non_null(out);
    char *at = stpcpy(out, begin);
    for (size_t i = 0; i < count; ++i) at = stpcpy(at, unit);
    stpcpy(at, end);
    return out;
}

static void sizes_are_limited(void **state) {
    (void)state;
    char *inner = repeated("", "[", 33, ""), *deep = repeated(inner, "]", 33, "\n");
    char *deepest = repeated("", "[", 900, "\n"), *long_list = repeated("[", "1,", 10000, "1]\n");
    char *anchors = repeated("[", "&a a,", 100000, "1]\n");
    const struct {
        const char *content, *message;
    } cases[] = {
        {deep, "a.yaml:1:33: nested deeper than 32 levels"},
        {deepest, "a.yaml:1:33: nested deeper than 32 levels"},
        {long_list, "too much: more than 10000 nodes"},
        {anchors, "too long: expected at most 10000 nodes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        yaml_file *file;
        hl_error error;
        assert_int_equal(parse(cases[i].content, strlen(cases[i].content), &file, &error), HL_USAGE);
        if (!strstr(error.message, cases[i].message)) fail_msg("case %zu: %s", i, error.message);
    }
    free(inner);
    free(deep);
    free(deepest);
    free(long_list);
    free(anchors);
}

static hl_status open_file(const char *path, const char *const *sets, size_t count, yaml_file **file,
                           const yaml_node **root, hl_error *error) {
    hl_status status = yaml_read(path, file, error);
    if (status != HL_OK) return status;
    *root = yaml_root(*file);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        status = yaml_set(*file, *root, "--set", sets[i], root, error);
    }
    if (status == HL_OK) return HL_OK;
    yaml_close(*file);
    *file = NULL;
    return status;
}

static void files_are_limited(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/large.yaml", folder),
         *missing = text("%s/none.yaml", folder);
    char *content = repeated("", "# a line of no use\n", 60000, "a: 1\n");
    write_text(path, content);
    yaml_file *file;
    const yaml_node *root;
    hl_error error;
    assert_int_equal(open_file(path, NULL, 0, &file, &root, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "large.yaml: larger than 1048576 bytes"));
    assert_int_equal(open_file(missing, NULL, 0, &file, &root, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "none.yaml: cannot be opened: No such file"));
    assert_int_equal(open_file(folder, NULL, 0, &file, &root, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "not a regular file but a folder"));
    free(content);
    free(path);
    free(missing);
    remove_folder(folder);
}

/* ---- --set ---- */

static const char base[] = "model: &m {path: mini}\n"
                           "again: *m\n"
                           "list: [{count: 1}, {count: 2}]\n";

static hl_status open_with(const char *folder, const char *const *sets, size_t count, yaml_file **file,
                           const yaml_node **root, hl_error *error) {
    char *path = text("%s/a.yaml", folder);
    write_text(path, base);
    hl_status status = open_file(path, sets, count, file, root, error);
    free(path);
    return status;
}

static void sets_change_the_document(void **state) {
    (void)state;
    const char *sets[] = {"list.1.count=7", "compute.backend=reference", "model.path=other",
                          "list.2={count: [3]}", "note=a=b"};
    char *folder = make_folder();
    yaml_file *file;
    const yaml_node *root;
    hl_error error;
    assert_ok(open_with(folder, sets, 5, &file, &root, &error), error);
    const yaml_node *list = yaml_get(root, "list");
    assert_string_equal(value_of(yaml_get(yaml_item(list, 0), "count")), "1");
    assert_string_equal(value_of(yaml_get(yaml_item(list, 1), "count")), "7");
    assert_string_equal(value_of(yaml_item(yaml_get(yaml_item(list, 2), "count"), 0)), "3");
    assert_string_equal(value_of(yaml_get(yaml_get(root, "compute"), "backend")), "reference");
    assert_string_equal(value_of(yaml_get(root, "note")), "a=b");

    /* What an alias stands for elsewhere stays as it was. */
    const yaml_node *path = yaml_get(yaml_get(root, "model"), "path");
    assert_string_equal(value_of(path), "other");
    const yaml_node *again = yaml_get(yaml_get(root, "again"), "path");
    assert_string_equal(value_of(again), "mini");

    /* A path in the file is relative to the file, one in a set to the working directory. */
    char *resolved = yaml_resolve(path, path->text), *beside = yaml_resolve(again, again->text),
         *expected = text("%s/mini", folder);
    assert_string_equal(resolved, "other");
    assert_string_equal(beside, expected);
    yaml_fail(path, &error, "wrong");
    assert_string_equal(error.message, "--set model.path: wrong");
    free(resolved);
    free(beside);
    free(expected);
    yaml_close(file);
    remove_folder(folder);
}

static void wrong_sets_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *set, *message;
    } cases[] = {
        {"model.path", "--set model.path: expected PATH=VALUE"},
        {"=3", "--set =3: expected PATH=VALUE"},
        {"model.path=", "--set model.path: empty; expected YAML"},
        {"model.path=[a", "--set model.path: not YAML: "},
        {"list.3=1", "--set list.3: \"3\" is no item of the list; it has 2, counted from 0"},
        {"list.x.count=1", "--set list.x.count: \"x\" is no item of the list"},
        {"model.path.deeper=1", "--set model.path.deeper: there is no \"deeper\" here"},
        {"a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a=1",
         "nested deeper than 32 levels"},
    };
    char *folder = make_folder();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        yaml_file *file;
        const yaml_node *root;
        hl_error error;
        assert_int_equal(open_with(folder, &cases[i].set, 1, &file, &root, &error), HL_USAGE);
        assert_null(file);
        if (!strstr(error.message, cases[i].message)) fail_msg("%s: %s", cases[i].set, error.message);
    }
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_a_document),
        cmocka_unit_test(a_byte_order_mark_is_no_content),
        cmocka_unit_test(bad_input_is_refused_with_its_place),
        cmocka_unit_test(sizes_are_limited),
        cmocka_unit_test(files_are_limited),
        cmocka_unit_test(sets_change_the_document),
        cmocka_unit_test(wrong_sets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
