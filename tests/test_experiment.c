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
    install(made.plugins_folder, "sample_spans");
    install(made.plugins_folder, "sample_naming");
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
#define CHAIN  HEAD "gallery: {images: .}\n"
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

/* As the core schema of YAML 1.2 has them. */
static void scalars_are_those_of_yaml(void **state) {
    static const struct {
        const char *options;
        bool flag;
        int64_t count;
        double opacity;
    } cases[] = {
        {"flag: True, count: +1, opacity: .5", true, 1, 0.5},
        {"flag: TRUE, count: 007, opacity: 1e-3", true, 7, 1e-3},
        {"flag: False, count: 64, opacity: +.25", false, 64, 0.25},
        {"flag: FALSE, count: 2, opacity: 1.", false, 2, 1},
        {"flag: false, count: 2, opacity: 5E-1, note: ~, parts: Null, file: NULL", false, 2, 0.5},
        {"flag: &x true, count: 2, opacity: 0, note: *x", true, 2, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        char *content = text(SAMPLE ", %s}\n", cases[i].options);
        experiment *plan;
        hl_error error;
        assert_ok(open_text(*state, content, &plan, &error), error);
        assert_int_equal(value_of(plan, "flag")->boolean, cases[i].flag);
        assert_int_equal(value_of(plan, "count")->integer, cases[i].count);
        assert_true(fabs(value_of(plan, "opacity")->real - cases[i].opacity) < 1e-15);
        assert_int_equal(value_of(plan, "note")->given, i == 5);
        free(content);
        close_plan(*state, plan);
    }
}

static void lists_may_be_empty_where_that_is_said(void **state) {
    experiment *plan;
    hl_error error;
    assert_ok(open_text(*state, SAMPLE ", extras: []}\n", &plan, &error), error);
    assert_true(value_of(plan, "extras")->given);
    assert_int_equal(value_of(plan, "extras")->count, 0);
    close_plan(*state, plan);
    assert_ok(open_text(*state, SAMPLE ", extras: [a, b]}\n", &plan, &error), error);
    assert_int_equal(value_of(plan, "extras")->count, 2);
    close_plan(*state, plan);
    assert_int_equal(open_text(*state, SAMPLE ", extras: [a]}\n", &plan, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "expected a list of 2 to 3 texts, got a list of 1"));
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
    assert_string_equal(error.message,
                        "--set analyses.0.conut: sample: unknown option \"conut\"; did you mean \"count\"?");
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
        {"headlight: 1\nmodel: {}\n",
         "2:8: expected either path, the model's folder, or name, of one at home"},
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
        {SAMPLE ", heads: [L1-L0]}\n", "4:30: option \"heads\": L1-L0 goes backwards; write L0-L1"},
        {SAMPLE ", heads: [L0.MLP]}\n", "4:30: option \"heads\": \"L0.MLP\" goes beyond heads"},
        {SAMPLE ", heads: [input]}\n", "4:30: option \"heads\": \"input\" goes beyond heads"},
        {SAMPLE ", heads: [embedding]}\n", "4:30: option \"heads\": \"embedding\" goes beyond heads"},
        {SAMPLE ", heads: [L1 - L0]}\n", "4:30: option \"heads\": takes heads one by one, no sums"},
        {SAMPLE ", parts: [aggregate]}\n", "4:30: option \"parts\": \"aggregate\" makes sense for heat only"},
        {SAMPLE ", parts: [L1.mlp]}\n", "4:30: option \"parts\": expected a list of heads (L3.H5, L3, "
                                        "L8-L11, all, L3.MLP, input, embedding or "
                                        "a sum such as 0.7*L3.H5 + L2.H1), got \"L1.mlp\""},
        {SAMPLE ", parts: [L1 + inputs]}\n", "4:30: option \"parts\": in the sum \"L1 + inputs\": expected "
                                             "L3.H5, L3, L8-L11, all, L3.MLP or input"},
        {SAMPLE ", opacity: .inf}\n",
         "4:31: option \"opacity\": expected a number from 0 to 1, got \".inf\""},
        {SAMPLE ", opacity: 1e}\n", "4:31: option \"opacity\": expected a number from 0 to 1, got \"1e\""},
        {SAMPLE ", count: 1e1}\n",
         "4:29: option \"count\": expected a whole number from 1 to 64, got \"1e1\""},
        {SAMPLE ", <<: {count: 1}}\n", "4:22: <<, which merges another mapping in"},
        {HEAD "on-error: sotp\n",
         "3:11: option \"on-error\": unknown value \"sotp\"; did you mean \"stop\"?"},
        /* extractors */
        {HEAD "extractors: {a: 1}\n", "3:13: extractors: expected a list of steps"},
        {HEAD "extractors: []\n", "1:1: the section \"analyses\" is missing"},
        {HEAD "extractors: [{plugin: sample-spans}]\n",
         "3:14: extractor: option \"name\" is missing: expected a text"},
        {HEAD "extractors: [{name: a, plugin: sample-spams}]\n",
         "3:32: unknown extractor plugin \"sample-spams\"; did you mean \"sample-spans\"?"},
        {HEAD "extractors: [{name: a, plugin: sample-spans, haeds: all}]\n",
         "3:46: sample-spans: unknown option \"haeds\"; did you mean \"heads\"?"},
        {HEAD "extractors: [{name: a, plugin: sample-spans}]\n",
         "3:14: sample-spans asks about a gallery: add gallery: {images: FOLDER}"},
        {CHAIN "extractors: [{name: a, plugin: sample-spans}, {name: a, plugin: sample-spans}]\n",
         "4:54: another step is called \"a\" already"},
        {CHAIN "extractors: [{name: a, plugin: sample-naming}]\n",
         "4:14: sample-naming builds on descriptions of an earlier step: add from: NAME"},
        {CHAIN "extractors: [{name: a, plugin: sample-naming, from: b}, {name: b, plugin: sample-spans}]\n",
         "4:53: unknown step \"b\"; no extractor is named before it"},
        {CHAIN
         "extractors: [{name: spans, plugin: sample-spans}, {name: b, plugin: sample-naming, from: span}]\n",
         "4:90: unknown step \"span\"; did you mean \"spans\"?"},
        {CHAIN "extractors: [{name: l, plugin: sample-labels, path: x, from: l}]\n",
         "4:62: unknown step \"l\""},
        {CHAIN "extractors: [{name: s, plugin: sample-spans}, {name: l, plugin: sample-labels, path: x, "
               "from: s}]\n",
         "4:95: sample-labels builds on no other step: take `from` away"},
        {CHAIN "extractors: [{name: l, plugin: sample-labels, path: x}, {name: n, plugin: sample-naming, "
               "from: l}]\n",
         "4:96: sample-naming builds on descriptions, and the step \"l\" gives labels"},
        {CHAIN "extractors: [{name: spans, plugin: sample-spans}]\nproperties: spams\n",
         "5:13: unknown step \"spams\"; did you mean \"spans\"?"},
        {CHAIN "extractors: [{name: spans, plugin: sample-spans}]\nproperties: spans\n",
         "5:13: sample-spans gives descriptions, and `properties` needs labels"},
        {CHAIN "properties: {extractor: sample-naming}\n",
         "4:13: sample-naming builds on descriptions of an earlier step"},
        {CHAIN "properties: ~\n", "4:13: properties: expected a mapping of options"},
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

enum { LAYERS = 2, HEADS = 3, COMPONENTS = LAYERS * (HEADS + 1) + 1 };

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
    components[COMPONENTS - 1] = (hl_component){.name = "input", .kind = HL_INPUT, .layer = -1, .index = -1};
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

/* MLPs, the input and the embedding; ranges, alone and in sums; weights of both signs. */
static void all_components_become_selections(void **state) {
    static const struct {
        const char *name;
        uint32_t kind;
        size_t count;
        uint32_t components[6];
        double weights[6]; /* all 0: none */
    } expected[] = {
        {"L0.MLP", HL_COMPONENTS, 1, {3}, {0}},
        {"input", HL_COMPONENTS, 1, {8}, {0}},
        {"embedding", HL_EMBEDDING, 0, {0}, {0}},
        {"L0.H0", HL_COMPONENTS, 1, {0}, {0}},
        {"L0.H1", HL_COMPONENTS, 1, {1}, {0}},
        {"L0.H2", HL_COMPONENTS, 1, {2}, {0}},
        {"L1.H0", HL_COMPONENTS, 1, {4}, {0}},
        {"L1.H1", HL_COMPONENTS, 1, {5}, {0}},
        {"L1.H2", HL_COMPONENTS, 1, {6}, {0}},
        {"L0-L1 - 0.5*L1.MLP", HL_COMPONENTS, 7, {0, 1, 2, 4, 5, 6}, {1, 1, 1, 1, 1, 1}},
        {"-L1.H2", HL_COMPONENTS, 1, {6}, {-1}},
        {"-2e0*L0.H0-L1.H2 + -0.5 * input", HL_COMPONENTS, 3, {0, 6, 8}, {-2, -1, -0.5}},
        {"L1.H0 - L1.H1", HL_COMPONENTS, 2, {4, 5}, {1, -1}},
    };
    experiment *plan;
    hl_error error;
    const char *content =
        SAMPLE ", parts: [L0.MLP, input, embedding, L0-L1, L1-L1, L0-L1 - 0.5*L1.MLP, -L1.H2, embedding,"
               " '-2e0*L0.H0-L1.H2  + -0.5 * input', L1.H0 - L1.H1, -1*L1.H1 + L1.H0]}\n";
    assert_ok(open_text(*state, content, &plan, &error), error);
    assert_ok(options_bind_heads(plan->analyses[0].values, small_model(), &error), error);
    const hl_value *parts = value_of(plan, "parts");
    assert_int_equal(parts->count, sizeof expected / sizeof *expected);
    for (size_t i = 0; i < parts->count; ++i) {
        const hl_selection *got = parts->selections[i];
        assert_string_equal(got->name, expected[i].name);
        assert_int_equal(got->kind, expected[i].kind);
        assert_int_equal(got->count, expected[i].count);
        bool weighted = fabs(expected[i].weights[0]) > 0;
        assert_int_equal(got->weights != NULL, weighted);
        for (size_t j = 0; j < got->count && j < 6; ++j) {
            assert_int_equal(got->components[j], expected[i].components[j]);
            if (weighted) assert_true(fabs(got->weights[j] - expected[i].weights[j]) < 1e-15);
        }
    }
    assert_true(fabs(parts->selections[9]->weights[6] + 0.5) < 1e-15);
    close_plan(*state, plan);
}

static void absent_heads_are_named(void **state) {
    static const struct {
        const char *heads, *message;
    } cases[] = {
        {"[L0.H0, L9.H3]", "4:37: sample: the model has no head L9.H3; its heads are L0.H0 to L1.H2"},
        {"L2", "4:29: sample: the model has no heads L2; its heads are L0.H0 to L1.H2"},
        {"[L0.H3]", "4:30: sample: the model has no head L0.H3; its heads are L0.H0 to L1.H2"},
        {"[L1-L2]", "4:30: sample: the model has no heads L2; its heads are L0.H0 to L1.H2"},
        {"[all], parts: [L2.MLP]", "4:44: sample: the model has no L2.MLP; its MLPs are L0.MLP to L1.MLP"},
        {"[all], parts: [L0 - L0.MLP - 2*L0.MLP]", "4:44: sample: L0.MLP is twice in the sum \"L0 - L0.MLP - "
                                                   "2*L0.MLP\"; name it once, with its weight"},
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

/* ---- the chain of extractors ---- */

static void extractors_are_a_chain(void **state) {
    experiment *plan;
    hl_error error;
    const char *content =
        CHAIN "extractors:\n"
              "  - {name: spans, plugin: sample-spans, heads: [L1], texts: [{name: x, text: y}]}\n"
              "  - {name: labels, plugin: sample-naming, from: spans}\n"
              "properties: labels\nanalyses: []\n";
    assert_ok(open_text(*state, content, &plan, &error), error);
    assert_int_equal(plan->analysis_count, 0);
    assert_int_equal(plan->extractor_count, 2);
    assert_string_equal(plan->extractors[0].name, "spans");
    assert_int_equal(plan->extractors[0].from_count, 0);
    assert_int_equal(plan->extractors[1].from_count, 1);
    assert_ptr_equal(plan->extractors[1].from[0], &plan->extractors[0]);
    assert_ptr_equal(plan->properties, &plan->extractors[1]);
    /* its options are bound like an analysis's */
    assert_ok(options_bind_heads(plan->extractors[0].values, small_model(), &error), error);
    const hl_value *const *values = options_values(plan->extractors[0].values);
    assert_int_equal(values[0]->count, HEADS);
    assert_string_equal(values[1]->directions[0]->name, "x");
    close_plan(*state, plan);

    /* the short form builds on a named step as well */
    assert_ok(open_text(*state,
                        CHAIN "extractors: [{name: spans, plugin: sample-spans}]\n"
                              "properties: {extractor: sample-naming, from: spans}\n",
                        &plan, &error),
              error);
    assert_int_equal(plan->extractor_count, 2);
    assert_null(plan->extractors[1].name);
    assert_int_equal(plan->properties->from_count, 1);
    assert_ptr_equal(plan->properties->from[0], &plan->extractors[0]);
    close_plan(*state, plan);
}

/* ---- tables that make no sense ---- */

static void senseless_rows_are_named(void **state) {
    (void)state;
    static const char *const none[] = {NULL};
#define ROW(NAME, FALLBACK, ...)                                                                             \
    { .name = (NAME), .help = "h", .fallback = (FALLBACK), __VA_ARGS__ }
    static const struct {
        uint32_t kind;
        hl_option row;
        const char *message;
    } cases[] = {
        {HL_COMPUTE, ROW("x", "~", .type = HL_HEADS),
         "option \"x\" is of type HL_HEADS, which makes no sense for a plugin of kind compute"},
        {HL_COMPUTE, ROW("x", "~", .type = HL_DIRECTIONS),
         "type HL_DIRECTIONS, which makes no sense for a plugin of kind compute"},
        {HL_MODEL, ROW("x", "~", .type = HL_IMAGES),
         "type HL_IMAGES, which makes no sense for a plugin of kind model"},
        {HL_REPORT, ROW("x", "~", .type = HL_PROPERTIES),
         "type HL_PROPERTIES, which makes no sense for a plugin of kind report"},
        {HL_EXTRACTOR, ROW("x", "~", .type = HL_PROPERTIES),
         "type HL_PROPERTIES, which makes no sense for a plugin of kind extractor"},
        {HL_COMPUTE, ROW("threads", "~", .type = HL_INT),
         "option \"threads\" has a name that the section of a plugin of kind compute has taken"},
        {HL_EXTRACTOR, ROW("from", "~", .type = HL_INT), "option \"from\" has a name"},
        {HL_ANALYSIS, ROW("title", "~", .type = HL_STRING), "option \"title\" has a name"},
        {HL_MODEL, ROW("path", "~", .type = HL_PATH), "option \"path\" has a name"},
        {HL_ANALYSIS, ROW("x", "~", .type = HL_INT, .flags = HL_OPTION_SETS),
         "option \"x\" has a flag that means nothing for its type"},
        {HL_ANALYSIS, ROW("x", "~", .type = HL_IMAGES, .flags = HL_OPTION_AGGREGATE),
         "option \"x\" has a flag that means nothing for its type"},
        {HL_ANALYSIS, ROW("x", "~", .type = HL_STRINGS, .flags = 1u << 9),
         "option \"x\" has a flag that means nothing for its type"},
        {HL_ANALYSIS, ROW("x", "~", .type = HL_STRINGS, .min = -1, .max = 2),
         "option \"x\" has a length below 0 among its bounds"},
        {HL_ANALYSIS, ROW("x", "~", .type = HL_CHOICE, .choices = none), "option \"x\" has no choices"},
        {HL_ANALYSIS, ROW("X", "~", .type = HL_INT), "option 0 has no name of lower case letters"},
        {HL_ANALYSIS, ROW("x", "[L1.MLP]", .type = HL_HEADS), "\"L1.MLP\" goes beyond heads"},
        {HL_ANALYSIS, ROW("x", "[]", .type = HL_HEADS), "got a list of 0"},
        {HL_ANALYSIS, ROW("x", "[]", .type = HL_HEADS, .flags = HL_OPTION_MAY_BE_EMPTY), NULL},
        {HL_ANALYSIS, ROW("x", "~", .type = HL_PROPERTIES), NULL},
        {HL_EXTRACTOR, ROW("title", "~", .type = HL_IMAGES), NULL},
        {HL_COMPUTE, ROW("path", "~", .type = HL_PATH), NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        hl_plugin plugin = {.kind = cases[i].kind, .name = "p", .options = &cases[i].row, .option_count = 1};
        hl_error error;
        hl_status status = options_check(&plugin, &error);
        if (!cases[i].message) {
            assert_ok(status, error);
        } else if (status != HL_USAGE || !strstr(error.message, cases[i].message)) {
            fail_msg("case %zu: status %d: %s\nexpected: %s", i, status, error.message, cases[i].message);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_filled_in),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(scalars_are_those_of_yaml),
        cmocka_unit_test(lists_may_be_empty_where_that_is_said),
        cmocka_unit_test(sets_change_an_experiment),
        cmocka_unit_test(sections_are_written_out),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(heads_become_selections),
        cmocka_unit_test(all_components_become_selections),
        cmocka_unit_test(absent_heads_are_named),
        cmocka_unit_test(directions_get_vectors),
        cmocka_unit_test(values_are_shown_as_they_were_written),
        cmocka_unit_test(a_table_becomes_a_page),
        cmocka_unit_test(extractors_are_a_chain),
        cmocka_unit_test(senseless_rows_are_named),
    };
    return cmocka_run_group_tests(tests, open_setting, close_setting);
}
