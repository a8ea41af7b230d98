/* Head effects from YAML to results.json: they sum to the cosine on every golden model and backend, over an
 * image and over a gallery, and say when it is none. */
#include "tests/contributions.h"
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { IMAGES = GOLDEN_PNGS, TEXTS = 5 };

#define WORDS                                                                                                \
    "texts: [a red circle, a photo of two blue stars on grass, snow, an image of a dog, a small striped "    \
    "heart]"

static double dot(const float *a, const float *b, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += (double)a[i] * (double)b[i];
    return sum;
}

static double sum_of(const cJSON *rows) {
    double sum = 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, rows) sum += number_of(row, "value");
    return sum;
}

static double sum_of_map(const cJSON *item) {
    return sum_of(cJSON_GetObjectItem(item, "heads")) + sum_of(cJSON_GetObjectItem(item, "rest"));
}

/* ---- over one image ---- */

typedef struct golden_case {
    const char *name, *model;
    int layers, heads;
} golden_case;

/* Sums, head by head, and from the embedding: all against the golden arrays. */
static void need_cosines(const golden_case *of, const char *backend) {
    npy_array embedding = golden(of->name, "embedding"), texts = golden(of->name, "text_embedding"),
              heads = golden(of->name, "heads");
    size_t dim = embedding.shape[1], all = (size_t)(of->layers * of->heads);
    outcome got =
        run_well(of->model, backend,
                 "  - {plugin: head-effects, count: 4, images: [" GOLDEN_PNG_LIST "], " WORDS "}\n");
    const cJSON *results = results_of(&got, 0);
    assert_int_equal(cJSON_GetArraySize(results), IMAGES * TEXTS);
    for (size_t i = 0; i < IMAGES * TEXTS; ++i) {
        const cJSON *item = cJSON_GetArrayItem(results, (int)i), *rows = cJSON_GetObjectItem(item, "heads");
        const float *e = embedding.data + i / TEXTS * dim, *t = texts.data + i % TEXTS * dim;
        double cosine = dot(e, t, dim) / sqrt(dot(e, e, dim));
        assert_string_equal(field(item, "schema"), "head-map");
        assert_true(cJSON_IsTrue(cJSON_GetObjectItem(item, "signed")));
        assert_string_equal(strrchr(field(item, "image"), '/') + 1, golden_images[i / TEXTS]);
        assert_true(fabs(sum_of_map(item) - cosine) < 1e-5);
        assert_true(fabs(number_of(item, "sum") - cosine) < 1e-5);
        assert_true(fabs(number_of(item, "cosine") - cosine) < 1e-5);
        assert_int_equal(cJSON_GetArraySize(rows), (int)all);
        assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "rest")), of->layers + 1);
        for (size_t k = 0; k < all; ++k) {
            const float *c = heads.data + (i / TEXTS * all + k) * dim;
            assert_true(fabs(number_of(cJSON_GetArrayItem(rows, (int)k), "value") - dot(c, t, dim)) < 1e-5);
        }
    }
    end(&got);
    free(embedding.data);
    free(texts.data);
    free(heads.data);
}

static void they_sum_to_the_cosine(void **state) {
    (void)state;
    static const golden_case cases[] = {{"tiny-a", TEST_GOLDEN "/tiny-a/model", 3, 3},
                                        {"tiny-b", TEST_GOLDEN "/tiny-b/model", 4, 4},
                                        {"mini", MINI, 4, 8}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        need_cosines(&cases[i], "reference");
        need_cosines(&cases[i], "openblas");
    }
}

/* Of one component, whichever list it is in. */
static double effect_of(const cJSON *item, const char *name) {
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(item, "heads")) {
        if (strcmp(field(row, "head"), name) == 0) return number_of(row, "value");
    }
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(item, "rest")) {
        if (strcmp(field(row, "name"), name) == 0) return number_of(row, "value");
    }
    fail_msg("%s has no effect", name);
    return 0;
}

static size_t count_stronger(const cJSON *item, double than) {
    size_t count = 0;
    const cJSON *row;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(item, "heads")) count += fabs(number_of(row, "value")) > than;
    cJSON_ArrayForEach(row, cJSON_GetObjectItem(item, "rest")) count += fabs(number_of(row, "value")) > than;
    return count;
}

