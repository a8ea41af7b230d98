/* Variants of which some lack their weights, and the page that compares those that are left by what their
 * extractors found, also where their models have other heads. Through the built command. */
#include "tests/mini.h"
#include "tests/support.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TINY_A TEST_GOLDEN "/tiny-a/model"
#define TINY_B TEST_GOLDEN "/tiny-b/model" /* 4 layers x 4 heads */

static const char *const analyses =
    "headlight: 1\n"
    "model: {path: nowhere}\n" /* as it stands nothing is run */
    "compute: {backend: reference}\n"
    "analyses:\n"
    "  - {plugin: topic-segmentation, images: [" TEST_GOLDEN "/images/gray.png],\n"
    "     texts: [a red circle], heads: [L1]}\n";

typedef struct workshop {
    char *folder, *experiment, *out;
    char *printed, *errors;
    int status;
} workshop;

static workshop open_workshop(const char *head, const char *variants) {
    workshop made = {.folder = make_folder()};
    made.experiment = text("%s/experiment.yaml", made.folder);
    made.out = text("%s/out", made.folder);
    char *content = text("%svariants:\n%s", head, variants);
    write_text(made.experiment, content);
    free(content);
    return made;
}

static void run(workshop *made, const char *check) {
    free(made->printed);
    free(made->errors);
    made->status =
        check ? run_command(&made->printed, &made->errors, "run", check, made->experiment, "--out", made->out,
                            NULL)
              : run_command(&made->printed, &made->errors, "run", made->experiment, "--out", made->out, NULL);
}

static void close_workshop(workshop *made) {
    free(made->experiment);
    free(made->out);
    free(made->printed);
    free(made->errors);
    remove_folder(made->folder);
}

static void make_subfolder(const workshop *made, const char *name) {
    char *path = text("%s/%s", made->folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static void put(const workshop *made, const char *name, const char *from) {
    char *path = text("%s/%s", made->folder, name);
    copy_file(from, path);
    free(path);
}

static cJSON *overview_of(const workshop *made) {
    char *path = text("%s/results.json", made->out);
    cJSON *tree = read_json(path);
    free(path);
    return tree;
}

static void need_words(const char *in, const char *words) {
    if (!strstr(in, words)) fail_msg("expected \"%s\" in: %s", words, in);
}

/* ---- what is skipped ---- */

#define THREE_AWAY                                                                                           \
    "  - {name: here, optional: true, set: {model.path: " TINY_A "}}\n"                                      \
    "  - {name: gone, optional: true, set: {model.path: models/gone}}\n"                                     \
    "  - {name: bare, optional: true, set: {model.path: models/bare}}\n"                                     \
    "  - {name: empty, optional: true, set: {model.path: models/empty}}\n"

static void make_models(const workshop *made) {
    make_subfolder(made, "models");
    make_subfolder(made, "models/bare");
    make_subfolder(made, "models/empty");
    put(made, "models/bare/open_clip_config.json", TINY_A "/open_clip_config.json");
}

static void need_lines(const workshop *made) {
    static const char *const names[] = {"gone", "bare", "empty"};
    for (size_t i = 0; i < COUNT(names); ++i) {
        char *line = text("variant \"%s\" is skipped, for its weights are not there: ", names[i]);
        char *folder = text("%s/models/%s", made->folder, names[i]);
        need_words(made->errors, line);
        need_words(made->errors, folder);
        free(line);
        free(folder);
    }
    need_words(made->errors, "/models/gone is where they go");
    need_words(made->errors, "no open_clip_model.safetensors");
}

static void variants_without_weights_are_skipped(void **state) {
    (void)state;
    workshop made = open_workshop(analyses, THREE_AWAY);
    make_models(&made);
    run(&made, "--check");
    assert_int_equal(made.status, 0);
    need_lines(&made);
    assert_false(file_exists(made.out));
    run(&made, NULL);
    if (made.status != 0) fail_msg("%s", made.errors);
    need_lines(&made);
    cJSON *overview = overview_of(&made);
    const cJSON *skipped = cJSON_GetObjectItem(overview, "skipped_variants");
    assert_int_equal(cJSON_GetArraySize(skipped), 3);
    assert_string_equal(field(skipped->child, "variant"), "gone");
    assert_string_equal(field(skipped->child, "place"), "models/gone");
    assert_string_equal(field(skipped->child, "reason"), "its weights are not there");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(overview, "reports")), 1);
    char *page = text("%s/report.html", made.out), *html = read_file(page, NULL);
    need_words(html, "models/gone");
    need_words(html, "3 variants were not run");
    free(page);
    free(html);
    cJSON_Delete(overview);
    close_workshop(&made);
}

