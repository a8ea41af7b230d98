/* Topic segmentation from YAML to results.json, through the built command and the real plugins: against
 * golden heats, against itself, and against the mini model's known truth. */
#include "tests/experiment.h"
#include "tests/mini.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- golden heats ---- */

typedef struct golden_case {
    const char *name, *model;
    size_t side; /* cells of the grid's side */
} golden_case;

static const golden_case tiny_a = {"tiny-a", TEST_GOLDEN "/tiny-a/model", 4};
static const golden_case tiny_b = {"tiny-b", TEST_GOLDEN "/tiny-b/model", 4};
static const golden_case mini = {"mini", MINI, 8};

enum { IMAGES = GOLDEN_PNGS, TEXTS = 5 };

static char *golden_analysis(const char *heads, const char *more) {
    return text("  - plugin: topic-segmentation\n"
                "    images: [" GOLDEN_PNG_LIST "]\n"
                "    texts: [a red circle, a photo of two blue stars on grass, snow, an image of a dog, "
                "a small striped heart]\n"
                "    heads: [%s]\n%s",
                heads, more);
}

/* Room for a golden heat's rows of the PNG images, with one more head, the aggregate, if asked for. */
static npy_array make_heats(const npy_array *all, size_t heads) {
    npy_array heats = {.rank = 4, .shape = {IMAGES, TEXTS, heads, all->shape[4]}};
    heats.elements = IMAGES * TEXTS * heads * all->shape[4];
    heats.data = calloc(heats.elements, sizeof(float));
    assert_non_null(heats.data);
    return heats;
}

/* What golden heat.npy says: each head alone, or their sum. */
static npy_array expected_heats(const npy_array *all, bool aggregate) {
    size_t heads = all->shape[2] * all->shape[3], cells = all->shape[4];
    npy_array expected = make_heats(all, aggregate ? 1 : heads);
    float *out = expected.data;
    for (size_t i = 0; i < IMAGES * TEXTS; i++) {
        const float *from = all->data + i * heads * cells;
        if (!aggregate) {
            memcpy(out, from, heads * cells * sizeof *out);
            out += heads * cells;
            continue;
        }
        for (size_t cell = 0; cell < cells; cell++) {
            double sum = 0;
            for (size_t head = 0; head < heads; head++) sum += (double)from[head * cells + cell];
            *out++ = (float)sum;
        }
    }
    return expected;
}

/* What the run says; also that images, texts and heads come in order, named as asked. */
static npy_array heats_of_run(const cJSON *results, const npy_array *all, size_t side, bool aggregate) {
    static const char *const words[TEXTS] = {"a red circle", "a photo of two blue stars on grass", "snow",
                                             "an image of a dog", "a small striped heart"};
    size_t heads = aggregate ? 1 : all->shape[2] * all->shape[3], index = 0;
    npy_array got = make_heats(all, heads);
    const cJSON *item;
    cJSON_ArrayForEach(item, results) {
        size_t head = index % heads, image = index / heads / TEXTS;
        assert_true(image < IMAGES);
        char *name =
            aggregate ? text("aggregate") : text("L%zu.H%zu", head / all->shape[3], head % all->shape[3]);
        assert_string_equal(field(item, "schema"), "heat");
        assert_string_equal(field(item, "head"), name);
        assert_string_equal(field(item, "text"), words[index / heads % TEXTS]);
        assert_string_equal(strrchr(field(item, "image"), '/') + 1, golden_images[image]);
        read_grid(item, side, side, got.data + index++ * side * side);
        free(name);
    }
    assert_int_equal(index, IMAGES * TEXTS * heads);
    return got;
}

static void compare(const cJSON *results, const npy_array *all, size_t side, bool aggregate,
                    double tolerance) {
    npy_array expected = expected_heats(all, aggregate), got = heats_of_run(results, all, side, aggregate);
    double worst = worst_error(&expected, &got);
    if (!(worst <= tolerance)) fail_msg("heats differ by %g, at most %g is allowed", worst, tolerance);
    free(expected.data);
    free(got.data);
}

