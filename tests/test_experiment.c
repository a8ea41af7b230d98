/* Experiments: what plugins get from them, and that every mistake is found at its place before anything runs.
 */
#include "core/experiment/experiment.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct setting {
    char *plugins_folder, *folder; /* of fixtures; of the experiment, with a model's folder and two images */
    registry *plugins;
    experiment_source source; /* of the experiment that is open */
} setting;

static void install(const char *folder, const char *fixture) {
    char *from = text("%s/%s.fixture", TEST_FIXTURES, fixture), *to = text("%s/%s.so", folder, fixture);
    copy_file(from, to);
    free(from);
    free(to);
}

static int open_setting(void **state) {
    static setting made;
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    made.plugins_folder = make_folder();
    made.folder = make_folder();
    install(made.plugins_folder, "sample");
    install(made.plugins_folder, "sample_labels");
    char *model = text("%s/model", made.folder), *image = text("%s/a.jpg", made.folder);
    assert_int_equal(mkdir(model, 0700), 0);
    write_text(image, "only its existence is looked at");
    free(model);
    free(image);
    const char *folders[] = {made.plugins_folder, TEST_PLUGINS};
    hl_error error;
    registry_settings settings = {.folders = folders, .folder_count = 2};
    assert_ok(registry_open(&settings, &made.plugins, &error), error);
    *state = &made;
    return 0;
}

static int close_setting(void **state) {
    setting *made = *state;
    registry_close(made->plugins);
    remove_folder(made->plugins_folder);
    remove_folder(made->folder);
    return 0;
}

static hl_status open_file(setting *made, const char *path, const char *const *sets, size_t count,
                           const experiment_variant *variant, experiment **plan, hl_error *error) {
    *plan = NULL;
    hl_status status = experiment_read(path, sets, count, &made->source, error);
    if (status == HL_OK) status = experiment_open(made->plugins, &made->source, variant, plan, error);
    if (status != HL_OK) experiment_forget(&made->source);
    return status;
}

static void close_plan(setting *made, experiment *plan) {
    experiment_close(plan);
    experiment_forget(&made->source);
}

static hl_status open_text(setting *made, const char *content, experiment **plan, hl_error *error) {
    static char path[512];
    snprintf(path, sizeof path, "%s/a.yaml", made->folder);
    write_text(path, content);
    return open_file(made, path, NULL, 0, NULL, plan, error);
}

#define HEAD   "headlight: 1\nmodel: {path: model}\n"
#define SAMPLE HEAD "analyses:\n  - {plugin: sample"

static const hl_value *value_of(const experiment *plan, const char *name) {
    const experiment_step *step = &plan->analyses[0];
    for (uint32_t i = 0; i < step->plugin->option_count; ++i) {
        if (strcmp(step->plugin->options[i].name, name) == 0) return options_values(step->values)[i];
    }
    fail_msg("no option %s", name);
    return NULL;
}

static void defaults_are_filled_in(void **state) {
    experiment *plan;
    hl_error error;
    assert_ok(open_text(*state, SAMPLE "}\n", &plan, &error), error);
    assert_null(plan->model.plugin);
    assert_null(plan->compute.plugin);
    assert_int_equal(plan->threads, 0);
    assert_null(plan->output);
    assert_int_equal(plan->analysis_count, 1);
    assert_false(value_of(plan, "flag")->boolean);
    assert_int_equal(value_of(plan, "count")->integer, 8);
    assert_true(fabs(value_of(plan, "opacity")->real - 0.6) == 0);
    assert_false(value_of(plan, "note")->given);
    assert_string_equal(value_of(plan, "baseline")->string, "none");
    assert_int_equal(value_of(plan, "words")->count, 2);
    assert_string_equal(value_of(plan, "words")->strings[1], "b");
    assert_string_equal(value_of(plan, "texts")->directions[0]->name, "x");
    assert_false(value_of(plan, "images")->given);
    assert_int_equal(value_of(plan, "images")->count, 0);
    assert_null(options_image(plan->analyses[0].values, 0));
    close_plan(*state, plan);
}

