/* Contrastive segmentation from YAML to results.json and masks, through the built command and the real
 * plugins: against golden heats, and against the mini model's known truth. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- golden heats ---- */

enum { GRID = 4, CELLS = GRID * GRID, FIRST = 0, SECOND = 2 }; /* rows of texts.txt */

#define IMAGES   "images: [" GOLDEN_PNG_LIST "]"
#define CONTRAST "  - {plugin: contrastive-segmentation, texts: [a red circle, snow], "

/* heat(first text) - heat(second), of one head or, past the last, of all of them. */
static void expected_heat(const npy_array *all, size_t image, size_t head, double *out) {
    size_t texts = all->shape[1], heads = all->shape[2] * all->shape[3];
    size_t first = head < heads ? head : 0, last = head < heads ? head + 1 : heads;
    for (size_t cell = 0; cell < CELLS; ++cell) {
        out[cell] = 0;
        for (size_t i = first; i < last; ++i) {
            out[cell] += (double)all->data[((image * texts + FIRST) * heads + i) * CELLS + cell];
            out[cell] -= (double)all->data[((image * texts + SECOND) * heads + i) * CELLS + cell];
        }
    }
}

typedef struct spread {
    double largest, worst; /* number expected, difference from it */
} spread;

static void compare_item(const cJSON *item, const double *expected, spread *found) {
    float heat[CELLS];
    double reach = 0;
    read_grid(item, GRID, GRID, heat);
    for (size_t cell = 0; cell < CELLS; ++cell) {
        found->largest = fmax(found->largest, fabs(expected[cell]));
        found->worst = fmax(found->worst, fabs((double)heat[cell] - expected[cell]));
        reach = fmax(reach, fabs((double)heat[cell]));
    }
    assert_true((float)number_of(item, "high") == (float)reach);
    assert_true((float)number_of(item, "low") == -(float)reach);
    assert_string_equal(field(item, "text"), "a red circle");
    assert_string_equal(field(item, "minus"), "snow");
    assert_null(cJSON_GetObjectItem(item, "mask_threshold"));
}

static void compare_with_golden(const char *name, const char *backend, double tolerance) {
    npy_array all = golden(name, "heat");
    size_t heads = all.shape[2] * all.shape[3], index = 0;
    char *model = text(TEST_GOLDEN "/%s/model", name);
    outcome got = run_well(model, backend, CONTRAST IMAGES ", heads: [all, aggregate]}\n");
    spread single = {0, 0}, sum = {0, 0};
    const cJSON *item;
    cJSON_ArrayForEach(item, results_of(&got, 0)) {
        double expected[CELLS];
        size_t head = index % (heads + 1);
        expected_heat(&all, index++ / (heads + 1), head, expected);
        char *selection =
            head < heads ? text("L%zu.H%zu", head / all.shape[3], head % all.shape[3]) : text("aggregate");
        assert_string_equal(field(item, "head"), selection);
        compare_item(item, expected, head < heads ? &single : &sum);
        free(selection);
    }
    assert_int_equal(index, GOLDEN_PNGS * (heads + 1));
    if (single.worst > tolerance * single.largest || sum.worst > tolerance * sum.largest) {
        fail_msg("%s, %s: off by %g and %g", name, backend, single.worst / single.largest,
                 sum.worst / sum.largest);
    }
    free(all.data);
    free(model);
    end(&got);
}

static void differences_are_golden(void **state) {
    (void)state;
    static const char *const models[] = {"tiny-a", "tiny-b"};
    for (size_t i = 0; i < 2; ++i) {
        compare_with_golden(models[i], "reference", 2e-5);
        compare_with_golden(models[i], "openblas", 1e-4);
    }
}

static void pictures_of_an_image_may_share_a_scale(void **state) {
    (void)state;
    outcome got =
        run_well(TEST_GOLDEN "/tiny-a/model", "reference", CONTRAST IMAGES ", heads: L1, scale: shared}\n");
    const cJSON *results = results_of(&got, 0), *item;
    assert_int_equal(cJSON_GetArraySize(results), GOLDEN_PNGS * 3);
    double reach[GOLDEN_PNGS] = {0};
    int index = 0;
    cJSON_ArrayForEach(item, results) {
        float heat[CELLS];
        read_grid(item, GRID, GRID, heat);
        double *of_image = &reach[index++ / 3];
        for (size_t cell = 0; cell < CELLS; ++cell) *of_image = fmax(*of_image, fabs((double)heat[cell]));
    }
    index = 0;
    cJSON_ArrayForEach(item, results) {
        double end_of_scale = reach[index++ / 3];
        assert_true((float)number_of(item, "high") == (float)end_of_scale);
        assert_true((float)number_of(item, "low") == -(float)end_of_scale);
    }
    end(&got);
}

