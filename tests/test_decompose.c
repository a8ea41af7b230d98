/* `headlight decompose` against arrays that other people's code computed, for every small model and every
 * backend. */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct model_case {
    const char *name, *folder;
    bool has_tokens; /* tokens.npy is among the golden arrays */
} model_case;

static const model_case models[] = {
    {"tiny-a", TEST_GOLDEN "/tiny-a/model", true},
    {"tiny-b", TEST_GOLDEN "/tiny-b/model", true},
    {"mini", TEST_SOURCE "/configs/mini/model", false},
};
enum { MODELS = sizeof models / sizeof *models };

typedef struct backend_case {
    const char *name;
    double tolerance;
} backend_case;

static const backend_case backends[] = {{"reference", 2e-5}, {"openblas", 1e-4}};
enum { BACKENDS = sizeof backends / sizeof *backends };

static void assert_close(const char *expected_folder, const char *folder, const char *name,
                         double tolerance) {
    npy_array expected = read_array(expected_folder, name), got = read_array(folder, name);
    double error = worst_error(&expected, &got);
    if (!(error <= tolerance))
        fail_msg("%s of %s: error %g, at most %g", name, expected_folder, error, tolerance);
    free(expected.data);
    free(got.data);
}

/* Bytes, because ids are whole numbers: npy_read takes floating point only. */
static void assert_same_file(const char *expected, const char *got) {
    size_t expected_count, got_count;
    char *a = read_file(expected, &expected_count), *b = read_file(got, &got_count);
    assert_int_equal(expected_count, got_count);
    assert_memory_equal(a, b, expected_count);
    free(a);
    free(b);
}

static void succeed(const char *const *arguments) {
    char *errors;
    int status = run_program(arguments, NULL, &errors);
    if (status != 0) fail_msg("exit status %d: %s", status, errors);
    assert_string_equal(errors, "");
    free(errors);
}

static void decompose_pixels(const char *folder, const char *backend, const char *pixels, const char *out) {
    const char *arguments[] = {TEST_COMMAND, "decompose", "--model", folder,    "--backend",
                               backend,      "--pixels",  pixels,    "--texts", TEST_GOLDEN "/texts.txt",
                               "--tokens",   "--out",     out,       NULL};
    succeed(arguments);
}

static void arrays_equal_golden(void **state) {
    (void)state;
    static const char *const names[] = {"pixels", "embedding", "codes", "bases",
                                        "heads",  "mlps",      "heat",  "text_embedding"};
    for (size_t m = 0; m < MODELS; ++m) {
        for (size_t b = 0; b < BACKENDS; ++b) {
            char *out = make_folder(), *expected = text("%s/%s", TEST_GOLDEN, models[m].name);
            char *pixels = text("%s/pixels.npy", expected);
            decompose_pixels(models[m].folder, backends[b].name, pixels, out);
            for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
                assert_close(expected, out, names[i], backends[b].tolerance);
            }
            if (models[m].has_tokens) assert_close(expected, out, "tokens", backends[b].tolerance);
            char *ids = text("%s/text_ids.npy", out), *golden_ids = text("%s/text_ids.npy", expected);
            assert_same_file(golden_ids, ids);
            free(ids);
            free(golden_ids);
            free(pixels);
            free(expected);
            remove_folder(out);
        }
    }
}

/* The sum over all heads, MLPs and the input is the normalised embedding. */
static void contributions_sum_to_embedding(void **state) {
    (void)state;
    for (size_t m = 0; m < MODELS; ++m) {
        char *out = make_folder(), *pixels = text("%s/%s/pixels.npy", TEST_GOLDEN, models[m].name);
        decompose_pixels(models[m].folder, "openblas", pixels, out);
        npy_array embedding = read_array(out, "embedding"), heads = read_array(out, "heads"),
                  mlps = read_array(out, "mlps");
        size_t images = embedding.shape[0], width = embedding.shape[1];
        for (size_t i = 0; i < images; ++i) {
            double norm = 0, worst = 0, largest = 0;
            for (size_t d = 0; d < width; ++d) norm += pow((double)embedding.data[i * width + d], 2);
            norm = sqrt(norm);
            for (size_t d = 0; d < width; ++d) {
                double sum = 0, wanted = (double)embedding.data[i * width + d] / norm;
                size_t head_count = heads.shape[1] * heads.shape[2], others = mlps.shape[1];
                for (size_t h = 0; h < head_count; ++h)
                    sum += (double)heads.data[(i * head_count + h) * width + d];
                for (size_t o = 0; o < others; ++o) sum += (double)mlps.data[(i * others + o) * width + d];
                worst = fmax(worst, fabs(sum - wanted));
                largest = fmax(largest, fabs(wanted));
            }
            assert_true(worst < 1e-4 * largest);
        }
        free(embedding.data);
        free(heads.data);
        free(mlps.data);
        free(pixels);
        remove_folder(out);
    }
}

