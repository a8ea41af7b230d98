/* `reference` against vectors that PyTorch made in double precision. */
#include "tests/operation.h"

#include <stdlib.h>

static const double REFERENCE_TOLERANCE = 2e-7;

enum { GOLDEN_ARRAYS = 8 };

typedef struct golden_set {
    npy_array arrays[GOLDEN_ARRAYS];
    size_t count;
} golden_set;

static float *golden_data(golden_set *set, const char *name) {
    assert_true(set->count < GOLDEN_ARRAYS);
    set->arrays[set->count] = golden("ops", name);
    return set->arrays[set->count++].data;
}

static void free_golden(golden_set *set) {
    for (size_t i = 0; i < set->count; ++i) free(set->arrays[i].data);
}

static void test_golden_linear(void **state) {
    (void)state;
    static const linear_case cases[] = {{5, 7, 21, HL_IDENTITY, false, NO_RESIDUAL},
                                        {5, 7, 21, HL_IDENTITY, true, APART},
                                        {5, 7, 21, HL_GELU, true, NO_RESIDUAL},
                                        {5, 7, 21, HL_QUICK_GELU, true, APART},
                                        {5, 7, 21, HL_GELU_TANH, true, APART},
                                        {5, 7, 21, HL_SILU, true, NO_RESIDUAL},
                                        {5, 7, 21, HL_RELU, true, APART}};
    static const char *const expected[] = {"linear_plain",      "linear_biased",    "linear_gelu",
                                           "linear_quick_gelu", "linear_gelu_tanh", "linear_silu",
                                           "linear_relu"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene =
            linear_scene(&cases[i], golden_data(&set, "linear_weight"), golden_data(&set, "linear_bias"));
        scene.operands[0].given = golden_data(&set, "linear_x");
        scene.operands[1].given = golden_data(&set, "linear_residual");
        float *arrays[OPERANDS] = {[2] = golden_data(&set, expected[i])};
        compare_with(expected[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

static void test_golden_patch_embedding(void **state) {
    (void)state;
    static const patch_case row = {2, 3, 12, 8, 4, 10, 2, true, true};
    golden_set set = {.count = 0};
    test_scene scene = patch_scene(&row, golden_data(&set, "patch_weight"), golden_data(&set, "patch_bias"));
    scene.operands[0].given = golden_data(&set, "patch_pixels");
    scene.operands[1].given = golden_data(&set, "patch_prefix");
    scene.operands[2].given = golden_data(&set, "patch_position");
    float *arrays[OPERANDS] = {[3] = golden_data(&set, "patch_out")};
    compare_with("golden patch embedding", &reference, &scene, arrays, REFERENCE_TOLERANCE);
    free_golden(&set);
}

static void test_golden_layer_norm(void **state) {
    (void)state;
    static const norm_case row = {4, 37, 0, false, true};
    golden_set set = {.count = 0};
    test_scene scene = norm_scene(&row);
    scene.operands[0].given = golden_data(&set, "norm_x");
    scene.operands[1].given = golden_data(&set, "norm_gain");
    scene.operands[2].given = golden_data(&set, "norm_shift");
    float *arrays[OPERANDS] = {
        [3] = golden_data(&set, "norm_out"), [4] = golden_data(&set, "norm_statistics")};
    compare_with("golden layer norm", &reference, &scene, arrays, REFERENCE_TOLERANCE);
    free_golden(&set);
}

static void test_golden_attention(void **state) {
    (void)state;
    static const attention_case cases[] = {{2, 2, 5, 4, 3, 7, HL_MASK_NONE, 0.4f, 2, {2, 0}},
                                           {2, 2, 5, 4, 3, 3, HL_MASK_CAUSAL, 0.4f, 2, {2, 0}}};
    static const char *const names[] = {"attention", "causal"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene = attention_scene(&cases[i]);
        const char *const parts[] = {"k", "v", "out", "probabilities"};
        float *arrays[OPERANDS] = {0};
        scene.operands[0].given = golden_data(&set, "attention_q");
        for (size_t o = 1; o < OPERANDS; ++o) {
            char *name = text("%s_%s", names[i], parts[o - 1]);
            arrays[o] = golden_data(&set, name);
            if (scene.operands[o].access == READ) scene.operands[o].given = arrays[o];
            free(name);
        }
        compare_with(names[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

static void test_golden_gate(void **state) {
    (void)state;
    static const gate_case cases[] = {{5, 13, HL_SILU, false}, {5, 13, HL_GELU, false}};
    static const char *const expected[] = {"gate_silu", "gate_gelu"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene = gate_scene(&cases[i]);
        scene.operands[0].given = golden_data(&set, "gate_a");
        scene.operands[1].given = golden_data(&set, "gate_b");
        float *arrays[OPERANDS] = {[2] = golden_data(&set, expected[i])};
        compare_with(expected[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

static void test_golden_rotary(void **state) {
    (void)state;
    static const rotary_case cases[] = {{2, 5, 2, 3, HL_PAIR_NEIGHBOURS}, {2, 5, 2, 3, HL_PAIR_HALVES}};
    static const char *const expected[] = {"rotary_neighbours", "rotary_halves"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene = rotary_scene(&cases[i]);
        scene.operands[0].given = golden_data(&set, "rotary_x");
        scene.operands[1].given = golden_data(&set, "rotary_cosines");
        scene.operands[2].given = golden_data(&set, "rotary_sines");
        float *arrays[OPERANDS] = {[0] = golden_data(&set, expected[i])};
        compare_with(expected[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

static void test_golden_convolution(void **state) {
    (void)state;
    static const convolution_case cases[] = {{2, 6, 5, 3, 7, 3, 2, 1, HL_IDENTITY, true, NO_RESIDUAL},
                                             {2, 6, 5, 3, 7, 3, 2, 1, HL_RELU, true, APART}};
    static const char *const expected[] = {"convolution_plain", "convolution_relu"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene = convolution_scene(&cases[i], golden_data(&set, "convolution_weight"),
                                             golden_data(&set, "convolution_bias"));
        scene.operands[0].given = golden_data(&set, "convolution_x");
        scene.operands[1].given = golden_data(&set, "convolution_residual");
        float *arrays[OPERANDS] = {[2] = golden_data(&set, expected[i])};
        compare_with(expected[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

static void test_golden_average_pool(void **state) {
    (void)state;
    static const pool_case cases[] = {{2, 6, 5, 0, 3, 2, 2, 2}, {2, 6, 5, 0, 3, 6, 5, 1}};
    static const char *const expected[] = {"pool_out", "pool_mean"};
    for (size_t i = 0; i < COUNT(cases); ++i) {
        golden_set set = {.count = 0};
        test_scene scene = pool_scene(&cases[i]);
        scene.operands[0].given = golden_data(&set, "convolution_x");
        float *arrays[OPERANDS] = {[1] = golden_data(&set, expected[i])};
        compare_with(expected[i], &reference, &scene, arrays, REFERENCE_TOLERANCE);
        free_golden(&set);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_linear),      cmocka_unit_test(test_golden_patch_embedding),
        cmocka_unit_test(test_golden_layer_norm),  cmocka_unit_test(test_golden_attention),
        cmocka_unit_test(test_golden_gate),        cmocka_unit_test(test_golden_rotary),
        cmocka_unit_test(test_golden_convolution), cmocka_unit_test(test_golden_average_pool),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
