/* `headlight decompose --layout clip_text_span`: names, shapes and numbers of what the peers' scripts read,
 * against arrays that their code computed; and what cannot be written leaves nothing. */
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TINY(NAME) TEST_GOLDEN "/" NAME "/model"
#define POOL       TEST_GOLDEN "/pool.txt"

enum { WORDS = 24 };

static char *folder; /* fresh for each test */

static int open_folder(void **state) {
    (void)state;
    folder = make_folder();
    return 0;
}

static int close_folder(void **state) {
    (void)state;
    remove_folder(folder);
    return 0;
}

/* `more` ends with NULL. Writes into `folder`/out. */
static int write_arrays(const char *model, const char *backend, const char *const *more, char **errors) {
    char *out = text("%s/out", folder);
    const char *words[WORDS] = {TEST_COMMAND, "decompose", "--layout", "clip_text_span", "--model",
                                model,        "--backend", backend,    "--out",          out};
    size_t count = 10;
    for (; *more; ++more) {
        assert_true(count < WORDS - 1);
        words[count++] = *more;
    }
    int status = run_program(words, NULL, errors);
    free(out);
    return status;
}

static void write_well(const char *model, const char *backend, const char *const *more) {
    char *errors;
    int status = write_arrays(model, backend, more, &errors);
    if (status != 0) fail_msg("status %d: %s", status, errors);
    free(errors);
}

#define WORD_LIST(...) ((const char *const[]){__VA_ARGS__, NULL})

static npy_array made(const char *name) {
    char *out = text("%s/out", folder);
    npy_array array = read_array(out, name);
    free(out);
    return array;
}

static bool was_made(const char *file) {
    char *path = text("%s/out/%s", folder, file);
    bool there = file_exists(path);
    free(path);
    return there;
}

static void assert_near(const npy_array *expected, const npy_array *got, double tolerance) {
    double error = worst_error(expected, got);
    if (!(error <= tolerance)) fail_msg("off by %g, at most %g", error, tolerance);
}

/* ---- images ---- */

static void heads_are_golden(void **state) {
    (void)state;
    static const struct {
        const char *name, *model, *backend;
        double tolerance;
    } cases[] = {{"tiny-a", TINY("tiny-a"), "reference", 2e-5},
                 {"tiny-a", TINY("tiny-a"), "openblas", 1e-4},
                 {"tiny-b", TINY("tiny-b"), "openblas", 1e-4}};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        write_well(cases[i].model, cases[i].backend,
                   WORD_LIST("--gallery", TEST_GOLDEN "/gallery", "--dataset", "g", "--model-name", "M"));
        npy_array expected = golden(cases[i].name, "gallery_heads"), got = made("g_attn_M");
        assert_near(&expected, &got, cases[i].tolerance);
        free(expected.data);
        free(got.data);
    }
}

/* A gallery of the golden images, in their order. */
static char *make_gallery(void) {
    char *gallery = text("%s/images", folder);
    const char *make[] = {"mkdir", gallery, NULL};
    assert_int_equal(run_program(make, NULL, NULL), 0);
    for (size_t i = 0; i < GOLDEN_PNGS; ++i) {
        char *from = text(TEST_GOLDEN "/images/%s", golden_images[i]), *to = text("%s/%zu.png", gallery, i);
        copy_file(from, to);
        free(from);
        free(to);
    }
    return gallery;
}

/* The first images of a golden array. */
static npy_array golden_pngs(const char *name) {
    npy_array array = golden("tiny-a", name);
    array.elements = array.elements / array.shape[0] * GOLDEN_PNGS;
    array.shape[0] = GOLDEN_PNGS;
    return array;
}

static void mlps_and_the_class_token_are_golden(void **state) {
    (void)state;
    char *gallery = make_gallery();
    write_well(TINY("tiny-a"), "reference", WORD_LIST("--gallery", gallery, "--dataset", "six"));
    npy_array mlps = golden_pngs("mlps"), got = made("six_mlp_model"),
              class_token = made("six_cls_attn_model"), tokens = golden_pngs("tokens"), sums = class_token;
    assert_near(&mlps, &got, 2e-5);
    size_t layers = tokens.shape[1], all = tokens.shape[2], heads = tokens.shape[3], dim = tokens.shape[4];
    assert_int_equal(class_token.rank, 3);
    assert_int_equal(class_token.elements, GOLDEN_PNGS * layers * dim);
    sums.data = calloc(sums.elements, sizeof *sums.data);
    assert_non_null(sums.data);
    for (size_t i = 0; i < GOLDEN_PNGS * layers * heads * dim; ++i) {
        size_t row = i / (heads * dim); /* an image's layer */
        sums.data[row * dim + i % dim] += tokens.data[row * all * heads * dim + i % (heads * dim)];
    }
    assert_near(&sums, &class_token, 2e-5);
    char *path = text("%s/out/six_images.txt", folder), *paths = read_file(path, NULL);
    assert_string_equal(paths, "0.png\n1.png\n2.png\n3.png\n4.png\n5.png\n");
    free(path);
    free(paths);
    free(mlps.data);
    free(got.data);
    free(class_token.data);
    free(tokens.data);
    free(sums.data);
    free(gallery);
}