static void values_are_read(void **state) {
    setting *made = *state;
    experiment *plan;
    hl_error error;
    const char *content = "headlight: 1\n"
                          "model: {path: model, plugin: clip-vit}\n"
                          "compute: {backend: reference, threads: 2}\n"
                          "gallery: {images: gallery.json, atlas: ../atlas, dtype: f32}\n"
                          "properties: {extractor: sample-labels, path: labels.json}\n"
                          "output: ../out\n"
                          "analyses:\n"
                          "  - plugin: sample\n"
                          "    flag: true\n"
                          "    count: 64\n"
                          "    opacity: 1e-1\n"
                          "    note: 5\n"
                          "    baseline: mean-of-texts\n"
                          "    file: deep/file.txt\n"
                          "    words: []\n"
                          "    images: a.jpg\n"
                          "    texts: [a red star, \"7\"]\n";
    assert_ok(open_text(made, content, &plan, &error), error);
    assert_string_equal(plan->model.plugin->name, "clip-vit");
    assert_string_equal(plan->compute.plugin->name, "reference");
    assert_int_equal(plan->threads, 2);
    char *out = text("%s/../out", made->folder), *file = text("%s/deep/file.txt", made->folder);
    char *image = text("%s/a.jpg", made->folder);
    assert_string_equal(plan->output, out);
    assert_true(value_of(plan, "flag")->boolean);
    assert_int_equal(value_of(plan, "count")->integer, 64);
    assert_true(fabs(value_of(plan, "opacity")->real - 0.1) == 0);
    assert_string_equal(value_of(plan, "note")->string, "5");
    assert_string_equal(value_of(plan, "baseline")->string, "mean-of-texts");
    assert_int_equal(value_of(plan, "baseline")->integer, 1);
    assert_string_equal(value_of(plan, "file")->string, file);
    assert_int_equal(value_of(plan, "words")->count, 0);
    assert_true(value_of(plan, "words")->given);
    assert_int_equal(value_of(plan, "images")->count, 1);
    assert_string_equal(value_of(plan, "images")->images[0]->name, "a.jpg");
    assert_string_equal(value_of(plan, "images")->images[0]->path, image);
    assert_ptr_equal(options_image(plan->analyses[0].values, 0), value_of(plan, "images")->images[0]);
    assert_null(options_image(plan->analyses[0].values, 1));
    assert_string_equal(value_of(plan, "texts")->directions[1]->name, "7");
    free(out);
    free(file);
    free(image);
    close_plan(*state, plan);
}

static void sets_change_an_experiment(void **state) {
    setting *made = *state;
    char *path = text("%s/a.yaml", made->folder), *image = text("analyses.0.images=[%s/a.jpg]", made->folder);
    write_text(path, SAMPLE "}\n");
    experiment *plan;
    hl_error error;
    const char *good[] = {"compute.backend=reference", "analyses.0.count=3", image};
    assert_ok(open_file(made, path, good, 3, NULL, &plan, &error), error);
    assert_string_equal(plan->compute.plugin->name, "reference");
    assert_int_equal(value_of(plan, "count")->integer, 3);
    close_plan(*state, plan);
    const char *bad[] = {"analyses.0.conut=3"};
    assert_int_equal(open_file(made, path, bad, 1, NULL, &plan, &error), HL_USAGE);
    assert_string_equal(
        error.message, "--set analyses.0.conut=3: sample: unknown option \"conut\"; did you mean \"count\"?");
    free(path);
    free(image);
}

/* What the page's snippets begin with: all but the analyses, sets included. A snippet finds the atlas that is
 * there, and does not overwrite the page. */