static void with_nothing_left_the_run_fails(void **state) {
    (void)state;
    workshop made =
        open_workshop(analyses, "  - {name: gone, optional: true, set: {model.path: models/gone}}\n"
                                "  - {name: lost, optional: true, set: {model.path: models/lost}}\n");
    static const char *const checks[] = {"--check", NULL};
    for (size_t i = 0; i < COUNT(checks); ++i) {
        run(&made, checks[i]);
        assert_int_equal(made.status, 1);
        need_words(made.errors, "variant \"gone\" is skipped");
        need_words(made.errors, "variant \"lost\" is skipped");
        need_words(made.errors, "all of its 2 variants are skipped");
        assert_false(file_exists(made.out));
    }
    close_workshop(&made);
}

static void so_are_those_without_a_gallery(void **state) {
    (void)state;
    workshop made =
        open_workshop(analyses, "  - {name: here, set: {model.path: " TINY_A "}}\n"
                                "  - name: away\n    optional: true\n    set:\n      model.path: " TINY_A
                                "\n      gallery: {images: photos}\n");
    run(&made, NULL);
    if (made.status != 0) fail_msg("%s", made.errors);
    need_words(made.errors, "variant \"away\" is skipped, for its gallery is not there: ");
    need_words(made.errors, "/photos is where it goes");
    cJSON *overview = overview_of(&made);
    const cJSON *skipped = cJSON_GetObjectItem(overview, "skipped_variants")->child;
    assert_string_equal(field(skipped, "reason"), "its gallery is not there");
    assert_string_equal(field(skipped, "place"), "photos");
    cJSON_Delete(overview);
    close_workshop(&made);
}

static void what_is_there_and_broken_is_an_error(void **state) {
    (void)state;
    static const struct {
        const char *variants, *says;
        int status;
    } cases[] = {
        {"  - {name: a, optional: true, set: {model.path: experiment.yaml}}\n",
         "experiment.yaml is no folder", 2},
        {"  - {name: a, optional: true, set: {model.path: experiment.yaml/model}}\n", "does not exist", 2},
        {"  - {name: a, optional: true, set: {model.path: models/cut}}\n", "open_clip_model.safetensors", 1},
        {"  - {name: a, optional: true, set: {model.path: models/unnamed}}\n", "no open_clip_config.json", 2},
        {"  - {name: a, optional: true, set: {model.path: " TINY_A "}}\n"
         "  - {name: b, set: {model.path: models/gone}}\n",
         ":9:33: the model's folder", 2},
        {"  - {name: a, optional: true, set: {model.path: " TINY_A "}}\n"
         "  - {name: b, set: {model.path: models/bare}}\n",
         "no open_clip_model.safetensors", 2},
        {"  - {name: a, optional: maybe, set: {model.path: " TINY_A "}}\n",
         "option \"optional\": expected true", 2},
        {"  - {name: a, optional: true, set: {model.path: models/gone, compute.backend: none}}\n",
         "unknown compute plugin", 2},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        workshop made = open_workshop(analyses, cases[i].variants);
        make_models(&made);
        make_subfolder(&made, "models/cut");
        make_subfolder(&made, "models/unnamed");
        put(&made, "models/cut/open_clip_config.json", TINY_A "/open_clip_config.json");
        put(&made, "models/cut/open_clip_model.safetensors", TINY_A "/open_clip_config.json");
        put(&made, "models/unnamed/open_clip_model.safetensors", TINY_A "/open_clip_model.safetensors");
        run(&made, NULL);
        if (made.status != cases[i].status || !strstr(made.errors, cases[i].says)) {
            fail_msg("case %zu: status %d: %s", i, made.status, made.errors);
        }
        assert_false(file_exists(made.out));
        close_workshop(&made);
    }
}

/* ---- what is compared ---- */

static void install_scores(const char *folder) {
    char *to = text("%s/sample_scores.so", folder);
    copy_file(TEST_FIXTURES "/sample_scores.fixture", to);
    setenv("HEADLIGHT_PLUGIN_PATH", folder, 1);
    free(to);
}

static const cJSON *item_called(const cJSON *overview, const char *schema, const char *title) {
    const cJSON *item;
    cJSON_ArrayForEach(item, cJSON_GetObjectItem(overview, "comparison")) {
        if (strcmp(field(item, "schema"), schema) == 0 && strcmp(field(item, "title"), title) == 0)
            return item;
    }
    fail_msg("no %s \"%s\"", schema, title);
    return NULL;
}

static const cJSON *points_of(const cJSON *chart, int series) {
    return cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(chart, "series"), series), "points");
}

static const char *const scored = "headlight: 1\n"
                                  "model: {path: nowhere}\n"
                                  "compute: {backend: reference}\n"
                                  "extractors:\n"
                                  "  - {name: labels, plugin: labels-file, path: a.json}\n"
                                  "  - {name: scores, plugin: sample-scores, from: labels}\n";
#define TWO_MODELS                                                                                           \
    "  - {name: a, set: {model.path: " MINI "}}\n"                                                           \
    "  - {name: b, set: {model.path: " TINY_B ", extractors.0.path: b.json}}\n"                              \
    "  - {name: \"null\", set: {model.path: " TINY_B                                                         \
    ", model.random-weights: 5, extractors.0.path: b.json}}\n"