/* ---- texts ---- */

static size_t row_of(const char *line) {
    char *lines = read_file(POOL, NULL), *rest = lines, *one;
    size_t row = 0;
    while ((one = strsep(&rest, "\n")) && strcmp(one, line) != 0) ++row;
    assert_non_null(one);
    free(lines);
    return row;
}

static void a_pool_and_a_classifier_need_no_images(void **state) {
    (void)state;
    static const char *const shapes[] = {"circle", "square", "star"};
    char *classes = text("%s/shapes.txt", folder), *templates = text("%s/templates.txt", folder);
    write_text(classes, "circle\n\n square \r\nstar");
    write_text(templates, "a red {}\na blue {}\n\n");
    write_well(TINY("tiny-a"), "reference",
               WORD_LIST("--texts", POOL, "--classes", classes, "--templates", templates, "--dataset",
                         "shapes", "--model-name", "ViT-S-1"));
    npy_array expected = golden("tiny-a", "pool_embedding"), pool = made("pool_ViT-S-1"),
              classifier = made("shapes_classifier_ViT-S-1");
    assert_near(&expected, &pool, 2e-5);
    size_t dim = pool.shape[1];
    assert_int_equal(classifier.shape[0], dim);
    assert_int_equal(classifier.shape[1], COUNT(shapes));
    for (size_t c = 0; c < COUNT(shapes); ++c) {
        char *red = text("a red %s", shapes[c]), *blue = text("a blue %s", shapes[c]);
        const float *one = expected.data + row_of(red) * dim, *other = expected.data + row_of(blue) * dim;
        double square = 0;
        for (size_t j = 0; j < dim; ++j) square += pow((double)one[j] + (double)other[j], 2);
        for (size_t j = 0; j < dim; ++j) {
            double mean = ((double)one[j] + (double)other[j]) / sqrt(square);
            assert_true(fabs(mean - (double)classifier.data[j * COUNT(shapes) + c]) < 2e-5);
        }
        free(red);
        free(blue);
    }
    assert_false(was_made("shapes_attn_ViT-S-1.npy"));
    free(expected.data);
    free(pool.data);
    free(classifier.data);
    free(classes);
    free(templates);
}

/* Rows stand for lines, as the peers read them: also for a blank one, and one that was there before. */
static void every_line_of_a_pool_is_a_row(void **state) {
    (void)state;
    char *pool = text("%s/a.b.txt", folder);
    write_text(pool, "snow\n\nsnow\n");
    write_well(TINY("tiny-a"), "reference", WORD_LIST("--texts", pool));
    npy_array got = made("a.b_model");
    size_t dim = got.shape[1];
    assert_int_equal(got.shape[0], 3);
    assert_memory_equal(got.data, got.data + 2 * dim, dim * sizeof(float));
    assert_memory_not_equal(got.data, got.data + dim, dim * sizeof(float));
    free(got.data);
    free(pool);
}

/* ---- labels ---- */

static void assert_labels(const char *shape, const int64_t *expected, size_t count) {
    char *path = text("%s/out/six_labels.npy", folder);
    size_t bytes;
    char *file = read_file(path, &bytes);
    size_t header = 10 + (size_t)(unsigned char)file[8] + 256 * (size_t)(unsigned char)file[9];
    assert_int_equal(bytes, header + count * sizeof *expected);
    assert_memory_equal(file + header, expected, count * sizeof *expected);
    file[header - 1] = '\0';
    assert_non_null(strstr(file + 10, "'<i8'"));
    assert_non_null(strstr(file + 10, shape));
    free(file);
    free(path);
}

