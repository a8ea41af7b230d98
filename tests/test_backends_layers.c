/* Linear maps, activations, patch embedding and layer norm: every compute plugin, and the fixture `opaque`,
 * against `reference`, over tables of shapes and layouts. */
#include "tests/layers.h"

#include <math.h>
#include <stdlib.h>

static void test_linear(void **state) {
    (void)state;
    static const linear_case cases[] = {
        {1, 1, 1, HL_IDENTITY, false, NO_RESIDUAL},
        {1, 64, 10, HL_IDENTITY, true, NO_RESIDUAL},
        {1, 19, 33, HL_GELU, true, APART},
        {5, 7, 9, HL_IDENTITY, false, APART},
        {5, 7, 9, HL_IDENTITY, false, IN_PLACE},
        {6, 24, 21, HL_IDENTITY, true, IN_PLACE},
        {17, 33, 48, HL_IDENTITY, true, APART},
        {34, 40, 65, HL_GELU, true, NO_RESIDUAL},
        {34, 40, 65, HL_GELU, false, APART},
        {34, 40, 65, HL_GELU, true, IN_PLACE},
        {34, 40, 65, HL_QUICK_GELU, true, NO_RESIDUAL},
        {34, 40, 65, HL_QUICK_GELU, false, IN_PLACE},
        {34, 40, 65, HL_QUICK_GELU, true, APART},
        {100, 48, 480, HL_QUICK_GELU, true, NO_RESIDUAL}, /* wide: cut by columns */
        {403, 70, 66, HL_GELU, true, IN_PLACE},           /* tall: cut by rows */
        {34, 40, 65, HL_GELU_TANH, true, NO_RESIDUAL},
        {7, 19, 33, HL_GELU_TANH, false, IN_PLACE},
        {34, 40, 65, HL_SILU, true, APART},
        {34, 40, 65, HL_RELU, true, IN_PLACE},
        {150, 260, 131, HL_IDENTITY, true, IN_PLACE},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        float *data = random_numbers(cases[i].out * cases[i].in, 77, 0),
              *bias = random_numbers(cases[i].out, 78, 0);
        test_scene scene = linear_scene(&cases[i], data, bias);
        char *what = text("linear case %zu", i);
        conform(what, &scene);
        free(what);
        free(data);
        free(bias);
    }
}

static double activated(hl_activation activation, double x) {
    const double tanh_argument = sqrt(2 / M_PI) * (x + 0.044715 * x * x * x);
    switch (activation) {
    case HL_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case HL_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case HL_GELU_TANH:
        return x / (1 + exp(-2 * tanh_argument));
    case HL_SILU:
        return x / (1 + exp(-x));
    default:
        return x > 0 ? x : 0;
    }
}

/* For gelu the absolute error of the error function counts; for the others the relative one, which grows with
 * exp's argument in f32; of gelu's tanh form that is a cube, so that the far tail, which is as good as 0,
 * counts as far as it is seen beside x. */
static double activation_error(hl_activation activation, double x, double wanted) {
    if (activation == HL_GELU || activation == HL_GELU_TANH) return 3e-7 * fmax(1, fabs(x));
    return activation == HL_RELU ? 0 : 2e-7 * (2 + fabs(x)) * fabs(wanted);
}

static void check_activation(const char *name, hl_activation activation, float x, float got) {
    double at = (double)x, wanted = activated(activation, at),
           allowed = activation_error(activation, at, wanted);
    if (fabs((double)got - wanted) <= allowed) return;
    fail_msg("compute/%s: activation %d of %g is %g, not %g", name, (int)activation, at, (double)got, wanted);
}

/* The activations themselves, over all that matters of the line: the only weight is 1. */
static void test_activations(void **state) {
    (void)state;
    enum { POINTS = 4001 };
    static const float one = 1;
    float x[POINTS];
    for (size_t i = 0; i < POINTS; ++i) x[i] = ((float)i - 2000) / 100;
    for (hl_activation activation = HL_GELU; activation <= HL_RELU; ++activation) {
        const linear_case row = {POINTS, 1, 1, activation, false, NO_RESIDUAL};
        test_scene scene = linear_scene(&row, &one, NULL);
        scene.operands[0].given = x;
        for (size_t b = 0; b < backend_count; ++b) {
            float *got[OPERANDS];
            hl_error error;
            assert_ok(attempt(&backends[b].compute, &scene, plain, got, &error), error);
            for (size_t i = 0; i < POINTS; ++i) {
                check_activation(backends[b].plugin->name, activation, x[i], got[2][i]);
            }
            forget_operands(got);
        }
    }
}

static void test_patch_embedding(void **state) {
    (void)state;
    static const patch_case cases[] = {
        {1, 3, 4, 4, 4, 5, 1, true, false},   {2, 3, 12, 8, 4, 10, 1, true, false},
        {3, 1, 6, 9, 3, 17, 0, true, true},   {2, 3, 14, 14, 7, 33, 2, false, true},
        {5, 3, 8, 4, 2, 24, 0, false, false}, {4, 3, 32, 32, 8, 96, 1, true, false},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        size_t in = cases[i].channels * cases[i].patch * cases[i].patch;
        float *data = random_numbers(cases[i].out * in, 77, 0), *bias = random_numbers(cases[i].out, 78, 0);
        test_scene scene = patch_scene(&cases[i], data, bias);
        char *what = text("patch embedding case %zu", i);
        conform(what, &scene);
        free(what);
        free(data);
        free(bias);
    }
}

static void test_layer_norm(void **state) {
    (void)state;
    static const norm_case cases[] = {
        {1, 1, 0, false, true},     {1, 16, 0, false, false},    {3, 37, 0, false, true},
        {7, 64, -5, true, true},    {4, 100, 0.5f, true, false}, {5, 768, 100, false, true},
        {305, 512, 0, false, true}, {3, 768, 1000, true, true},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        test_scene scene = norm_scene(&cases[i]);
        char *what = text("layer norm case %zu", i);
        conform(what, &scene);
        free(what);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_activations),
        cmocka_unit_test(test_patch_embedding),
        cmocka_unit_test(test_layer_norm),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
