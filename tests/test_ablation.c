/* Ablations from YAML to results.json, through the built command and the real plugins, against what other
 * code found: PyTorch in double precision, the mini model's own architecture (tools/mini/train.py) with the
 * checkpoint's weights over the gallery's scenes as Pillow decodes them, contributions by the formulas of the
 * method, true reruns with a head's output replaced in the pass. An image may change sides. */
#include "tests/experiment.h"
#include "tests/mini.h"
#include "tests/tables.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define CLASSES MINI_FOLDER "/classes.txt"
#define ON_MINI                                                                                              \
    "model: {path: " MINI "}\ncompute: {backend: openblas, threads: 2}\n"                                    \
    "gallery: {images: " MINI_FOLDER "/gallery.json, atlas: " TEST_BUILD "/tests/ablation-atlas}\n"          \
    "properties: {extractor: labels-file, path: " MINI_FOLDER "/labels.json}\n"
#define ALL_PROPERTIES "properties: [colors, patterns, places, weather, numbers, sizes]"

static const cJSON *find_row(const cJSON *item, const char *ablated, const char *classes) {
    return row_of(item, "ablated", ablated, "classes", classes);
}

static const struct {
    const char *property, *key;
    double mean, zero; /* from codes, 400 images */
    double some, rerun_mean,
        rerun_zero;     /* 100 of them: mean from codes; by reruns mean in the pooled row, zero in all */
    bool beyond_random; /* with draws of the same layers */
} truth[] = {
    {"colors", "main.colors", 0.7275, 0.7050, 0.69, 0.76, 0.73, true},
    {"patterns", "main.patterns", 0.4725, 0.4750, 0.45, 0.51, 0.62, true},
    {"places", "places", 0.6750, 0.6550, 0.70, 0.70, 0.62, true},
    {"weather", "weather", 0.9175, 0.9350, 0.92, 0.91, 0.99, false}, /* 8 of its 9 heads are all of layer 0 */
    {"numbers", "main.numbers", 0.86, 0.86, 0.84, 0.86, 0.87, true},
    {"sizes", "main.sizes", 0.5950, 0.6200, 0.55, 0.75, 0.74, true},
};

static void a_propertys_heads_cost_its_factor_what_other_code_found(void **state) {
    (void)state;
    outcome got = run_in(make_folder(), ON_MINI,
                         "  - {plugin: ablation, classes: " CLASSES ", " ALL_PROPERTIES "}\n"
                         "  - {plugin: ablation, classes: " CLASSES ", " ALL_PROPERTIES ", ablate: zero}\n");
    need_success(&got);
    const cJSON *mean = item_of(&got, 0, "by their mean"), *zero = item_of(&got, 1, "set to zero");
    for (size_t i = 0; i < COUNT(truth); ++i) {
        const cJSON *row = find_row(mean, truth[i].property, truth[i].key);
        need_near(number_of(row, "accuracy"), truth[i].mean, 0.0051, truth[i].key);
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(row, "own")));
        assert_int_equal(number_of(row, "draws"), 3);
        assert_int_equal(number_of(row, "accuracy") < number_of(row, "random"), truth[i].beyond_random);
        row = find_row(zero, truth[i].property, truth[i].key);
        need_near(number_of(row, "accuracy"), truth[i].zero, 0.0051, truth[i].key);
        assert_int_equal(number_of(row, "accuracy") < number_of(row, "random"), truth[i].beyond_random);
    }
    assert_false(cJSON_IsTrue(cJSON_GetObjectItem(find_row(mean, "colors", "places"), "own")));
    item_of(&got, 0, "Accuracy lost");
    end(&got);
}

