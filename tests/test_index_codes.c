/* The codes that `headlight index` writes: against golden ones, against `headlight decompose`, and as numpy
 * reads them. */
#include "tests/indexed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* `dtype` f32: as exact as the model. f16: half a step of the last place on top. */
static void check_golden(const char *name, const char *model, const char *backend, const char *dtype,
                         double worst) {
    char *folder = make_folder(), *out = text("%s/atlas", folder);
    assert_command(0, "index", "--model", model, "--images", TEST_GOLDEN "/images", "--out", out, "--backend",
                   backend, "--dtype", dtype, "--batch", "4", NULL);
    npy_array expected = golden(name, "codes"); /* images, layers, heads, width + 3; PNG images first */
    atlas *opened = open_atlas(out);
    size_t heads = expected.shape[1] * expected.shape[2], width = expected.shape[3];
    assert_int_equal(atlas_layout_of(opened)->head_count, heads);
    double largest = 0, step = strcmp(dtype, "f16") == 0 ? 1.0 / 2048 : 0;
    for (size_t i = 0; i < expected.elements; ++i) largest = fmax(largest, fabs((double)expected.data[i]));
    for (size_t i = 0; i < GOLDEN_PNGS; ++i) {
        size_t image = find_image(opened, golden_images[i]);
        assert_int_not_equal(image, SIZE_MAX);
        for (size_t head = 0; head < heads; ++head) {
            float code[128];
            read_code(opened, image, head, code);
            const float *y = expected.data + (i * heads + head) * width;
            for (size_t k = 0; k < width; ++k) {
                double rounded = k < width - 3 ? step * fabs((double)y[k]) + step * 1e-4 : 0;
                assert_true(fabs((double)code[k] - (double)y[k]) <= worst * largest + rounded);
            }
        }
    }
    atlas_close(opened);
    free(expected.data);
    free(out);
    remove_folder(folder);
}

static void test_golden_codes(void **state) {
    (void)state;
    const char *const dtypes[] = {"f32", "f16"};
    for (size_t i = 0; i < 2; ++i) {
        check_golden("tiny-a", TINY_MODEL, "reference", dtypes[i], 2e-5);
        check_golden("tiny-a", TINY_MODEL, "openblas", dtypes[i], 1e-4);
        check_golden("tiny-b", TEST_GOLDEN "/tiny-b/model", "openblas", dtypes[i], 1e-4);
        check_golden("mini", MINI, "openblas", dtypes[i], 1e-4);
    }
}

/* `headlight decompose` of three scenes of the gallery, in `folder`. */
static void decompose(const char *folder) {
    assert_command(0, "decompose", "--model", MINI, "--image", MINI_GALLERY "/scene-000.jpg", "--image",
                   MINI_GALLERY "/scene-001.jpg", "--image", MINI_GALLERY "/scene-002.jpg", "--backend",
                   "reference", "--tokens", "--out", folder, NULL);
}

static void assert_near(const float *got, const float *expected, size_t count) {
    double largest = 0;
    for (size_t i = 0; i < count; ++i) largest = fmax(largest, fabs((double)expected[i]));
    for (size_t i = 0; i < count; ++i) {
        assert_true(fabs((double)got[i] - (double)expected[i]) <= 1e-5 * largest);
    }
}

/* The contribution of the first token from its code: its own part, and its share of the further numbers. */
static void assert_first(const atlas *of, const char *arrays) {
    npy_array bases = read_array(arrays, "bases"), tokens = read_array(arrays, "tokens");
    size_t layers = tokens.shape[1], count = tokens.shape[2], heads = tokens.shape[3], d = tokens.shape[4];
    size_t rows = bases.shape[2], width = rows - 3;
    for (size_t i = 0; i < 3 * layers * heads; ++i) {
        size_t image = i / (layers * heads), head = i % (layers * heads);
        const float *first = (const float *)of->shards[0].data[of->layout->first + head] + image * width;
        const float *scalars = atlas_scalars(of, 0, head) + image * 3;
        const float *basis = bases.data + head * rows * d;
        float *contribution = calloc(d, sizeof *contribution);
        for (size_t j = 0; j < d; ++j) {
            double sum = 0;
            for (size_t k = 0; k < width; ++k) sum += (double)first[k] * (double)basis[k * d + j];
            for (size_t k = 0; k < 3; ++k) {
                sum += (double)scalars[k] / (double)count * (double)basis[(width + k) * d + j];
            }
            contribution[j] = (float)sum;
        }
        size_t layer = head / heads, within = head % heads;
        assert_near(contribution, tokens.data + (((image * layers + layer) * count + 0) * heads + within) * d,
                    d);
        free(contribution);
    }
    free(bases.data);
    free(tokens.data);
}

