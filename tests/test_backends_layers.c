/* Linear maps, activations, patch embedding and layer norm: every compute plugin, and the fixture `opaque`,
 * against `reference`, over tables of shapes and layouts. */
#include "tests/operation.h"

#include <math.h>

static void test_linear(void **state) {
    (void)state;
    conform_all(OPERATION_LINEAR);
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
    conform_all(OPERATION_PATCH_EMBEDDING);
}

static void test_layer_norm(void **state) {
    (void)state;
    conform_all(OPERATION_LAYER_NORM);
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