/* Topic segmentation cuts at a heat's mean, contrastive segmentation at zero. */
static void masks_are_written(void **state) {
    (void)state;
    outcome got =
        run_well(TEST_GOLDEN "/tiny-a/model", "reference",
                 CONTRAST IMAGES ", mask: true}\n"
                                 "  - {plugin: topic-segmentation, texts: [snow], mask: true, " IMAGES "}\n");
    for (int analysis = 0; analysis < 2; ++analysis) {
        const cJSON *item;
        cJSON_ArrayForEach(item, results_of(&got, analysis)) {
            float heat[CELLS];
            double mean = 0;
            read_grid(item, GRID, GRID, heat);
            for (size_t cell = 0; cell < CELLS; ++cell) mean += (double)heat[cell] / CELLS;
            double threshold = number_of(item, "mask_threshold");
            assert_true(analysis == 0 ? fpclassify(threshold) == FP_ZERO : fabs(threshold - mean) < 1e-9);
            char *path = text("%s/out/%s", got.folder, field(item, "heat_npy"));
            npy_array array;
            hl_error error;
            assert_ok(npy_read(path, &array, &error), error);
            assert_int_equal(array.elements, CELLS);
            assert_memory_equal(array.data, heat, sizeof heat);
            free(array.data);
            free(path);
            path = text("%s/out/%s", got.folder, field(item, "mask_png"));
            assert_true(file_exists(path));
            free(path);
        }
    }
    end(&got);
}

static void takes_exactly_two_texts(void **state) {
    (void)state;
    static const char *const texts[] = {"[a]", "[a, b, c]", "[]"};
    for (size_t i = 0; i < 3; ++i) {
        char *yaml = text("  - {plugin: contrastive-segmentation, " IMAGES ", texts: %s}\n", texts[i]);
        outcome got = run_experiment(TEST_GOLDEN "/tiny-a/model", "reference", yaml);
        need_failure(&got, 2, "option \"texts\": expected a list of 2 texts");
        free(yaml);
        end(&got);
    }
}

/* ---- the mini's truth ---- */

enum { PAIRS = 191 }; /* of two different objects */

/* Share of the two objects' pixels on their own side of zero, balanced over the two. */
static double score_scene(const cJSON *scene, const cJSON *item) {
    float heat[HEAT_SIDE * HEAT_SIDE];
    read_grid(item, HEAT_SIDE, HEAT_SIDE, heat);
    picture mask = load_mask(scene);
    double pixels[3] = {0}, right[3] = {0};
    for (size_t i = 0; i < SCENE_PIXELS; ++i) {
        size_t object = mask.rgb[3 * i];
        double here = heat_at(heat, i % SCENE_SIDE, i / SCENE_SIDE);
        assert_true(object < 3);
        pixels[object] += 1;
        right[object] += object == 1 ? here > 0 : here < 0;
    }
    picture_free(&mask);
    return (right[1] / pixels[1] + right[2] / pixels[2]) / 2;
}

static char *pair_analyses(const cJSON *gallery) {
    char *yaml = text("%s", "");
    const cJSON *scene;
    cJSON_ArrayForEach(scene, gallery) {
        if (!cJSON_IsObject(cJSON_GetObjectItem(scene, "other"))) continue;
        char *first = object_words(scene, "main"), *second = object_words(scene, "other");
        char *longer =
            text("%s  - {plugin: contrastive-segmentation, images: [" MINI_FOLDER "/%s], texts: [%s, %s]}\n",
                 yaml, field(scene, "path"), first, second);
        free(first);
        free(second);
        free(yaml);
        yaml = longer;
    }
    return yaml;
}

/* 0.983 in configs/mini/README.md, to three decimals. */
static void mini_tells_its_objects_apart(void **state) {
    (void)state;
    cJSON *gallery = read_scenes();
    char *yaml = pair_analyses(gallery);
    outcome got = run_well(MINI, "openblas", yaml);
    double sum = 0;
    int pairs = 0;
    const cJSON *scene;
    cJSON_ArrayForEach(scene, gallery) {
        if (!cJSON_IsObject(cJSON_GetObjectItem(scene, "other"))) continue;
        sum += score_scene(scene, cJSON_GetArrayItem(results_of(&got, pairs++), 0));
    }
    assert_int_equal(pairs, PAIRS);
    if (fabs(sum / PAIRS - 0.983) > 0.001) fail_msg("%g of the pixels on the right side", sum / PAIRS);
    free(yaml);
    cJSON_Delete(gallery);
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_golden),
        cmocka_unit_test(pictures_of_an_image_may_share_a_scale),
        cmocka_unit_test(masks_are_written),
        cmocka_unit_test(takes_exactly_two_texts),
        cmocka_unit_test(mini_tells_its_objects_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
