/* Heads that are used or not, from YAML to results.json, through the built command and the real plugins: the
 * spurious gallery repaired as other code found (PyTorch in double precision on the same files and texts),
 * and heads that are silenced by their scores. */
#include "tests/mini.h"
#include "tests/tables.h"

#include <stdlib.h>
#include <string.h>

#define SPURIOUS TEST_SOURCE "/configs/spurious"
#define ON(GALLERY)                                                                                          \
    "model: {path: " MINI "}\ncompute: {backend: openblas, threads: 2}\n"                                    \
    "gallery: {images: " GALLERY "/gallery.json}\n"
#define LABELS   "properties: {extractor: labels-file, path: " MINI_FOLDER "/labels.json}\n"
#define BY_WORDS "classes: " SPURIOUS "/classes.txt, groups: [main.shapes, places]"

static char *plugins;

static void install(const char *name) {
    char *from = text("%s/%s.fixture", TEST_FIXTURES, name), *to = text("%s/%s.so", plugins, name);
    copy_file(from, to);
    free(from);
    free(to);
}

static int open_setting(void **state) {
    (void)state;
    plugins = make_folder();
    install("sample_ccs");
    setenv("HEADLIGHT_PLUGIN_PATH", plugins, 1);
    return 0;
}

static int close_setting(void **state) {
    (void)state;
    remove_folder(plugins);
    return 0;
}

static void the_worst_group_is_repaired_without_the_heads_of_places(void **state) {
    (void)state;
    outcome got = run_in(make_folder(), ON(SPURIOUS) LABELS,
                         "  - {plugin: use-heads, " BY_WORDS
                         ", without: [places], reruns: true, images: 240, draws: 0}\n"
                         "  - {plugin: use-heads, " BY_WORDS ", without: [places], draws: 5}\n");
    need_success(&got);
    const cJSON *row = row_of(item_of(&got, 0, "from codes, the"), "ablated", "without places", NULL, NULL);
    need_near(number_of(row, "before"), 0.8458, 0.0043, "before");
    need_near(number_of(row, "accuracy"), 0.9833, 0.0043, "accuracy");
    need_near(number_of(row, "worst group before"), 0.0333, 0.034, "the worst group before");
    need_near(number_of(row, "worst group"), 0.9, 0.034, "the worst group");
    assert_string_equal(field(row, "which"), "ring, snow");
    row = row_of(item_of(&got, 0, "by reruns over"), "ablated", "without places", NULL, NULL);
    need_near(number_of(row, "accuracy"), 0.9375, 0.0085, "accuracy by reruns");
    need_near(number_of(row, "worst group"), 0.5333, 0.034, "the worst group by reruns");
    row = row_of(item_of(&got, 0, "each group"), "group", "heart, water", NULL, NULL);
    need_near(number_of(row, "nothing"), 0.7333, 0.034, "hearts on water before");
    need_near(number_of(row, "without places"), 1, 0.034, "hearts on water");
    assert_int_equal(number_of(row, "images"), 30);
    row = row_of(item_of(&got, 1, "from codes, the"), "ablated", "without places", NULL, NULL);
    assert_true(number_of(row, "random worst group") < 0.5);
    end(&got);
}

/* Words that do not lean on the place need no repair: it is the words, and the heads of places, that do it.
 */
static void without_the_cue_nothing_is_to_be_repaired(void **state) {
    (void)state;
    outcome got =
        run_in(make_folder(), ON(SPURIOUS) LABELS,
               "  - {plugin: use-heads, classes: " SPURIOUS
               "/plain.txt, groups: [main.shapes, places], without: [places], without-heads: [L3.H0 + "
               "L3.H4], only: [1*L3 + L2, L2.MLP + L3], drop-mlps: true}\n");
    need_success(&got);
    const cJSON *table = item_of(&got, 0, "from codes, the");
    const cJSON *row = row_of(table, "ablated", "without places, without MLPs and input", NULL, NULL);
    assert_true(number_of(row, "worst group before") > 0.95);
    assert_int_equal(number_of(row, "others"), 5);
    row_of(table, "ablated", "without all of these, without MLPs and input", NULL, NULL);
    row = row_of(table, "ablated", "only 1*L3 + L2, without MLPs and input", NULL, NULL);
    assert_int_equal(number_of(row, "heads"), 16);
    end(&got);
}