static void reruns_find_what_other_code_found(void **state) {
    (void)state;
    static const char analyses[] =
        "  - {plugin: ablation, classes: " CLASSES ", " ALL_PROPERTIES
        ", reruns: true, images: 100, draws: 0}\n"
        "  - {plugin: ablation, classes: " CLASSES ", properties: [patterns, weather]"
        ", reruns: true, images: 100, draws: 0, ablate: zero, rows: all}\n"
        "  - {plugin: ablation, classes: " CLASSES
        ", keys: [main.patterns], heads: [L2.MLP], reruns: true, images: 100}\n"
        "  - {plugin: ablation, classes: " CLASSES
        ", keys: [main.patterns], heads: [L2.MLP + L3.MLP], reruns: true, images: 100, ablate: zero, rows: "
        "all}\n";
    outcome got = run_in(make_folder(), ON_MINI, analyses);
    need_success(&got);
    for (size_t i = 0; i < COUNT(truth); ++i) {
        const cJSON *row = find_row(item_of(&got, 0, "by reruns"), truth[i].property, truth[i].key);
        need_near(number_of(row, "from codes"), truth[i].some, 0.011, truth[i].key);
        need_near(number_of(row, "accuracy"), truth[i].rerun_mean, 0.011, truth[i].key);
        double same = number_of(row, "same answers");
        assert_true(same >= 1 - fabs(truth[i].some - truth[i].rerun_mean) - 0.5 && same <= 1);
        if (i != 1 && i != 3) continue;
        row = find_row(item_of(&got, 1, "by reruns"), truth[i].property, truth[i].key);
        need_near(number_of(row, "accuracy"), truth[i].rerun_zero, 0.011, truth[i].key);
    }
    const cJSON *mlp = find_row(item_of(&got, 2, "by reruns"), "L2.MLP", "main.patterns");
    need_near(number_of(mlp, "accuracy"), 0.87, 0.011, "L2.MLP by its mean");
    assert_int_equal(number_of(mlp, "others"), 1);
    mlp = find_row(item_of(&got, 3, "by reruns"), "L2.MLP + L3.MLP", "main.patterns");
    need_near(number_of(mlp, "accuracy"), 0.80, 0.011, "two MLPs set to zero");
    const cJSON *all = cJSON_GetArrayItem(cJSON_GetObjectItem(item_of(&got, 0, "How far"), "rows"), 0);
    assert_int_equal(number_of(all, "images"), 100);
    assert_true(number_of(all, "same answers") > 0.8 && number_of(all, "accuracies apart, mean") < 0.1);
    end(&got);
}

static void need_series(const outcome *got, int analysis, const char *const *cases, const double *expected,
                        size_t count) {
    const cJSON *item = item_of(got, analysis, "from codes");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "rows")), count);
    for (size_t i = 0; i < count; ++i) {
        need_near(number_of(find_row(item, cases[i], "places"), "accuracy"), expected[i], 0.0051, cases[i]);
    }
}

static void ablated_from_the_front_places_fall_as_other_code_found(void **state) {
    (void)state;
    static const char *const heads[] = {"heads up to layer 0", "heads up to layer 1", "heads up to layer 2",
                                        "heads up to layer 3"};
    static const char *const after[] = {
        "MLPs and input", "MLPs, input and heads up to layer 0", "MLPs, input and heads up to layer 1",
        "MLPs, input and heads up to layer 2", "MLPs, input and heads up to layer 3"};
    outcome got = run_in(
        make_folder(), ON_MINI,
        "  - {plugin: ablation, classes: " CLASSES ", keys: [places], cumulative: attention, draws: 1}\n"
        "  - {plugin: ablation, classes: " CLASSES ", keys: [places], cumulative: attention-after-mlps}\n"
        "  - {plugin: ablation, classes: " CLASSES ", keys: [places], cumulative: layers}\n"
        "  - {plugin: ablation, classes: " CLASSES ", keys: [places], cumulative: mlps}\n");
    need_success(&got);
    need_series(&got, 0, heads, (double[]){1, 0.865, 0.2125, 0.0525}, 4);
    need_series(&got, 1, after, (double[]){1, 1, 0.97, 0.455, 0.11}, 5);
    const cJSON *chart = item_of(&got, 1, "while the front is ablated"), *series;
    assert_string_equal(field(chart, "kind"), "line");
    series = cJSON_GetArrayItem(cJSON_GetObjectItem(chart, "series"), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(series, "points")), 6);
    find_row(item_of(&got, 2, "from codes"), "heads and MLPs up to layer 3", "places");
    find_row(item_of(&got, 3, "from codes"), "MLPs up to layer 3", "places");
    end(&got);
}

/* Draws: the same with the same seed, others with another; as many heads of each layer, and not its own where
 * there are others. */