static void half_precision_equals_rounded_values(void **state) {
    (void)state;
    static const char *const names[] = {"embedding", "codes", "bases", "heads", "mlps", "tokens", "heat"};
    static const char *const dtypes[] = {"f16", "bf16"};
    for (size_t i = 0; i < 2; ++i) {
        for (size_t b = 0; b < BACKENDS; ++b) {
            char *stored = text("%s/tiny-a/model-%s", TEST_GOLDEN, dtypes[i]);
            char *rounded = text("%s/tiny-a/model-%s-rounded", TEST_GOLDEN, dtypes[i]);
            char *out = make_folder(), *expected = make_folder();
            decompose_pixels(stored, backends[b].name, TEST_GOLDEN "/tiny-a/pixels.npy", out);
            decompose_pixels(rounded, backends[b].name, TEST_GOLDEN "/tiny-a/pixels.npy", expected);
            for (size_t n = 0; n < sizeof names / sizeof *names; ++n) {
                assert_close(expected, out, names[n], backends[b].tolerance);
            }
            remove_folder(out);
            remove_folder(expected);
            free(stored);
            free(rounded);
        }
    }
}

/* The golden images in golden order, and what is left of them after decoding and resizing. */
static void images_become_golden_pixels_and_embeddings(void **state) {
    (void)state;
    enum { FILES = GOLDEN_IMAGES, PNGS = GOLDEN_PNGS };
    for (size_t m = 0; m < MODELS; ++m) {
        char *out = make_folder(), *expected = text("%s/%s", TEST_GOLDEN, models[m].name), *paths[FILES];
        const char *arguments[6 + 2 * FILES + 1] = {TEST_COMMAND, "decompose", "--out",
                                                    out,          "--model",   models[m].folder};
        for (size_t i = 0; i < FILES; ++i) {
            paths[i] = text("%s/images/%s", TEST_GOLDEN, golden_images[i]);
            arguments[6 + 2 * i] = "--image";
            arguments[7 + 2 * i] = paths[i];
        }
        succeed(arguments);
        assert_close(expected, out, "embedding", 2e-2);
        npy_array wanted = read_array(expected, "pixels"), got = read_array(out, "pixels");
        for (size_t i = 0; i < wanted.elements / FILES * PNGS; ++i) {
            assert_true(fabs((double)wanted.data[i] - (double)got.data[i]) <= 1e-5);
        }
        char *ids = text("%s/text_ids.npy", out), *heat = text("%s/heat.npy", out);
        assert_false(file_exists(ids)); /* without texts no text files */
        assert_false(file_exists(heat));
        free(ids);
        free(heat);
        free(wanted.data);
        free(got.data);
        for (size_t i = 0; i < FILES; ++i) free(paths[i]);
        free(expected);
        remove_folder(out);
    }
}

static void texts_come_from_line_and_file_in_order(void **state) {
    (void)state;
    char *out = make_folder(), *expected = make_folder(), *file = text("%s/t.txt", out);
    write_text(file, "an image of a dog\na small striped heart\n");
    const char *mixed[] = {TEST_COMMAND, "decompose",
                           "--model",    TEST_GOLDEN "/tiny-a/model",
                           "--pixels",   TEST_GOLDEN "/tiny-a/pixels.npy",
                           "--texts",    file,
                           "--text",     "a red circle",
                           "--text",     "a photo of two blue stars on grass",
                           "--text",     "snow",
                           "--out",      out,
                           NULL};
    succeed(mixed);
    decompose_pixels(TEST_GOLDEN "/tiny-a/model", "auto", TEST_GOLDEN "/tiny-a/pixels.npy", expected);
    static const char *const names[] = {"text_ids", "text_embedding", "heat"};
    for (size_t i = 0; i < 3; ++i) {
        char *a = text("%s/%s.npy", out, names[i]), *b = text("%s/%s.npy", expected, names[i]);
        assert_same_file(b, a);
        free(a);
        free(b);
    }
    free(file);
    remove_folder(out);
    remove_folder(expected);
}