static void sections_are_written_out(void **state) {
    setting *made = *state;
    char *path = text("%s/a.yaml", made->folder), *written;
    write_text(path, "# a comment\nheadlight: 1\nanalyses: [{plugin: sample, title: x}]\n"
                     "model: {path: model}\ncompute: {backend: auto, threads: 2}\noutput: \"a: b\"\n"
                     "gallery: {images: g}\n");
    experiment *plan;
    hl_error error;
    const char *sets[] = {"compute.backend=reference"};
    assert_ok(open_file(made, path, sets, 1, NULL, &plan, &error), error);
    assert_ok(experiment_sections(plan, &written, &error), error);
    assert_string_equal(written, "headlight: 1\nmodel: {path: model}\n"
                                 "compute: {backend: reference, threads: 2}\n"
                                 "output: 'a: b/snippet'\ngallery: {images: g, atlas: 'a: b/atlas'}\n");
    free(written);
    close_plan(*state, plan);
    experiment_variant variant = {.name = "fast"}; /* whose page lies in a folder of its name */
    assert_ok(open_file(made, path, NULL, 0, &variant, &plan, &error), error);
    assert_ok(experiment_sections(plan, &written, &error), error);
    assert_non_null(strstr(written, "output: 'a: b/fast/snippet'\n"));
    assert_non_null(strstr(written, "atlas: 'a: b/fast/atlas'"));
    free(written);
    free(path);
    close_plan(*state, plan);
}

