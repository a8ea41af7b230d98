/* Models whose towers timm makes, for images of other sizes than their weights were made for: positions are
 * resized, rotary ones follow from the grid; against arrays that tests/golden/places/make_families.py made.
 * (clip-vit's are in test_clip_vit_fields.c.) */
#include "tests/experiment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name, *level; /* level: of siglip; NULL: it has none */
    const char *grid;         /* that the weights have */
} models[] = {
    {"eva02-a-open_clip", NULL, "5 x 5"},
    {"siglip-a-open_clip", "level=pooling", "5 x 5"},
    {"siglip-a-open_clip", "level=layers", "5 x 5"},
};

static const struct {
    const char *name;
    double tolerance;
} backends[] = {{"reference", 2e-5}, {"openblas", 1e-4}, {"native", 1e-4}};

static char *folder_of(const char *name) {
    return text("%s/families/%s/model", TEST_GOLDEN, name);
}

/* Sums of contributions are e/|e|. */
static void assert_sums(const char *folder, const npy_array *embedding) {
    npy_array parts = read_array(folder, "contributions"); /* images x components x embed_dim */
    size_t dim = parts.shape[2];
    for (size_t image = 0; image < parts.shape[0]; ++image) {
        const float *e = embedding->data + image * dim;
        double square = 0;
        for (size_t j = 0; j < dim; ++j) square += (double)e[j] * (double)e[j];
        for (size_t j = 0; j < dim; ++j) {
            double sum = 0;
            for (size_t i = 0; i < parts.shape[1]; ++i)
                sum += (double)parts.data[(image * parts.shape[1] + i) * dim + j];
            if (!(fabs(sum - (double)e[j] / sqrt(square)) < 1e-4)) fail_msg("%s: not the sum", folder);
        }
    }
    free(parts.data);
}

static void check(size_t model, const char *option, const char *size, size_t backend) {
    char *out = make_folder(), *folder = folder_of(models[model].name), *errors;
    char *pixels = text("%s/places/%s-pixels.npy", TEST_GOLDEN, size), *asked = text("image-size=%s", option);
    const char *arguments[16] = {TEST_COMMAND, "decompose", "--model", folder,      "--pixels",
                                 pixels,       "--out",     out,       "--backend", backends[backend].name,
                                 "--option",   asked};
    if (models[model].level) arguments[12] = "--option", arguments[13] = models[model].level;
    int status = run_program(arguments, NULL, &errors);
    if (status != 0) fail_msg("%s at %s: %s", models[model].name, option, errors);
    char *name = text("%s-%s-embedding", models[model].name, size);
    npy_array expected = golden("places", name), got = read_array(out, "embedding");
    double error = worst_error(&expected, &got);
    if (!(error <= backends[backend].tolerance))
        fail_msg("%s on %s: %g", name, backends[backend].name, error);
    assert_sums(out, &got);
    char *strings[] = {folder, errors, pixels, asked, name};
    for (size_t i = 0; i < COUNT(strings); ++i) free(strings[i]);
    free(expected.data);
    free(got.data);
    remove_folder(out);
}

static void embeddings_of_other_sizes_equal_golden(void **state) {
    (void)state;
    for (size_t model = 0; model < COUNT(models); ++model) {
        for (size_t backend = 0; backend < COUNT(backends); ++backend) {
            check(model, "24x56", "24x56", backend);
            check(model, "48", "48x48", backend);
        }
    }
}

/* ---- what is said of it ---- */

static outcome run_at(const char *name, const char *size) {
    char *model = folder_of(name), *folder = make_folder(), *list = text("%s/list.txt", folder);
    char *head = text("model: {path: %s%s%s}\ncompute: {backend: reference}\n"
                      "gallery: {images: list.txt, atlas: atlas}\n",
                      model, size ? ", image-size: " : "", size ? size : "");
    write_text(list, TEST_GOLDEN "/images/rgb_wide.png\n");
    outcome got = run_in(folder, head,
                         "  - {plugin: image-neighbors, images: [" TEST_GOLDEN
                         "/images/gray.png], heads: [all], count: 1}\n");
    free(head);
    free(list);
    free(model);
    return got;
}

static char *digest_at(const char *name, const char *size) {
    outcome got = run_at(name, size);
    need_success(&got);
    const cJSON *model = cJSON_GetObjectItem(got.root, "model");
    char *digest = strdup(field(model, "digest"));
    const cJSON *positions = cJSON_GetObjectItem(model, "positions");
    if (!size)
        assert_null(positions);
    else
        assert_string_equal(positions->valuestring, strcmp(size, "24x56") == 0
                                                        ? "resized from 5 x 5 to 3 x 7"
                                                        : "resized from 5 x 5 to 3 x 6");
    end(&got);
    return digest;
}

/* An atlas of images of one size is none of another. */
static void digests_tell_sizes_apart(void **state) {
    (void)state;
    for (size_t model = 0; model < 2; ++model) {
        const char *name = models[model].name;
        char *own = digest_at(name, NULL), *wide = digest_at(name, "24x56"),
             *narrow = digest_at(name, "24x48");
        assert_string_not_equal(own, wide);
        assert_string_not_equal(wide, narrow);
        free(own);
        free(wide);
        free(narrow);
    }
}

static void sizes_that_cannot_be_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"7", "8x7", "40x", "big", "99999"};
    for (size_t model = 0; model < 2; ++model) {
        for (size_t i = 0; i < COUNT(wrong); ++i) {
            outcome got = run_at(models[model].name, wrong[i]);
            need_failure(&got, 2, "image-size is");
            end(&got);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embeddings_of_other_sizes_equal_golden),
        cmocka_unit_test(digests_tell_sizes_apart),
        cmocka_unit_test(sizes_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
