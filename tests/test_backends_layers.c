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

enum { POINTS = 4001 };

/* out = act(x), the only weight being 1. */
static void activate(const hl_compute *compute, hl_activation activation, const float *x, float *out) {
    static const float one = 1;
    const linear_case row = {POINTS, 1, 1, activation, false, NO_RESIDUAL};
    test_scene scene = linear_scene(&row, &one, NULL);
    scene.operands[0].given = x;
    float *got[OPERANDS];
    hl_error error;
    assert_ok(attempt(compute, &scene, plain, got, &error), error);
    memcpy(out, got[2], POINTS * sizeof *out);
    forget_operands(got);
}

/* The activations themselves, over all that matters of the line, at what the backend's precision leaves of
 * its numbers. */
static void test_activations(void **state) {
    (void)state;
    float x[POINTS], seen[POINTS], got[POINTS];
    for (size_t i = 0; i < POINTS; ++i) x[i] = ((float)i - 2000) / 100;
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *compute = &backends[b].compute;
        double allowed = compute->api->tolerance(compute->backend) / 5; /* a product alone, not a sum */
        activate(compute, HL_IDENTITY, x, seen);
        for (size_t i = 0; i < POINTS; ++i) {
            if (fabsf(seen[i] - x[i]) <= (float)allowed * fabsf(x[i])) continue;
            fail_msg("compute/%s, %s: %g is seen as %g", backends[b].plugin->name, backends[b].options,
                     (double)x[i], (double)seen[i]);
        }
        for (hl_activation activation = HL_GELU; activation <= HL_RELU; ++activation) {
            activate(compute, activation, x, got);
            for (size_t i = 0; i < POINTS; ++i) {
                check_activation(backends[b].plugin->name, activation, seen[i], got[i]);
            }
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