static void labels_are_numbers(void **state) {
    (void)state;
    char *gallery = make_gallery(), *json = text("%s/gallery.json", gallery), *classes = text("%s/c", folder);
    write_text(json, "[{\"path\": \"0.png\", \"y\": 3, \"main\": {\"place\": \"sea\"}},"
                     "{\"path\": \"2.png\", \"y\": -1, \"main\": {\"place\": \"land\"}},"
                     "{\"path\": \"1.png\", \"y\": 7, \"main\": {\"place\": \"land\"}}]");
    write_text(classes, "land\nsea\n");
    write_well(TINY("tiny-a"), "reference", WORD_LIST("--gallery", json, "--dataset", "six", "--label", "y"));
    assert_labels("(3,)", (const int64_t[]){3, 7, -1}, 3);
    write_well(TINY("tiny-a"), "reference",
               WORD_LIST("--gallery", json, "--dataset", "six", "--classes", classes, "--label", "main.place",
                         "--label", "y"));
    assert_labels("(3, 2, 1)", (const int64_t[]){1, 3, 0, 7, 0, -1}, 6);
    char *errors;
    assert_int_equal(write_arrays(TINY("tiny-a"), "reference",
                                  WORD_LIST("--gallery", json, "--dataset", "six", "--label", "main.place"),
                                  &errors),
                     2);
    assert_non_null(strstr(errors, "0.png: its \"main.place\" is sea; expected"));
    free(errors);
    assert_int_equal(write_arrays(TINY("tiny-a"), "reference",
                                  WORD_LIST("--gallery", json, "--dataset", "six", "--label", "weather"),
                                  &errors),
                     2);
    assert_non_null(strstr(errors, "0.png: its \"weather\" is missing; expected"));
    free(errors);
    free(gallery);
    free(json);
    free(classes);
}

/* ---- what cannot be ---- */

/* What was there stays, and nothing else appears. */
static void a_damaged_image_leaves_nothing(void **state) {
    (void)state;
    char *gallery = make_gallery(), *last = text("%s/3.png", gallery), *out = text("%s/out", folder), *errors;
    write_well(TINY("tiny-a"), "reference", WORD_LIST("--texts", POOL));
    char *before = sum_files(out);
    size_t bytes;
    char *whole = read_file(last, &bytes);
    write_file(last, whole, bytes / 2); /* its header is there */
    assert_int_equal(write_arrays(TINY("tiny-a"), "reference",
                                  WORD_LIST("--gallery", gallery, "--dataset", "six"), &errors),
                     1);
    assert_non_null(strstr(errors, "3.png"));
    char *after = sum_files(out);
    assert_string_equal(before, after);
    free(errors);
    write_text(last, "no image");
    assert_int_not_equal(write_arrays(TINY("tiny-a"), "reference",
                                      WORD_LIST("--gallery", gallery, "--dataset", "six"), &errors),
                         0);
    assert_non_null(strstr(errors, "3.png"));
    free(errors);
    free(before);
    free(after);
    free(whole);
    free(last);
    free(out);
    free(gallery);
}

static void wrong_usage_says_what_is_right(void **state) {
    (void)state;
    char *classes = text("%s/classes.txt", folder), *templates = text("%s/templates.txt", folder);
    write_text(classes, "[places]\nsea\n");
    write_text(templates, "a photo of {}\na photo\n");
    const struct {
        const char *words[8], *expected;
    } cases[] = {
        {{NULL}, "there is nothing to write"},
        {{"--gallery", TEST_GOLDEN "/gallery", NULL}, "--dataset NAME"},
        {{"--gallery", "/nowhere", "--dataset", "x", NULL}, "/nowhere"},
        {{"--texts", POOL, "--model-name", "a/b", NULL}, "--model-name \"a/b\""},
        {{"--texts", POOL, "--templates", templates, NULL}, "templates are for classes"},
        {{"--classes", classes, "--dataset", "x", NULL}, "classes.txt:1: \"[places]\" is written as"},
        {{"--classes", POOL, "--dataset", "x", "--templates", templates, NULL}, "templates.txt:2: no {}"},
        {{"--texts", POOL, "--image", POOL, NULL}, "--image, --pixels, --text and --tokens are not for it"},
        {{"--texts", POOL, "--label", "y", NULL}, "labels are of images"},
    };
    char *errors;
    for (size_t i = 0; i < COUNT(cases); ++i) {
        int status = write_arrays(TINY("tiny-a"), "reference", cases[i].words, &errors);
        if (status != 2 || !strstr(errors, cases[i].expected))
            fail_msg("case %zu: %d: %s", i, status, errors);
        free(errors);
    }
    assert_false(was_made("pool_model.npy"));
    assert_int_equal(run_command(NULL, &errors, "decompose", "--model", TINY("tiny-a"), "--layout", "other",
                                 "--out", folder, NULL),
                     2);
    assert_non_null(strstr(errors, "--layout other: expected clip_text_span"));
    free(errors);
    assert_int_equal(run_command(NULL, &errors, "decompose", "--model", TINY("tiny-a"), "--gallery", folder,
                                 "--out", folder, NULL),
                     2);
    assert_non_null(strstr(errors, "--layout clip_text_span"));
    free(errors);
    free(classes);
    free(templates);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(heads_are_golden, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(mlps_and_the_class_token_are_golden, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_pool_and_a_classifier_need_no_images, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(every_line_of_a_pool_is_a_row, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(labels_are_numbers, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(a_damaged_image_leaves_nothing, open_folder, close_folder),
        cmocka_unit_test_setup_teardown(wrong_usage_says_what_is_right, open_folder, close_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