static void compare_with_golden(const golden_case *of, const char *backend, double tolerance,
                                bool heads_too) {
    npy_array all = golden(of->name, "heat");
    assert_int_equal(all.shape[4], of->side * of->side);
    char *sums = golden_analysis("aggregate", ""), *heads = golden_analysis("all", "");
    char *yaml = text("%s%s", sums, heads_too ? heads : "");
    outcome got = run_well(of->model, backend, yaml);
    compare(results_of(&got, 0), &all, of->side, true, tolerance);
    if (heads_too) compare(results_of(&got, 1), &all, of->side, false, tolerance);
    free(sums);
    free(heads);
    free(yaml);
    free(all.data);
    end(&got);
}

static void test_tiny_a(void **state) {
    (void)state;
    compare_with_golden(&tiny_a, "reference", 2e-5, true);
    compare_with_golden(&tiny_a, "openblas", 1e-4, true);
}

static void test_tiny_b(void **state) {
    (void)state;
    compare_with_golden(&tiny_b, "reference", 2e-5, true);
    compare_with_golden(&tiny_b, "openblas", 1e-4, false);
}

static void test_mini(void **state) {
    (void)state;
    compare_with_golden(&mini, "reference", 2e-5, true);
    compare_with_golden(&mini, "openblas", 1e-4, false);
}

/* ---- options ---- */

/* Off every text's heat its mean over the five texts; the page says which options were used. */
static void test_mean_of_texts(void **state) {
    (void)state;
    enum { CELLS = 16 };
    npy_array all = golden("tiny-a", "heat");
    npy_array expected = expected_heats(&all, true);
    for (size_t image = 0; image < IMAGES; image++) {
        for (size_t cell = 0; cell < CELLS; cell++) {
            float *heat = expected.data + image * TEXTS * CELLS + cell;
            double mean = 0;
            for (size_t t = 0; t < TEXTS; t++) mean += (double)heat[t * CELLS] / TEXTS;
            for (size_t t = 0; t < TEXTS; t++) heat[t * CELLS] = (float)((double)heat[t * CELLS] - mean);
        }
    }
    char *yaml = golden_analysis("aggregate", "    baseline: mean-of-texts\n");
    outcome got = run_well(tiny_a.model, "reference", yaml);
    npy_array heats = heats_of_run(results_of(&got, 0), &all, 4, true);
    double worst = worst_error(&expected, &heats);
    if (!(worst <= 2e-5)) fail_msg("heats differ by %g", worst);
    free(heats.data);
    free(expected.data);
    free(all.data);
    free(yaml);
    end(&got);
}

/* Every picture of an image has the same two ends: the lowest and the highest heat of them all. */
static void test_shared_scale(void **state) {
    (void)state;
    char *yaml = golden_analysis("L0.H1, aggregate", "    scale: shared\n    opacity: 0.25\n");
    outcome got = run_well(tiny_a.model, "reference", yaml);
    double low[IMAGES], high[IMAGES];
    for (size_t i = 0; i < IMAGES; i++) low[i] = INFINITY, high[i] = -INFINITY;
    const cJSON *item;
    size_t index = 0;
    cJSON_ArrayForEach(item, results_of(&got, 0)) {
        float heat[16];
        size_t image = index++ / (2 * TEXTS);
        read_grid(item, 4, 4, heat);
        for (size_t i = 0; i < 16; i++) {
            low[image] = fmin(low[image], (double)heat[i]);
            high[image] = fmax(high[image], (double)heat[i]);
        }
    }
    index = 0;
    cJSON_ArrayForEach(item, results_of(&got, 0)) {
        size_t image = index++ / (2 * TEXTS);
        assert_true((float)number_of(item, "low") == (float)low[image]);
        assert_true((float)number_of(item, "high") == (float)high[image]);
        assert_true(number_of(item, "opacity") == 0.25);
    }
    assert_int_equal(index, IMAGES * TEXTS * 2);
    free(yaml);
    end(&got);
}

static picture load(const char *folder, const char *name) {
    picture image;
    hl_error error;
    char *path = text("%s/%s", folder, name);
    assert_ok(picture_load(path, &image, &error), error);
    free(path);
    return image;
}

