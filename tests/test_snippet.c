/* The experiments that the page offers to copy: they are YAML that says what was meant, and run by the built
 * command they make the very item that they stand at. */
#include "plugins/reports/html/snippet.c" /* no symbol of a plugin can be linked against */

#include "core/tree/tree.h"
#include "tests/json.h"
#include "tests/support.h"

static tree *read_tree(const char *json) {
    tree *made;
    hl_error error;
    assert_ok(tree_read_json("test", (const uint8_t *)json, strlen(json), NULL, &made, &error), error);
    return made;
}

static tree *tree_of(const cJSON *value) {
    char *json = cJSON_PrintUnformatted(value);
    tree *made = read_tree(json);
    free(json);
    return made;
}

static char *make(const char *sections, const cJSON *analysis, const cJSON *item) {
    char *yaml = NULL;
    hl_error error;
    tree *of = tree_of(analysis), *one = tree_of(item);
    assert_ok(snippet_make(sections, tree_node(of), tree_node(one), &yaml, &error), error);
    tree_close(one);
    tree_close(of);
    return yaml;
}

static void expect(const char *options, const char *item, const char *expected) {
    char *json = text("{\"plugin\":\"p\",\"options\":%s}", options);
    tree *of = read_tree(json), *one = read_tree(item);
    char *yaml = NULL;
    hl_error error;
    assert_ok(snippet_make("", tree_node(of), tree_node(one), &yaml, &error), error);
    assert_string_equal(yaml, expected);
    tree_close(one);
    tree_close(of);
    free(yaml);
    free(json);
}

#define HEAT_OPTIONS                                                                                         \
    "\"images\":[\"a.jpg\",\"b.jpg\"],\"texts\":[\"snow\",\"a "                                              \
    "star\",\"sun\"],\"heads\":[\"L3\",\"aggregate\"]"
#define HEAT_ITEM "{\"image\":\"b.jpg\",\"text\":\"sun\",\"head\":\"L3.H5\"}"

static void test_lists_are_narrowed(void **state) {
    (void)state;
    expect("{" HEAT_OPTIONS ",\"opacity\":0.6,\"mask\":true,\"more\":null}", HEAT_ITEM,
           "analyses:\n- plugin: p\n  images: [b.jpg]\n  texts: [sun]\n  heads: [L3.H5]\n  opacity: 0.6\n"
           "  mask: true\n");
    expect("{" HEAT_OPTIONS "}",
           "{\"image\":\"b.jpg\",\"text\":\"sun\",\"minus\":\"snow\",\"head\":\"aggregate\"}",
           "analyses:\n- plugin: p\n  images: [b.jpg]\n  texts: [sun, snow]\n  heads: [aggregate]\n");
    expect("{\"images\":[\"a.jpg\",\"b.jpg\"],\"properties\":[\"colors\",\"places\"],\"count\":4}",
           "{\"query\":\"b.jpg\",\"query_is_image\":1,\"head\":\"places\"}",
           "analyses:\n- plugin: p\n  images: [b.jpg]\n  properties: [places]\n  count: 4\n");
    expect("{\"texts\":[\"\",\"a\"]}", "{\"text\":\"a\"}", "analyses:\n- plugin: p\n  texts: [a]\n");
    expect("{\"texts\":[\"\",\"a\"]}", "{\"text\":\"\"}", "analyses:\n- plugin: p\n  texts: [\"\"]\n");
    expect("{\"images\":[\"photos/\",\"x.jpg\"],\"texts\":[{\"name\":\"sun\",\"text\":\"a sun\"},\"snow\"]}",
           "{\"image\":\"photos/b.jpg\",\"text\":\"sun\"}",
           "analyses:\n- plugin: p\n  images: [photos/b.jpg]\n  texts: [{name: sun, text: a sun}]\n");
    expect("{\"count\":12345678901234567890,\"opacity\":0.1,\"third\":0.33333333333333331,\"on\":false}",
           "{}",
           "analyses:\n- plugin: p\n  count: 12345678901234567890\n  opacity: 0.1\n  third: "
           "0.33333333333333331\n"
           "  \"on\": false\n");
    expect("{\"texts\":[\"a\",\"b c\"],\"heads\":[\"L1\"]}", "{\"query\":\"b c\",\"head\":\"L1.H0\"}",
           "analyses:\n- plugin: p\n  texts: [b c]\n  heads: [L1.H0]\n");
}

/* A mean over the texts, and colours that are shared, depend on all of them. */
static void test_what_a_picture_depends_on_stays(void **state) {
    (void)state;
    expect(
        "{" HEAT_OPTIONS ",\"baseline\":\"mean-of-texts\"}", HEAT_ITEM,
        "analyses:\n- plugin: p\n  images: [b.jpg]\n  texts: [snow, a star, sun]\n  heads: [L3, aggregate]\n"
        "  baseline: mean-of-texts\n");
    expect(
        "{" HEAT_OPTIONS ",\"scale\":\"shared\"}", HEAT_ITEM,
        "analyses:\n- plugin: p\n  images: [b.jpg]\n  texts: [snow, a star, sun]\n  heads: [L3, aggregate]\n"
        "  scale: shared\n");
    expect("{" HEAT_OPTIONS ",\"baseline\":\"none\",\"scale\":\"each\"}", HEAT_ITEM,
           "analyses:\n- plugin: p\n  images: [b.jpg]\n  texts: [sun]\n  heads: [L3.H5]\n  baseline: none\n"
           "  scale: each\n");
}