static void test_columns(void **state) {
    (void)state;
    workplace place = make_workplace(3);
    char *arrays = text("%s/arrays", place.folder);
    decompose(arrays);
    assert_command(0, "index", "--model", MINI, "--images", place.images, "--out", place.out, "--dtype",
                   "f32", "--backend", "reference", "--columns", "mlps,first,embedding", NULL);
    atlas *opened = open_atlas(place.out);
    npy_array embedding = read_array(arrays, "embedding"), mlps = read_array(arrays, "mlps");
    assert_int_equal(atlas_layout_of(opened)->mlps, mlps.shape[1]);
    assert_near(opened->shards[0].data[opened->layout->embedding], embedding.data, embedding.elements);
    assert_near(opened->shards[0].data[opened->layout->mlps], mlps.data, mlps.elements);
    assert_first(opened, arrays);
    atlas_close(opened);
    free(embedding.data);
    free(mlps.data);
    free(arrays);
    leave(&place);
}

static void test_layers(void **state) {
    (void)state;
    workplace place = make_workplace(3);
    index_well(MINI, place.images, place.out, "--layers", "L1-L2", NULL);
    atlas *opened = open_atlas(place.out);
    assert_int_equal(atlas_layout_of(opened)->head_count, 16);
    assert_string_equal(atlas_layout_of(opened)->heads[0].name, "L1.H0");
    assert_string_equal(atlas_layout_of(opened)->heads[15].name, "L2.H7");
    atlas_close(opened);
    index_well(MINI, place.images, place.out, "--layers", "L1-L2",
               NULL); /* the same again, and what the atlas says */
    index_well(MINI, place.images, place.out, NULL);
    refused(2, "the layers", "index", "--model", MINI, "--images", place.images, "--out", place.out,
            "--layers", "all");
    refused(2, "L0 to L3", "index", "--model", MINI, "--images", place.images, "--out", place.out, "--layers",
            "L4");
    leave(&place);
}

static void test_numpy(void **state) {
    (void)state;
    const char *const ask[] = {"/usr/bin/python3", "-c", "import numpy", NULL};
    if (run_program(ask, NULL, NULL) != 0) {
        print_message("numpy is missing: open_atlas.py was not run\n");
        skip();
    }
    workplace place = make_workplace(10);
    index_well(MINI, place.images, place.out, "--shard-size", "4", NULL);
    const char *const open_it[] = {"/usr/bin/python3", TEST_SOURCE "/tests/open_atlas.py", place.out, "L3.H5",
                                   NULL};
    char *printed, *errors, *at;
    if (run_program(open_it, &printed, &errors) != 0) fail_msg("%s", errors);
    assert_int_equal(strtol(printed, &at, 10), 10);
    atlas *opened = open_atlas(place.out);
    size_t head = atlas_find_head(opened, "L3.H5"), width = atlas_layout_of(opened)->heads[head].width;
    for (size_t k = 0; k < width; ++k) {
        double sum = 0;
        float code[128];
        for (size_t i = 0; i < 10; ++i) {
            read_code(opened, i, head, code);
            sum += (double)code[k];
        }
        assert_true(fabs(strtod(at, &at) - sum / 10) <= 1e-12);
    }
    atlas_close(opened);
    free(printed);
    free(errors);
    leave(&place);
}

/* Each thread encodes whole batches, and which images are in a batch depends on the gallery alone. */
static void test_threads_change_nothing(void **state) {
    (void)state;
    workplace place = make_workplace(30);
    char *several = text("%s/several", place.folder);
    assert_command(0, "index", "--model", MINI, "--images", place.images, "--out", place.out, "--threads",
                   "1", NULL);
    assert_command(0, "index", "--model", MINI, "--images", place.images, "--out", several, "--threads", "3",
                   NULL);
    assert_same_bytes(place.out, several);
    free(several);
    leave(&place);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_codes), cmocka_unit_test(test_columns),
        cmocka_unit_test(test_layers),       cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_numpy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