/* Beginnings of lines are a.yaml:, which the test adds the folder to. */
static void mistakes_are_named(void **state) {
    static const struct {
        const char *content, *message;
    } cases[] = {
        /* sections */
        {"", "1:1: empty; expected YAML"},
        {"- a\n", "1:1: experiment: expected a mapping of options"},
        {"model: {path: model}\nanalyses: [{plugin: sample}]\n",
         "1:1: experiment: option \"headlight\" is missing: expected the number 1"},
        {"headlight: 2\n", "1:12: option \"headlight\": expected the number 1, got \"2\""},
        {"headlight: 1\nmodle: {path: model}\n",
         "2:1: experiment: unknown option \"modle\"; did you mean \"model\"?"},
        {"headlight: 1\nanalyses: [{plugin: sample}]\n", "1:1: the section \"model\" is missing"},
        {"headlight: 1\nmodel: model\n", "2:8: model: expected a mapping of options"},
        {"headlight: 1\nmodel: {}\n", "2:8: model: option \"path\" is missing: expected a file or folder"},
        {"headlight: 1\nmodel: {path: nowhere}\n", "2:15: the model's folder "},
        {"headlight: 1\nmodel: {path: model, plugni: clip-vit}\n",
         "2:22: model: unknown option \"plugni\"; did you mean \"plugin\"?"},
        {"headlight: 1\nmodel: {path: model, plugin: clip-vti}\n",
         "2:30: unknown model plugin \"clip-vti\"; did you mean \"clip-vit\"?"},
        {HEAD, "1:1: the section \"analyses\" is missing"},
        {HEAD "analyses: []\n", "3:11: analyses: expected a list of at least one mapping"},
        {HEAD "analyses: {plugin: sample}\n", "3:11: analyses: expected a list of at least one mapping"},
        {HEAD "analyses: [sample]\n", "3:12: analysis: expected a mapping of options"},
        {HEAD "analyses: [{count: 3}]\n", "3:12: analysis: option \"plugin\" is missing: expected a text"},
        {HEAD "compute: {backend: referense}\n",
         "3:20: unknown compute plugin \"referense\"; did you mean \"reference\"?"},
        {HEAD "compute: {backend: auto, thraeds: 2}\n",
         "3:26: compute: unknown option \"thraeds\"; did you mean \"threads\"?"},
        {HEAD "compute: {backend: reference, thraeds: 2}\n",
         "3:31: reference: unknown option \"thraeds\"; did you mean \"threads\"?"},
        {HEAD "compute: {threads: -1}\n",
         "3:20: option \"threads\": expected a whole number from 0 to 1024, got \"-1\""},
        {HEAD "gallery: {images: a, dtype: f61}\n",
         "3:29: option \"dtype\": unknown value \"f61\"; did you mean \"f16\"?"},
        {HEAD "gallery: {image: a}\n", "3:11: gallery: unknown option \"image\"; did you mean \"images\"?"},
        {HEAD "properties: {extractor: sample-lables}\n",
         "3:25: unknown extractor plugin \"sample-lables\"; did you mean \"sample-labels\"?"},
        {HEAD "properties: {extractor: sample-labels}\n",
         "3:13: sample-labels: option \"path\" is missing: expected a file or folder"},
        /* names */
        {SAMPLE ", opactiy: 0.5}\n", "4:22: sample: unknown option \"opactiy\"; did you mean \"opacity\"?"},
        {SAMPLE ", imags: a.jpg}\n", "4:22: sample: unknown option \"imags\"; did you mean \"images\"?"},
        {SAMPLE ", base-line: none}\n",
         "4:22: sample: unknown option \"base-line\"; did you mean \"baseline\"?"},
        {SAMPLE ", colour: red}\n",
         "4:22: sample: unknown option \"colour\"; valid are: flag, count, opacity, note"},
        {HEAD "analyses:\n  - {plugin: smaple}\n",
         "4:14: unknown analysis plugin \"smaple\"; did you mean \"sample\"?"},
        /* types and ranges */
        {SAMPLE ", flag: yes}\n", "4:28: option \"flag\": expected true or false, got \"yes\""},
        {SAMPLE ", flag: \"true\"}\n",
         "4:28: option \"flag\": expected true or false, got the text \"true\""},
        {SAMPLE ", count: 0}\n", "4:29: option \"count\": expected a whole number from 1 to 64, got \"0\""},
        {SAMPLE ", count: 65}\n", "4:29: option \"count\": expected a whole number from 1 to 64, got \"65\""},
        {SAMPLE ", count: 1.5}\n",
         "4:29: option \"count\": expected a whole number from 1 to 64, got \"1.5\""},
        {SAMPLE ", count: 0x10}\n",
         "4:29: option \"count\": expected a whole number from 1 to 64, got \"0x10\""},
        {SAMPLE ", count: \"5\"}\n",
         "4:29: option \"count\": expected a whole number from 1 to 64, got the text \"5\""},
        {SAMPLE ", count: 99999999999999999999}\n",
         "4:29: option \"count\": expected a whole number from 1 to 64"},
        {SAMPLE ", count: ~}\n", "4:29: option \"count\": expected a whole number from 1 to 64, got nothing"},
        {SAMPLE ", count: [3]}\n",
         "4:29: option \"count\": expected a whole number from 1 to 64, got a list of 1"},
        {SAMPLE ", opacity: .nan}\n",
         "4:31: option \"opacity\": expected a number from 0 to 1, got \".nan\""},
        {SAMPLE ", opacity: 1.01}\n",
         "4:31: option \"opacity\": expected a number from 0 to 1, got \"1.01\""},
        {SAMPLE ", opacity: 0,5}\n", "4:33: sample: unknown option \"5\""},
        {SAMPLE ", baseline: nome}\n",
         "4:32: option \"baseline\": unknown value \"nome\"; did you mean \"none\"?"},
        {SAMPLE ", title: {a: b}}\n", "4:29: option \"title\": expected a text, got a mapping"},
        {SAMPLE ", texts: [a]}\n", "4:29: option \"texts\": expected a list of 2 texts, got a list of 1"},
        {SAMPLE ", texts: a}\n", "4:29: option \"texts\": expected a list of 2 texts, got \"a\""},
        {SAMPLE ", texts: [a, [b]]}\n",
         "4:33: option \"texts\": expected a list of 2 texts, got a list of 1"},
        {SAMPLE ", words: [a, b, c, d]}\n",
         "4:29: option \"words\": expected a list of 0 to 3 texts, got a list of 4"},
        {SAMPLE ", images: []}\n",
         "4:30: option \"images\": expected a list of image files, got a list of 0"},
        {SAMPLE ", images: [a.jpg, b.jpg]}\n", "4:38: option \"images\": the image "},
        {SAMPLE ", images: [model]}\n", "4:31: option \"images\": "},
        /* heads */
        {SAMPLE ", heads: [L3H5]}\n", "4:30: option \"heads\": expected a list of heads (L3.H5, L3, L8-L11, "
                                      "all or aggregate), got \"L3H5\""},
        {SAMPLE ", heads: [L3.H]}\n", "4:30: option \"heads\": expected a list of heads"},
        {SAMPLE ", heads: [L-1.H0]}\n", "4:30: option \"heads\": expected a list of heads"},
        {SAMPLE ", heads: [L1.H2.H3]}\n", "4:30: option \"heads\": expected a list of heads"},
        {SAMPLE ", heads: [L99999999999]}\n", "4:30: option \"heads\": expected a list of heads"},
        {SAMPLE ", single-heads: [L1, aggregate]}\n",
         "4:41: option \"single-heads\": \"aggregate\" makes sense for heat only"},
        /* YAML itself */
        {HEAD "analyses:\n\t- {plugin: sample}\n", "4:1: a tab: YAML indents with blanks"},
        {HEAD "model: {path: model}\n", "3:1: the key \"model\" is given twice, first at line 2"},
        {SAMPLE ", count: 3, count: 4}\n", "4:32: the key \"count\" is given twice, first at line 4"},
        {SAMPLE "}\n---\nheadlight: 1\n", "5:1: a second document starts here"},
        {SAMPLE ", title: \"\xE9t\xE9\"}\n", "4:31: not UTF-8 text"},
    };
    setting *made = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        experiment *plan;
        hl_error error;
        assert_int_equal(open_text(made, cases[i].content, &plan, &error), HL_USAGE);
        assert_null(plan);
        char *expected = text("%s/a.yaml:%s", made->folder, cases[i].message);
        if (strncmp(error.message, expected, strlen(expected)) != 0) {
            fail_msg("\n%s\nexpected: %s\ngot:      %s", cases[i].content, expected, error.message);
        }
        free(expected);
    }
}