typedef struct refusal {
    int status;
    const char *says;
    const char *arguments[10];
} refusal;

static void wrong_input_is_one_line_and_leaves_nothing(void **state) {
    (void)state;
#define TINY        "--model", TEST_GOLDEN "/tiny-a/model"
#define TINY_PIXELS "--pixels", TEST_GOLDEN "/tiny-a/pixels.npy"
    const refusal refusals[] = {
        {2, "recognises", {"--model", TEST_GOLDEN, TINY_PIXELS}},
        {2, "the model's folder /nowhere does not exist", {"--model", "/nowhere", TINY_PIXELS}},
        {2, "/texts.txt is no folder", {"--model", TEST_GOLDEN "/texts.txt", TINY_PIXELS}},
        {2, "/texts.txt/x does not exist", {"--model", TEST_GOLDEN "/texts.txt/x", TINY_PIXELS}},
        {2, "--pixels", {TINY}},
        {2, "--pixels", {TINY, TINY_PIXELS, "--image", TEST_GOLDEN "/images/gray.png"}},
        {1, "32 x 32", {TINY, "--pixels", TEST_GOLDEN "/tiny-b/pixels.npy"}},
        {1, "/nowhere.npy", {TINY, "--pixels", "/nowhere.npy"}},
        {1, "/nowhere.png", {TINY, "--image", "/nowhere.png"}},
        {1, "texts.txt", {TINY, "--image", TEST_GOLDEN "/texts.txt"}},
        {2, "/nowhere.txt", {TINY, TINY_PIXELS, "--texts", "/nowhere.txt"}},
        {2, "UTF-8", {TINY, TINY_PIXELS, "--text", "\xff"}},
        {2, "did you mean \"openblas\"", {TINY, TINY_PIXELS, "--backend", "openblass"}},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; ++i) {
        char *parent = make_folder(), *out = text("%s/out", parent), *printed, *errors;
        const char *arguments[16] = {TEST_COMMAND, "decompose", "--out", out};
        for (size_t j = 0; j < 10 && refusals[i].arguments[j]; ++j)
            arguments[4 + j] = refusals[i].arguments[j];
        int status = run_program(arguments, &printed, &errors);
        if (status != refusals[i].status || !strstr(errors, refusals[i].says)) {
            fail_msg("case %zu: status %d, %s", i, status, errors);
        }
        assert_string_equal(printed, "");
        assert_ptr_equal(strchr(errors, '\n'), errors + strlen(errors) - 1); /* one line */
        assert_int_equal(count_files(parent), 0);
        free(printed);
        free(errors);
        free(out);
        remove_folder(parent);
    }
}

static void same_bytes_twice(void **state) {
    (void)state;
    char *a = make_folder(), *b = make_folder();
    decompose_pixels(models[2].folder, "openblas", TEST_GOLDEN "/mini/pixels.npy", a);
    decompose_pixels(models[2].folder, "openblas", TEST_GOLDEN "/mini/pixels.npy", b);
    static const char *const names[] = {"embedding", "codes", "bases", "heads", "mlps", "tokens", "heat"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        char *one = text("%s/%s.npy", a, names[i]), *other = text("%s/%s.npy", b, names[i]);
        assert_same_file(one, other);
        free(one);
        free(other);
    }
    remove_folder(a);
    remove_folder(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arrays_equal_golden),
        cmocka_unit_test(contributions_sum_to_embedding),
        cmocka_unit_test(half_precision_equals_rounded_values),
        cmocka_unit_test(images_become_golden_pixels_and_embeddings),
        cmocka_unit_test(texts_come_from_line_and_file_in_order),
        cmocka_unit_test(wrong_input_is_one_line_and_leaves_nothing),
        cmocka_unit_test(same_bytes_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
