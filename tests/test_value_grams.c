/* V^T V of the heads of model/clip-vit on every compute plugin, against what numpy makes of the stored
 * weights. */
#include "tests/clip_vit.h"

#include <stdlib.h>
#include <string.h>

static const double TOLERANCE = 1e-6; /* of an expected array that is read as f32 */

static size_t head_width(const opened_model *m) {
    return component(m, find_component(m, "L0.H0"))->width;
}

/* Of all heads, in the order of the component table. */
static npy_array grams_of(const opened_model *m, size_t layers, size_t heads) {
    hl_error error;
    size_t n = head_width(m);
    npy_array out = SHAPED(layers, heads, n, n);
    double *gram = zeros(n * n, sizeof *gram);
    float *to = out.data;
    for (uint32_t i = 0; i < m->info->component_count; ++i) {
        if (component(m, i)->kind != HL_HEAD) continue;
        assert_ok(api.value_gram(m->model, i, gram, &error), error);
        for (size_t j = 0; j < n * n; ++j) {
            assert_true(gram[j] == gram[j % n * n + j / n]);
            *to++ = (float)gram[j];
        }
    }
    assert_ptr_equal(to, out.data + out.elements);
    free(gram);
    return out;
}

static void they_are_numpys(void **state) {
    (void)state;
    for (size_t i = 0; i < GOLDEN_MODELS * backend_count; ++i) {
        const golden_model *g = &golden_models[i / backend_count];
        opened_model m = open_folder(g->folder, &backends[i % backend_count], 1);
        char *name = text("%s-value_grams", g->name);
        npy_array expected = golden("parts", name), got = grams_of(&m, g->layers, g->heads);
        assert_close(name, &expected, &got, TOLERANCE);
        free(name);
        free(expected.data);
        free(got.data);
        close_model(&m);
    }
}

/* Half precision is widened before anything is multiplied. */
static void half_precision_is_what_it_holds(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {TEST_GOLDEN "/tiny-a/model-f16", TEST_GOLDEN "/tiny-a/model-f16-rounded"},
        {TEST_GOLDEN "/tiny-a/model-bf16", TEST_GOLDEN "/tiny-a/model-bf16-rounded"}};
    for (size_t i = 0; i < COUNT(pairs) * backend_count; ++i) {
        npy_array got[2];
        for (size_t j = 0; j < 2; ++j) {
            opened_model m = open_folder(pairs[i / backend_count][j], &backends[i % backend_count], 1);
            got[j] = grams_of(&m, 3, 3);
            close_model(&m);
        }
        assert_memory_equal(got[0].data, got[1].data, got[0].elements * sizeof(float));
        free(got[0].data);
        free(got[1].data);
    }
}

static void random_weights_have_them_too(void **state) {
    (void)state;
    hl_model_source source = {.path = TINY_A, .random_weights = true, .seed = 4};
    opened_model m = open_source(source, &backends[0], 1);
    npy_array got = grams_of(&m, 3, 3);
    for (size_t i = 0; i < got.elements; ++i) {
        bool is_diagonal = i % (16 * 16) % 17 == 0;
        assert_true(!is_diagonal || got.data[i] > 0);
    }
    free(got.data);
    close_model(&m);
}

static void what_is_no_head_has_none(void **state) {
    (void)state;
    opened_model m = open_folder(TINY_A, &backends[0], 1);
    double gram[48 * 48];
    hl_error error = {""};
    assert_int_equal(api.value_gram(m.model, find_component(&m, "L1.MLP"), gram, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "L1.MLP is no head"));
    assert_int_equal(api.value_gram(m.model, find_component(&m, "input"), gram, &error), HL_USAGE);
    assert_int_equal(api.value_gram(m.model, m.info->component_count, gram, &error), HL_USAGE);
    assert_non_null(strstr(error.message, "does not exist"));
    close_model(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(they_are_numpys),
        cmocka_unit_test(half_precision_is_what_it_holds),
        cmocka_unit_test(random_weights_have_them_too),
        cmocka_unit_test(what_is_no_head_has_none),
    };
    return cmocka_run_group_tests(tests, open_clip_vit_and_backends, close_clip_vit);
}