static void heads_are_silenced_by_their_scores(void **state) {
    (void)state;
    static const char head[] = ON(
        MINI_FOLDER) "extractors:\n"
                     "  - {name: labels, plugin: labels-file, path: " MINI_FOLDER "/labels.json}\n"
                     "  - {name: marks, plugin: sample-ccs, from: labels, high: places, moderate: numbers}\n"
                     "properties: labels\n";
    outcome got = run_in(make_folder(), head,
                         "  - {plugin: pruning, classes: " MINI_FOLDER
                         "/classes.txt, keys: [places], scores: marks, ablate: zero}\n"
                         "  - {plugin: pruning, classes: " MINI_FOLDER
                         "/classes.txt, keys: [places], ablate: zero, rows: all, reruns: true, images: 20, "
                         "draws: 1}\n");
    need_success(&got);
    const cJSON *table = item_of(&got, 0, "set to zero, from codes");
    const cJSON *row = row_of(table, "ablated", "high consistency", NULL, NULL);
    assert_int_equal(number_of(row, "heads"), 9);
    need_near(number_of(row, "accuracy"), 0.655, 0.0051, "without the heads of places");
    assert_true(number_of(row, "random") > 0.7);
    assert_int_equal(number_of(row_of(table, "ablated", "moderate consistency", NULL, NULL), "heads"), 2);
    assert_int_equal(number_of(row_of(table, "ablated", "low consistency", NULL, NULL), "heads"), 21);
    row_of(item_of(&got, 1, "by reruns over 20 images"), "ablated", "high consistency", NULL, NULL);
    assert_int_equal(
        cJSON_GetArraySize(cJSON_GetObjectItem(item_of(&got, 0, "by which heads are silenced"), "heads")),
        32);
    end(&got);
}

/* A study goes on where a group, or each of them, has no heads. */
static void groups_without_heads_are_left_out(void **state) {
    (void)state;
    static const char head[] =
        ON(MINI_FOLDER) "extractors:\n"
                        "  - {name: labels, plugin: labels-file, path: " MINI_FOLDER "/labels.json}\n"
                        "  - {name: marks, plugin: sample-ccs, from: labels, high: "
                        "tastes, moderate: smells}\n";
    outcome got =
        run_in(make_folder(), head,
               "  - {plugin: pruning, classes: " MINI_FOLDER "/classes.txt, keys: [places]}\n"
               "  - {plugin: pruning, classes: " MINI_FOLDER "/classes.txt, keys: [places], score: other}\n");
    need_success(&got);
    const cJSON *heads = item_of(&got, 0, "Heads by their score");
    assert_int_equal(number_of(row_of(heads, "group", "high consistency", NULL, NULL), "heads"), 0);
    assert_int_equal(number_of(row_of(heads, "group", "low consistency", NULL, NULL), "heads"), 32);
    const cJSON *table = item_of(&got, 0, "from codes");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(table, "rows")), 1);
    row_of(table, "ablated", "low consistency", "classes", "places");
    end(&got);
}

static void expect(const char *head, const char *analysis, int status, const char *words) {
    char *list = text("  - {%s}\n", analysis);
    outcome got = run_in(make_folder(), head, list);
    need_failure(&got, status, words);
    free(list);
    end(&got);
}

static void what_names_no_heads_is_refused(void **state) {
    (void)state;
    static const char labelled[] = ON(SPURIOUS) LABELS;
    static const char chain[] =
        ON(SPURIOUS) "extractors:\n"
                     "  - {name: labels, plugin: labels-file, path: " MINI_FOLDER "/labels.json}\n";
    expect(labelled, "plugin: use-heads, " BY_WORDS, 2, "names no heads");
    expect(labelled, "plugin: use-heads, " BY_WORDS ", only: [embedding]", 2, "embedding is all there is");
    expect(labelled, "plugin: use-heads, " BY_WORDS ", without: [tastes]", 1, "tastes");
    expect(labelled, "plugin: use-heads, groups: [other], " BY_WORDS, 2, "groups");
    expect(labelled, "plugin: pruning, " BY_WORDS, 2, "no step of the experiment");
    expect(chain, "plugin: pruning, " BY_WORDS ", scores: labels", 2,
           "the step labels gives no score \"ccs\"");
    expect(chain, "plugin: pruning, " BY_WORDS ", scores: nowhere", 2, "nowhere");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_worst_group_is_repaired_without_the_heads_of_places),
        cmocka_unit_test(without_the_cue_nothing_is_to_be_repaired),
        cmocka_unit_test(heads_are_silenced_by_their_scores),
        cmocka_unit_test(groups_without_heads_are_left_out),
        cmocka_unit_test(what_names_no_heads_is_refused),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
