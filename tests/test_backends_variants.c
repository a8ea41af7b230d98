/* What CLIP variants need beyond a plain transformer, gates, rotary positions, convolution and pooling: every
 * compute plugin, and the fixture `opaque`, which leaves them to `reference`, over tables of shapes and
 * layouts. */
#include "tests/kernels.h"
#include "tests/operation.h"

#include <stdlib.h>
#include <string.h>

static void test_gate(void **state) {
    (void)state;
    conform_all(OPERATION_GATE);
}

static void test_rotary(void **state) {
    (void)state;
    conform_all(OPERATION_ROTARY);
}

static void test_convolution(void **state) {
    (void)state;
    conform_all(OPERATION_CONVOLUTION);
}

static void test_average_pool(void **state) {
    (void)state;
    conform_all(OPERATION_AVERAGE_POOL);
}

/* A token that turns by nothing stays as it is, to the bit. */
static void test_rotary_by_nothing(void **state) {
    (void)state;
    static const float ones[] = {1, 1, 1, 1, 1, 1, 1, 1}, zeros[8] = {0};
    static const rotary_case row = {3, 2, 5, 4, HL_PAIR_NEIGHBOURS};
    test_scene scene = rotary_scene(&row);
    float *x = random_numbers(3 * 2 * 5 * 8, 21, 0);
    scene.operands[0].given = x;
    scene.operands[1].given = ones;
    scene.operands[2].given = zeros;
    float *arrays[OPERANDS] = {x};
    for (size_t b = 0; b < backend_count; ++b)
        compare_with(backends[b].plugin->name, &backends[b].compute, &scene, arrays, 0);
    free(x);
}

/* More than one block of whatever a backend lays out at once, and wide enough for several threads. */
static void test_large_convolution(void **state) {
    (void)state;
    static const convolution_case row = {2, 96, 80, 24, 16, 3, 1, 1, HL_RELU, true, IN_PLACE};
    float *data = random_numbers(16 * 9 * 24, 3, 0);
    const test_scene scene = convolution_scene(&row, data, data);
    conform("a large convolution", &scene);
    free(data);
}

enum { MAPS = 5, SIDE = 9, CHANNELS = 20, OUT = 33, CELLS = SIDE * SIDE };

/* The convolution of some maps: CELLS x OUT numbers each; free() them. */
static float *convolve(const hl_compute *compute, const float *data, const float *x, size_t maps) {
    const convolution_case row = {maps, SIDE, SIDE, CHANNELS, OUT, 3, 1, 1, HL_RELU, true, NO_RESIDUAL};
    test_scene scene = convolution_scene(&row, data, data);
    scene.operands[0].given = x;
    float *memory[OPERANDS];
    hl_error error;
    assert_ok(attempt(compute, &scene, plain, memory, &error), error);
    float *out = memory[2];
    memory[2] = NULL;
    forget_operands(memory);
    return out;
}

/* A map's result does not depend on the other maps of its batch. */
static void test_maps_alike(void **state) {
    (void)state;
    float *data = random_numbers(OUT * 9 * CHANNELS, 3, 0),
          *x = random_numbers(MAPS * CELLS * CHANNELS, 4, 0);
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *compute = &backends[b].compute;
        if (!treats_rows_alike(compute)) continue;
        float *together = convolve(compute, data, x, MAPS);
        for (size_t map = 0; map < MAPS; ++map) {
            float *alone = convolve(compute, data, x + map * CELLS * CHANNELS, 1);
            assert_memory_equal(alone, together + map * CELLS * OUT, CELLS * OUT * sizeof(float));
            free(alone);
        }
        free(together);
    }
    free(data);
    free(x);
}

/* ---- what there is none of ---- */

static void refuse(test_scene scene, const char *expected) {
    for (size_t b = 0; b < backend_count; ++b) {
        float *memory[OPERANDS];
        hl_error error = {""};
        assert_int_equal(attempt(&backends[b].compute, &scene, plain, memory, &error), HL_USAGE);
        assert_non_null(strstr(error.message, expected));
        forget_operands(memory);
    }
}

static void test_refused(void **state) {
    (void)state;
    static const float data[16] = {0};
    static const gate_case gate = {2, 3, (hl_activation)(HL_RELU + 1), false};
    refuse(gate_scene(&gate), "activation 6");
    static const convolution_case convolution = {
        1, 2, 2, 1, 1, 1, 1, 0, (hl_activation)(HL_RELU + 1), true, NO_RESIDUAL};
    refuse(convolution_scene(&convolution, data, data), "activation 6");
    static const rotary_case rotary = {1, 1, 1, 1, (hl_rotary_pairs)3};
    refuse(rotary_scene(&rotary), "rotary pairs of kind 3");
}

/* Weights lie where the operation runs that they are for, which another cannot reach. */
static void test_weight_of_another_operation(void **state) {
    (void)state;
    static const float data[16] = {0};
    static const linear_case linear = {2, 4, 4, HL_IDENTITY, true, NO_RESIDUAL};
    test_scene scene = linear_scene(&linear, data, data);
    scene.weight.role = HL_ROLE_CONVOLUTION;
    refuse(scene, "role");
    static const convolution_case convolution = {1, 2, 2, 4, 4, 1, 1, 0, HL_IDENTITY, true, NO_RESIDUAL};
    scene = convolution_scene(&convolution, data, data);
    scene.weight.role = HL_ROLE_MLP_IN;
    refuse(scene, "role");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gate),
        cmocka_unit_test(test_rotary),
        cmocka_unit_test(test_convolution),
        cmocka_unit_test(test_average_pool),
        cmocka_unit_test(test_rotary_by_nothing),
        cmocka_unit_test(test_large_convolution),
        cmocka_unit_test(test_maps_alike),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_weight_of_another_operation),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