static void the_strongest_come_first(void **state) {
    (void)state;
    outcome got = run_well(
        MINI, "reference",
        "  - {plugin: head-effects, images: [" MINI_GALLERY "/scene-000.jpg], texts: [snow], count: 7}\n"
        "  - {plugin: head-effects, images: [" MINI_GALLERY "/scene-000.jpg], texts: [snow], count: 1000}\n");
    const cJSON *item = cJSON_GetArrayItem(results_of(&got, 0), 0);
    const cJSON *strongest = cJSON_GetObjectItem(item, "strongest");
    assert_int_equal(cJSON_GetArraySize(strongest), 7);
    for (int i = 0; i < 7; ++i) {
        const cJSON *row = cJSON_GetArrayItem(strongest, i);
        double effect = number_of(row, "effect");
        assert_true(number_of(row, "rank") == i + 1);
        assert_true(effect == effect_of(item, field(row, "component")));
        assert_int_equal(count_stronger(item, fabs(effect)), i);
    }
    item = cJSON_GetArrayItem(results_of(&got, 1), 0);
    assert_int_equal(cJSON_GetArraySize(cJSON_GetObjectItem(item, "strongest")), 4 * 8 + 5);
    end(&got);
}

/* ---- over a gallery ---- */

enum { GALLERY = 20 };

#define MODEL        "model: {path: " MINI "}\ncompute: {backend: reference}\n"
#define GALLERY_YAML "gallery: {images: gallery, dtype: f32}\n"

/* The mean of what each image says by itself. */
static void a_gallery_has_the_mean_of_its_images(void **state) {
    (void)state;
    char *folder = make_folder(), *gallery = text("%s/gallery", folder);
    put_scenes(gallery, 0, GALLERY);
    free(gallery);
    outcome got = run_in(folder, MODEL GALLERY_YAML,
                         "  - {plugin: head-effects, images: [gallery], texts: [snow, a red star], gallery: "
                         "true}\n");
    need_success(&got);
    const cJSON *results = results_of(&got, 0);
    assert_int_equal(cJSON_GetArraySize(results), 2 * (GALLERY + 1));
    for (int word = 0; word < 2; ++word) {
        const cJSON *mean = cJSON_GetArrayItem(results, 2 * GALLERY + word);
        static const char *const names[] = {"L0.H0", "L2.H1", "L3.H7", "L0.MLP", "L3.MLP", "input"};
        double cosine = 0;
        assert_true(number_of(mean, "images") == GALLERY);
        for (int i = 0; i < GALLERY; ++i) {
            cosine += number_of(cJSON_GetArrayItem(results, 2 * i + word), "cosine") / GALLERY;
        }
        assert_true(fabs(number_of(mean, "cosine") - cosine) < 1e-5);
        assert_true(fabs(number_of(mean, "sum") - cosine) < 1e-5);
        for (size_t k = 0; k < COUNT(names); ++k) {
            double effect = 0;
            for (int i = 0; i < GALLERY; ++i) {
                effect += effect_of(cJSON_GetArrayItem(results, 2 * i + word), names[k]) / GALLERY;
            }
            assert_true(fabs(effect_of(mean, names[k]) - effect) < 1e-5);
        }
    }
    end(&got);
}

static void what_is_missing_is_said(void **state) {
    (void)state;
    outcome got = run_experiment(MINI, "reference", "  - {plugin: head-effects, texts: [snow]}\n");
    need_failure(&got, 2, "name images, or ask for the mean over the gallery with gallery: true");
    end(&got);
    got = run_experiment(MINI, "reference", "  - {plugin: head-effects, texts: [snow], gallery: true}\n");
    need_failure(&got, 2, "add gallery: {images: FOLDER}");
    end(&got);
}

/* ---- directions of another length ---- */

static void of_other_lengths_it_is_no_cosine(void **state) {
    (void)state;
    outcome got = run_well(MINI, "reference",
                           "  - {plugin: head-effects, images: [" MINI_GALLERY
                           "/scene-000.jpg], texts: [{sum: [[2, snow]]}, snow]}\n");
    const cJSON *twice = cJSON_GetArrayItem(results_of(&got, 0), 0);
    const cJSON *once = cJSON_GetArrayItem(results_of(&got, 0), 1);
    assert_null(cJSON_GetObjectItem(twice, "cosine"));
    assert_true(fabs(number_of(twice, "length") - 2) < 1e-5);
    assert_true(fabs(number_of(twice, "product") - 2 * number_of(once, "cosine")) < 1e-5);
    assert_true(fabs(number_of(twice, "sum") - number_of(twice, "product")) < 1e-5);
    assert_non_null(strstr(field(twice, "note"), "not of length 1"));
    assert_null(cJSON_GetObjectItem(once, "note"));
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_sum_to_the_cosine),
        cmocka_unit_test(the_strongest_come_first),
        cmocka_unit_test(a_gallery_has_the_mean_of_its_images),
        cmocka_unit_test(what_is_missing_is_said),
        cmocka_unit_test(of_other_lengths_it_is_no_cosine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