/* ---- Binding to a model ---- */

enum { LAYERS = 2, HEADS = 3, COMPONENTS = LAYERS * (HEADS + 1) };

static const hl_model_info *small_model(void) {
    static hl_component components[COMPONENTS];
    static char names[COMPONENTS][32];
    static hl_model_info info = {.size = sizeof info, .embed_dim = 4, .component_count = COMPONENTS};
    for (int32_t layer = 0, at = 0; layer < LAYERS; ++layer) {
        for (int32_t head = 0; head <= HEADS; ++head, ++at) {
            bool is_head = head < HEADS;
            snprintf(names[at], sizeof names[at], is_head ? "L%d.H%d" : "L%d.MLP", layer, head);
            components[at] = (hl_component){.name = names[at],
                                            .kind = is_head ? HL_HEAD : HL_MLP,
                                            .layer = layer,
                                            .index = is_head ? head : -1};
        }
    }
    info.components = components;
    info.component_size = sizeof *components;
    return &info;
}

static void heads_become_selections(void **state) {
    experiment *plan;
    hl_error error;
    const char *content = SAMPLE ", heads: [L1.H2, aggregate, L1, L1.H2, aggregate], single-heads: all}\n";
    assert_ok(open_text(*state, content, &plan, &error), error);
    const hl_value *heads = value_of(plan, "heads"), *single = value_of(plan, "single-heads");
    assert_int_equal(heads->count, 0);
    assert_ok(options_bind_heads(plan->analyses[0].values, small_model(), &error), error);
    assert_ptr_equal(heads, value_of(plan, "heads"));

    static const char *const names[] = {"L1.H2", "aggregate", "L1.H0", "L1.H1"};
    static const uint32_t first[] = {6, 0, 4, 5};
    assert_int_equal(heads->count, 4);
    for (size_t i = 0; i < 4; ++i) {
        assert_string_equal(heads->selections[i]->name, names[i]);
        assert_int_equal(heads->selections[i]->count, i == 1 ? 6 : 1);
        assert_int_equal(heads->selections[i]->components[0], first[i]);
    }
    static const uint32_t all[] = {0, 1, 2, 4, 5, 6};
    assert_memory_equal(heads->selections[1]->components, all, sizeof all);
    assert_int_equal(single->count, 6);
    assert_string_equal(single->selections[5]->name, "L1.H2");
    close_plan(*state, plan);
}