/* The PNG files have the images' own sizes; a wide image keeps its pixels beside the crop. At opacity 0 a
 * square image, which the crop fills, stays as it is. */
static void test_pictures(void **state) {
    (void)state;
    char *yaml = golden_analysis("aggregate", "    opacity: 0\n");
    outcome got = run_well(tiny_a.model, "reference", yaml);
    char *out = text("%s/out", got.folder);
    const cJSON *item;
    size_t index = 0, squares = 0;
    cJSON_ArrayForEach(item, results_of(&got, 0)) {
        picture image = load(TEST_GOLDEN "/images", golden_images[index++ / TEXTS]);
        picture drawn = load(out, field(item, "png"));
        assert_int_equal(drawn.width, image.width);
        assert_int_equal(drawn.height, image.height);
        size_t bytes = image.width * image.height * 3;
        if (image.width == image.height) {
            assert_memory_equal(drawn.rgb, image.rgb, bytes);
            squares++;
        } else {
            assert_memory_not_equal(drawn.rgb, image.rgb, bytes); /* the outline */
        }
        size_t beside = image.width > image.height ? image.width - image.height : image.height - image.width;
        if (beside > 10) { /* more than the outline */
            assert_memory_equal(drawn.rgb, image.rgb, 3);
            assert_memory_equal(drawn.rgb + bytes - 3, image.rgb + bytes - 3, 3);
        }
        picture_free(&image);
        picture_free(&drawn);
    }
    assert_true(squares > 0);
    free(out);
    free(yaml);
    end(&got);
}

static void assert_same_file(const outcome *one, const outcome *two, const char *name) {
    char *path[2] = {text("%s/out/%s", one->folder, name), text("%s/out/%s", two->folder, name)};
    size_t count[2];
    char *bytes[2] = {read_file(path[0], &count[0]), read_file(path[1], &count[1])};
    assert_int_equal(count[0], count[1]);
    assert_memory_equal(bytes[0], bytes[1], count[0]);
    for (int i = 0; i < 2; i++) {
        free(path[i]);
        free(bytes[i]);
    }
}

static void test_same_run_same_bytes(void **state) {
    (void)state;
    char *yaml = golden_analysis("L1, aggregate", "");
    outcome one = run_well(tiny_b.model, "openblas", yaml), two = run_well(tiny_b.model, "openblas", yaml);
    assert_same_file(&one, &two, "results.json");
    assert_same_file(&one, &two, "report.html");
    const cJSON *item;
    cJSON_ArrayForEach(item, results_of(&one, 0)) assert_same_file(&one, &two, field(item, "png"));
    free(yaml);
    end(&one);
    end(&two);
}

/* Nothing is left behind. */
static void expect_failure(int status, const char *analyses, const char *words) {
    outcome got = run_experiment(tiny_a.model, "reference", analyses);
    need_failure(&got, status, words);
    char *out = text("%s/out", got.folder);
    assert_true(!file_exists(out) || count_files(out) == 0);
    free(out);
    end(&got);
}