static void scores_of_other_models_stand_side_by_side(void **state) {
    (void)state;
    workshop made = open_workshop(scored, TWO_MODELS);
    char *a = text("%s/a.json", made.folder), *b = text("%s/b.json", made.folder);
    install_scores(made.folder);
    write_text(a, "{\"heads\": {\"L0.H0\": \"colors\", \"L2.H7\": \"shapes\"}}");
    write_text(b, "{\"heads\": {\"L3.H3\": \"shapes\", \"L3.H2\": \"shapes\", \"L0.H0\": \"places\"}}");
    run(&made, NULL);
    if (made.status != 0) fail_msg("%s", made.errors);
    cJSON *overview = overview_of(&made);
    const cJSON *scores = cJSON_GetObjectItem(overview, "scores"), *bars;
    assert_int_equal(cJSON_GetArraySize(scores), 3);
    assert_string_equal(field(scores->child->next, "variant"), "b");
    assert_string_equal(field(scores->child->next, "step"), "scores");
    assert_string_equal(field(scores->child->next, "score"), "labels");
    assert_true(number_of(scores->child, "value") == 2 && number_of(scores->child->next, "value") == 3);
    assert_true(number_of(scores->child, "parameters") == 838912);
    bars = item_called(overview, "chart", "scores: labels of each variant");
    assert_string_equal(field(bars, "kind"), "bar");
    assert_int_equal(cJSON_GetArraySize(points_of(bars, 0)), 3);
    const cJSON *sizes = item_called(overview, "chart", "scores: labels against model size");
    assert_int_equal(cJSON_GetArraySize(points_of(sizes, 0)), 2);
    assert_true(number_of(points_of(sizes, 0)->child, "x") == 0.838912);
    assert_string_equal(field(points_of(sizes, 1)->child, "label"), "null");
    const cJSON *layers = item_called(overview, "chart", "scores: sure by layer");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(layers, "series")), 3);
    assert_true(number_of(points_of(layers, 1)->child, "high") == 3);
    const cJSON *rows =
        cJSON_GetObjectItem(item_called(overview, "table", "labels: heads with each property"), "rows");
    assert_string_equal(field(rows->child, "property"), "shapes");
    assert_true(number_of(rows->child, "a") == 1 && number_of(rows->child, "b") == 2);
    const cJSON *map = item_called(overview, "head-map", "labels: heads of b");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(map, "heads")), 3);
    cJSON_Delete(overview);
    free(a);
    free(b);
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    close_workshop(&made);
}

/* An analysis' table of numbers has the rows of all variants. */
static void tables_of_analyses_become_one(void **state) {
    (void)state;
    workshop made =
        open_workshop("headlight: 1\n"
                      "model: {path: " MINI "}\n"
                      "compute: {backend: reference}\n"
                      "gallery: {images: gallery.json}\n"
                      "analyses: [{plugin: zero-shot, title: Where, keys: [place]}]\n",
                      "  - {name: learned}\n  - {name: random, set: {model.random-weights: 1}}\n");
    char *list = text("%s/gallery.json", made.folder), *gallery = text("%s/gallery", made.folder);
    put_scenes(gallery, 0, 4);
    write_text(list, "[{\"path\": \"gallery/scene-000.jpg\", \"place\": \"snow\"},"
                     " {\"path\": \"gallery/scene-001.jpg\", \"place\": \"lava\"},"
                     " {\"path\": \"gallery/scene-002.jpg\", \"place\": \"snow\"},"
                     " {\"path\": \"gallery/scene-003.jpg\", \"place\": \"lava\"}]");
    run(&made, NULL);
    if (made.status != 0) fail_msg("%s", made.errors);
    cJSON *overview = overview_of(&made);
    const cJSON *table = cJSON_GetObjectItem(overview, "comparison")->child;
    assert_string_equal(field(table, "schema"), "table");
    assert_ptr_equal(strstr(field(table, "title"), "Where: "), field(table, "title"));
    const cJSON *row = cJSON_GetObjectItem(table, "rows")->child;
    assert_string_equal(row->child->string, "variant");
    assert_string_equal(field(row, "variant"), "learned");
    assert_string_equal(field(row->next, "variant"), "random");
    assert_true(number_of(row->next, "accuracy") >= 0);
    cJSON_Delete(overview);
    free(list);
    free(gallery);
    close_workshop(&made);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_without_weights_are_skipped),
        cmocka_unit_test(so_are_those_without_a_gallery),
        cmocka_unit_test(with_nothing_left_the_run_fails),
        cmocka_unit_test(what_is_there_and_broken_is_an_error),
        cmocka_unit_test(scores_of_other_models_stand_side_by_side),
        cmocka_unit_test(tables_of_analyses_become_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