static void absent_heads_are_named(void **state) {
    static const struct {
        const char *heads, *message;
    } cases[] = {
        {"[L0.H0, L9.H3]", "4:37: sample: the model has no head L9.H3; its heads are L0.H0 to L1.H2"},
        {"L2", "4:29: sample: the model has no heads L2; its heads are L0.H0 to L1.H2"},
        {"[L0.H3]", "4:30: sample: the model has no head L0.H3; its heads are L0.H0 to L1.H2"},
    };
    setting *made = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char *content = text(SAMPLE ", heads: %s}\n", cases[i].heads);
        experiment *plan;
        hl_error error;
        assert_ok(open_text(made, content, &plan, &error), error);
        assert_int_equal(options_bind_heads(plan->analyses[0].values, small_model(), &error), HL_USAGE);
        char *expected = text("%s/a.yaml:%s", made->folder, cases[i].message);
        assert_string_equal(error.message, expected);
        free(expected);
        free(content);
        close_plan(*state, plan);
    }
}

static hl_status encode(void *user, const char *const *texts, size_t count, float *out, hl_error *error) {
    (void)error;
    *(size_t *)user += count;
    for (size_t i = 0; i < count * 4; ++i) out[i] = (float)(texts[i / 4][0] * 10) + (float)(i % 4);
    return HL_OK;
}

static void directions_get_vectors(void **state) {
    experiment *plan;
    hl_error error;
    assert_ok(open_text(*state, SAMPLE "}\n", &plan, &error), error);
    const hl_value *texts = value_of(plan, "texts");
    assert_null(texts->directions[1]->vector);
    size_t encoded = 0;
    direction_encoder encoder = {.user = &encoded, .texts = encode};
    assert_ok(options_bind_directions(plan->analyses[0].values, 4, &encoder, &error), error);
    assert_int_equal(encoded, 2);
    assert_int_equal(texts->directions[1]->vector[3], 'y' * 10 + 3);
    close_plan(*state, plan);
}

static hl_status collect(void *user, const hl_option *option, const hl_value *value,
                         const char *const *written, size_t count, hl_error *error) {
    (void)error;
    assert_true(value->given);
    char *out = user;
    strcat(out, option->name);
    for (size_t i = 0; i < count; ++i) strcat(strcat(out, i ? "," : "="), written[i]);
    strcat(out, ";");
    return HL_OK;
}

static void values_are_shown_as_they_were_written(void **state) {
    experiment *plan;
    hl_error error;
    char out[1024] = "";
    assert_ok(
        open_text(*state, SAMPLE ", heads: [L1, aggregate], opacity: 0.50, images: a.jpg}\n", &plan, &error),
        error);
    assert_ok(options_visit(plan->analyses[0].values, collect, out, &error), error);
    assert_string_equal(out, "flag=false;count=8;opacity=0.50;baseline=none;words=a,b;images=a.jpg;texts=x,y;"
                             "heads=L1,aggregate;single-heads=all;");
    close_plan(*state, plan);
}

static void a_table_becomes_a_page(void **state) {
    setting *made = *state;
    char *page = NULL;
    size_t size;
    FILE *out = open_memstream(&page, &size);
    hl_error error;
    assert_ok(options_document(registry_find(made->plugins, HL_ANALYSIS, "sample"), out, &error), error);
    fclose(out);
    assert_non_null(strstr(page, "analysis/sample 1.0.0\n"));
    assert_non_null(strstr(page, "  opacity     a number from 0 to 1; default 0.6\n              a share\n"));
    assert_non_null(strstr(page, "one of none, mean-of-texts; default none"));
    assert_non_null(strstr(page, "  - {plugin: sample}\n"));
    for (const char *line = page; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    free(page);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(sets_change_an_experiment),
        cmocka_unit_test(sections_are_written_out),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(heads_become_selections),
        cmocka_unit_test(absent_heads_are_named),
        cmocka_unit_test(directions_get_vectors),
        cmocka_unit_test(values_are_shown_as_they_were_written),
        cmocka_unit_test(a_table_becomes_a_page),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