static void test_wrong_options(void **state) {
    (void)state;
    static const char image[] =
        "  - {plugin: topic-segmentation, images: [" TEST_GOLDEN "/images/gray.png], ";
    static const char *const cases[][2] = {
        {"texts: [snow], opacity: 1.5}\n", "experiment.yaml:6:"},
        {"texts: [snow], opacity: 1.5}\n", "opacity"},
        {"texts: [snow], baseline: mean-of-text}\n", "mean-of-texts"},
        {"texts: [snow], scale: share}\n", "shared"},
        {"texts: [], heads: [L0.H0]}\n", "texts"},
        {"text: [snow]}\n", "texts"},
        {"texts: [snow], heads: [L9.H0]}\n", "L9.H0"},
        {"heads: [L0.H0]}\n", "texts"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *yaml = text("%s%s", image, cases[i][0]);
        expect_failure(2, yaml, cases[i][1]);
        free(yaml);
    }
}

/* ---- the mini's truth ---- */

typedef struct scored {
    float heat;
    bool object;
} scored;

static int hotter_first(const void *a, const void *b) {
    const scored *one = a, *two = b;
    return (one->heat < two->heat) - (one->heat > two->heat);
}

/* Precision at every threshold, weighted by the recall that it adds; equal scores share a threshold. */
static double average_precision(scored *pixels) {
    size_t objects = 0, hits = 0, hits_before = 0;
    double sum = 0;
    qsort(pixels, SCENE_PIXELS, sizeof *pixels, hotter_first);
    for (size_t i = 0; i < SCENE_PIXELS; i++) objects += pixels[i].object;
    for (size_t i = 0; i < SCENE_PIXELS; i++) {
        hits += pixels[i].object;
        if (i + 1 < SCENE_PIXELS && pixels[i + 1].heat == pixels[i].heat) continue;
        sum += (double)(hits - hits_before) / (double)objects * (double)hits / (double)(i + 1);
        hits_before = hits;
    }
    return sum;
}

/* Mean of the object's and the background's intersection over union; heat above its mean is the object. */
static double mean_iou(const scored *pixels) {
    double mean = 0;
    size_t both[2] = {0}, either[2] = {0};
    for (size_t i = 0; i < SCENE_PIXELS; i++) mean += (double)pixels[i].heat / SCENE_PIXELS;
    for (size_t i = 0; i < SCENE_PIXELS; i++) {
        bool hot = (double)pixels[i].heat > mean, object = pixels[i].object;
        both[0] += hot && object, either[0] += hot || object;
        both[1] += !hot && !object, either[1] += !hot || !object;
    }
    return (double)both[0] / (double)either[0] / 2 + (double)both[1] / (double)either[1] / 2;
}

/* One analysis for each scene: its own "a COLOR SHAPE". */
static char *scene_analyses(const cJSON *gallery) {
    char *yaml = text("%s", "");
    const cJSON *scene;
    cJSON_ArrayForEach(scene, gallery) {
        char *words = object_words(scene, "main");
        char *longer = text("%s  - {plugin: topic-segmentation, images: [" MINI_FOLDER "/%s], texts: [%s]}\n",
                            yaml, field(scene, "path"), words);
        free(words);
        free(yaml);
        yaml = longer;
    }
    return yaml;
}

static void score_scene(const cJSON *scene, const cJSON *result, double *precision, double *iou) {
    static scored pixels[SCENE_PIXELS];
    float heat[HEAT_SIDE * HEAT_SIDE];
    read_grid(result, HEAT_SIDE, HEAT_SIDE, heat);
    picture mask = load_mask(scene);
    for (size_t i = 0; i < SCENE_PIXELS; i++) {
        pixels[i] = (scored){(float)heat_at(heat, i % SCENE_SIDE, i / SCENE_SIDE), mask.rgb[3 * i] == 1};
    }
    picture_free(&mask);
    *iou += mean_iou(pixels) / SCENES;
    *precision += average_precision(pixels) / SCENES;
}

/* The figures in configs/mini/README.md, to three decimals. */
static void test_mini_finds_its_objects(void **state) {
    (void)state;
    cJSON *gallery = read_scenes();
    char *yaml = scene_analyses(gallery);
    outcome got = run_well(mini.model, "openblas", yaml);
    double precision = 0, iou = 0;
    for (int i = 0; i < SCENES; i++) {
        score_scene(cJSON_GetArrayItem(gallery, i), results_of(&got, i)->child, &precision, &iou);
    }
    print_message("average precision %.4f (0.757), mean IoU %.4f (0.596)\n", precision, iou);
    assert_true(fabs(precision - 0.757) < 0.001);
    assert_true(fabs(iou - 0.596) < 0.001);
    cJSON_Delete(gallery);
    free(yaml);
    end(&got);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_a),
        cmocka_unit_test(test_tiny_b),
        cmocka_unit_test(test_mini),
        cmocka_unit_test(test_mean_of_texts),
        cmocka_unit_test(test_shared_scale),
        cmocka_unit_test(test_pictures),
        cmocka_unit_test(test_same_run_same_bytes),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_mini_finds_its_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