static void test_items_of_other_analyses_keep_all(void **state) {
    (void)state;
    expect("{" HEAT_OPTIONS "}", "{\"norm\":3}",
           "analyses:\n- plugin: p\n  images: [a.jpg, b.jpg]\n  texts: [snow, a star, sun]\n"
           "  heads: [L3, aggregate]\n");
    expect("{}", "{}", "analyses:\n- plugin: p\n");
}

static void test_sections_come_first(void **state) {
    (void)state;
    cJSON *analysis = parse_json("{\"plugin\":\"p\",\"options\":{}}"), *item = parse_json("{}");
    char *yaml = make("headlight: 1\nmodel: {path: m}\n", analysis, item);
    assert_string_equal(yaml, "headlight: 1\nmodel: {path: m}\nanalyses:\n- plugin: p\n");
    free(yaml);
    cJSON_Delete(analysis);
    cJSON_Delete(item);
}

/* ---- texts survive ---- */

/* The node of a mapping's key. */
static yaml_node_t *value_of(yaml_document_t *document, yaml_node_t *mapping, const char *key) {
    yaml_node_pair_t *pair = mapping->data.mapping.pairs.start;
    for (; pair < mapping->data.mapping.pairs.top; pair++) {
        yaml_node_t *name = yaml_document_get_node(document, pair->key);
        if (strcmp((const char *)name->data.scalar.value, key) == 0)
            return yaml_document_get_node(document, pair->value);
    }
    fail_msg("no key %s", key);
    return NULL;
}

static yaml_node_t *item_of(yaml_document_t *document, yaml_node_t *list, int index) {
    assert_true(list->data.sequence.items.start + index < list->data.sequence.items.top);
    return yaml_document_get_node(document, list->data.sequence.items.start[index]);
}

/* Whatever a text is, it reads back as that text, and as a text: in quotes where a reader could take it for
 * something else. */
static void test_texts_read_back(void **state) {
    (void)state;
    static const char *const texts[] = {"a red star",
                                        "it's",
                                        "say \"cheese\"",
                                        "#1",
                                        "a: b",
                                        "a #b",
                                        "- a",
                                        "[x]",
                                        "{x}",
                                        "true",
                                        "No",
                                        "~",
                                        "null",
                                        "12",
                                        "1e3",
                                        ".5",
                                        "a, b",
                                        "a]",
                                        " lead",
                                        "trail ",
                                        "tab\there",
                                        "line\nbreak",
                                        "back\\slash",
                                        "%",
                                        "@",
                                        "`",
                                        "&a",
                                        "*a",
                                        "!a",
                                        "|",
                                        ">",
                                        "?",
                                        "-",
                                        "",
                                        "\xc3\xa9toile \xe2\x98\x83",
                                        "\xf0\x9f\x98\x80",
                                        "\x01",
                                        "\x7f",
                                        "<&>",
                                        "y",
                                        "off",
                                        "L3.H5",
                                        "../a b/c-d_e.jpg"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cJSON *analysis = parse_json("{\"plugin\":\"p\",\"options\":{}}"), *item = parse_json("{}");
        cJSON *options = cJSON_GetObjectItem(analysis, "options");
        cJSON_AddItemToObject(options, "texts", cJSON_CreateStringArray(&texts[i], 1));
        cJSON_AddStringToObject(options, "note", texts[i]);
        char *yaml = make("", analysis, item);
        yaml_parser_t parser;
        yaml_document_t document;
        assert_true(yaml_parser_initialize(&parser));
        yaml_parser_set_input_string(&parser, (const unsigned char *)yaml, strlen(yaml));
        if (!yaml_parser_load(&parser, &document)) fail_msg("%s\n%s", parser.problem, yaml);
        yaml_node_t *root = yaml_document_get_root_node(&document);
        yaml_node_t *first = item_of(&document, value_of(&document, root, "analyses"), 0);
        yaml_node_t *listed = item_of(&document, value_of(&document, first, "texts"), 0);
        yaml_node_t *alone = value_of(&document, first, "note");
        assert_string_equal((const char *)listed->data.scalar.value, texts[i]);
        assert_string_equal((const char *)alone->data.scalar.value, texts[i]);
        bool plain = listed->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        bool simple = !strcmp(texts[i], "a red star") || !strcmp(texts[i], "L3.H5");
        if (simple) assert_true(plain);
        if (strspn(texts[i], "0123456789.e") == strlen(texts[i]) || !strcmp(texts[i], "true") ||
            !strcmp(texts[i], "No") || !strcmp(texts[i], "null") || !strcmp(texts[i], "~"))
            assert_false(plain);
        yaml_document_delete(&document);
        yaml_parser_delete(&parser);
        free(yaml);
        cJSON_Delete(analysis);
        cJSON_Delete(item);
    }
}