static void draws_depend_on_the_seed_alone(void **state) {
    (void)state;
#define SINGLE                                                                                               \
    "  - {plugin: ablation, classes: " CLASSES ", keys: [main.colors], properties: [colors], draws: 5"
    char *folder = make_folder();
    outcome got = run_in(folder, ON_MINI,
                         SINGLE "}\n" SINGLE ", seed: 1}\n" SINGLE ", seed: 77}\n" SINGLE ", match: any}\n");
    need_success(&got);
    char *rows[4];
    for (int i = 0; i < 4; ++i) {
        const cJSON *row = find_row(item_of(&got, i, "from codes"), "colors", "main.colors");
        assert_int_equal(number_of(row, "heads shared"), 0);
        rows[i] = cJSON_PrintUnformatted(row);
    }
    assert_string_equal(rows[0], rows[1]);
    assert_string_not_equal(rows[0], rows[2]);
    assert_string_not_equal(rows[0], rows[3]);
    for (int i = 0; i < 4; ++i) free(rows[i]);
    end(&got);
}

/* Without all heads but those of a property nothing else is left to see. */
static void all_but_keeps_a_propertys_heads(void **state) {
    (void)state;
    outcome got = run_in(make_folder(), ON_MINI,
                         "  - {plugin: ablation, classes: " CLASSES
                         ", keys: [places, main.colors], properties: [places], all-but: true}\n"
                         "  - {plugin: ablation, classes: " CLASSES ", keys: [places], heads: [all]}\n");
    need_success(&got);
    const cJSON *item = item_of(&got, 0, "from codes");
    const cJSON *row = find_row(item, "all but places", "places");
    assert_int_equal(number_of(row, "heads"), 23);
    assert_true(number_of(row, "accuracy") > 0.99 && number_of(row, "random") < 0.9);
    assert_true(number_of(find_row(item, "all but places", "main.colors"), "accuracy") < 0.3);
    const cJSON *map = item_of(&got, 1, "accuracy lost without each head");
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(map, "heads")), 32);
    end(&got);
}

/* Of one image the mean is the image's own: nothing is lost, by either way. */
static void a_gallery_of_one_image_loses_nothing(void **state) {
    (void)state;
    char *folder = make_folder(), *path = text("%s/gallery.json", folder), *image = text("%s/a.jpg", folder);
    copy_file(MINI_GALLERY "/scene-000.jpg", image);
    write_text(path, "[{\"path\": \"a.jpg\", \"places\": \"stone\"}]");
    outcome got = run_in(folder, "model: {path: " MINI "}\ngallery: {images: gallery.json}\n",
                         "  - {plugin: ablation, classes: " CLASSES
                         ", keys: [places], heads: [1*all + L0-L3], reruns: true}\n");
    need_failure(&got, 2, "");
    forget(&got);
    got = run_in(folder, "model: {path: " MINI "}\ngallery: {images: gallery.json}\n",
                 "  - {plugin: ablation, classes: " CLASSES
                 ", keys: [places], heads: [1*all], reruns: true}\n");
    need_success(&got);
    const cJSON *row = find_row(item_of(&got, 0, "by reruns"), "1*all", "places");
    need_near(number_of(row, "accuracy"), 1, 0, "reruns");
    need_near(number_of(row, "same answers"), 1, 0, "agreement");
    free(path);
    free(image);
    end(&got);
}

static void what_cannot_be_ablated_is_refused(void **state) {
    (void)state;
    static const char *const wrong[][2] = {
        {"keys: [places]", "names nothing to ablate"},
        {"keys: [places], heads: [embedding]", "is all there is"},
        {"keys: [places], heads: [L3.H1], cumulative: layers", "cumulative goes through the layers"},
        {"keys: [places], properties: [shapes]", "shapes"},
        {"keys: [places], heads: [L9.H1]", "L9.H1"},
        {"keys: [nowhere], heads: [L3.H1]", "nowhere"},
        {"keys: [places], heads: [L3.H1], ablate: half", "half"},
    };
    for (size_t i = 0; i < COUNT(wrong); ++i) {
        char *analysis = text("  - {plugin: ablation, %s}\n", wrong[i][0]);
        outcome got = run_in(make_folder(), ON_MINI, analysis);
        need_failure(&got, i == 3 ? 1 : 2, wrong[i][1]);
        free(analysis);
        end(&got);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_propertys_heads_cost_its_factor_what_other_code_found),
        cmocka_unit_test(reruns_find_what_other_code_found),
        cmocka_unit_test(ablated_from_the_front_places_fall_as_other_code_found),
        cmocka_unit_test(draws_depend_on_the_seed_alone),
        cmocka_unit_test(all_but_keeps_a_propertys_heads),
        cmocka_unit_test(a_gallery_of_one_image_loses_nothing),
        cmocka_unit_test(what_cannot_be_ablated_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