/* ---- run by the command ---- */

static cJSON *run_experiment(const char *folder, const char *name, const char *yaml) {
    char *path = text("%s/%s.yaml", folder, name), *out = text("%s/%s", folder, name), *errors = NULL;
    write_text(path, yaml);
    int status = run_command(NULL, &errors, "run", path, "--out", out, NULL);
    if (status != 0) fail_msg("%s\n%s", errors, yaml);
    char *results = text("%s/results.json", out);
    cJSON *root = read_json(results);
    free(results);
    free(errors);
    free(out);
    free(path);
    return root;
}

/* All but the names of files, which are numbered. */
static void expect_same_item(const cJSON *expected, const cJSON *got) {
    cJSON *one = cJSON_Duplicate(expected, true), *other = cJSON_Duplicate(got, true);
    static const char *const names[] = {"png", "mask_png", "mask_npy", "heat_npy"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(cJSON_HasObjectItem(one, names[i]), cJSON_HasObjectItem(other, names[i]));
        cJSON_DeleteItemFromObject(one, names[i]);
        cJSON_DeleteItemFromObject(other, names[i]);
    }
    if (!cJSON_Compare(one, other, true)) fail_msg("%s\n%s", cJSON_Print(one), cJSON_Print(other));
    cJSON_Delete(one);
    cJSON_Delete(other);
}

#define MINI TEST_SOURCE "/configs/mini/"

static const char sections[] = "headlight: 1\n"
                               "model: {path: " MINI "model}\n"
                               "compute: {backend: reference}\n"
                               "gallery: {images: list.txt, atlas: atlas}\n"
                               "properties: {extractor: labels-file, path: " MINI "labels.json}\n";

static const char analyses[] =
    "analyses:\n"
    "  - {plugin: topic-segmentation, images: [" MINI "gallery/scene-258.jpg, " MINI "gallery/scene-095.jpg],"
    " texts: [a red star, \"true\", 'snow: #1'], heads: [aggregate, L3], mask: true}\n"
    "  - {plugin: topic-segmentation, images: [" MINI "gallery/scene-258.jpg], texts: [a red star, snow],"
    " baseline: mean-of-texts}\n"
    "  - {plugin: contrastive-segmentation, images: [" MINI "gallery/scene-095.jpg, " MINI
    "gallery/scene-258.jpg], texts: [a red star, a green ring], heads: [aggregate, L3.H5]}\n"
    "  - {plugin: image-neighbors, images: [" MINI "gallery/scene-095.jpg], heads: [L2], count: 2}\n"
    "  - {plugin: text-neighbors, texts: [lava, snow], heads: [L2.H1, L3.H5], count: 2, metric: cosine}\n"
    "  - {plugin: property-neighbors, images: [" MINI "gallery/scene-095.jpg], properties: [colors, places],"
    " count: 2}\n";

/* Every fifth item of every analysis: its experiment makes it again, and where a picture stands alone,
 * nothing else. */
static void test_an_experiment_makes_its_item_again(void **state) {
    (void)state;
    char *folder = make_folder(), *list = text("%s/list.txt", folder),
         *whole = text("%s%s", sections, analyses);
    write_text(list,
               MINI "gallery/scene-001.jpg\n" MINI "gallery/scene-002.jpg\n" MINI "gallery/scene-003.jpg\n");
    cJSON *root = run_experiment(folder, "whole", whole);
    const cJSON *analysis = NULL;
    int made = 0;
    cJSON_ArrayForEach(analysis, cJSON_GetObjectItem(root, "analyses")) {
        const cJSON *items = cJSON_GetObjectItem(analysis, "results");
        for (int i = 1; i < cJSON_GetArraySize(items); i += 5) {
            const cJSON *item = cJSON_GetArrayItem(items, i);
            char *yaml = make(sections, analysis, item), *name = text("made-%d", made++);
            cJSON *again = run_experiment(folder, name, yaml);
            const cJSON *results =
                cJSON_GetObjectItem(cJSON_GetObjectItem(again, "analyses")->child, "results");
            bool baseline = strstr(yaml, "mean-of-texts") != NULL;
            assert_int_equal(cJSON_GetArraySize(results), baseline ? 2 : 1);
            expect_same_item(item, cJSON_GetArrayItem(results, baseline ? 1 : 0));
            cJSON_Delete(again);
            free(name);
            free(yaml);
        }
    }
    assert_true(made >= 10);
    cJSON_Delete(root);
    free(whole);
    free(list);
    remove_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lists_are_narrowed),
        cmocka_unit_test(test_what_a_picture_depends_on_stays),
        cmocka_unit_test(test_items_of_other_analyses_keep_all),
        cmocka_unit_test(test_sections_come_first),
        cmocka_unit_test(test_texts_read_back),
        cmocka_unit_test(test_an_experiment_makes_its_item_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
