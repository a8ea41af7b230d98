/* Tensors of every compute plugin, and of the fixture `opaque`: made, filled, copied, read. */
#include "tests/operation.h"

#include <stdlib.h>
#include <string.h>

static void test_copy(void **state) {
    (void)state;
    static const size_t shapes[][2] = {{1, 1}, {1, 9}, {5, 1}, {6, 17}, {40, 64}};
    for (size_t i = 0; i < COUNT(shapes); ++i) {
        const size_t dimensions[DIMENSIONS] = {[DIM_ROWS] = shapes[i][0], [DIM_COLS] = shapes[i][1]};
        const test_scene scene = scene_of(OPERATION_COPY, dimensions, (any_operation){.size = 0}, 0, false);
        float *values = initial(&scene, 0, plain), *expected[OPERANDS] = {NULL, values};
        for (size_t b = 0; b < backend_count; ++b)
            compare_with("copy", &backends[b].compute, &scene, expected, 0);
        free(values);
    }
}

static void test_tensors_start_at_zero(void **state) {
    (void)state;
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *compute = &backends[b].compute;
        hl_tensor *tensor;
        float values[21];
        memset(values, 0xff, sizeof values);
        assert_ok(compute->api->new_tensor(compute->backend, 21, &tensor, &error), error);
        assert_ok(compute->api->download(compute->backend, (hl_matrix){tensor, 0, 3, 7, 7}, values, &error),
                  error);
        for (size_t i = 0; i < 21; ++i) assert_true(same_bits(values[i], 0.0f));
        compute->api->free_tensor(compute->backend, tensor);
        compute->api->free_tensor(compute->backend, NULL);
        compute->api->free_weight(compute->backend, NULL);
        assert_true(strlen(compute->api->describe(compute->backend)) > 0);
    }
}

/* Uploads take their data with them, and keep to their matrix. */
static void test_upload_into_a_part(void **state) {
    (void)state;
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *compute = &backends[b].compute;
        static const float expected[] = {0, 0, 1, 2, 0, 0, 3, 4, 0, 0};
        float part[] = {1, 2, 3, 4}, whole[10], back[4];
        hl_tensor *tensor;
        assert_ok(compute->api->new_tensor(compute->backend, 10, &tensor, &error), error);
        const hl_matrix inner = {tensor, 2, 2, 2, 4};
        assert_ok(compute->api->upload(compute->backend, part, inner, &error), error);
        memset(part, 0, sizeof part);
        assert_ok(compute->api->download(compute->backend, (hl_matrix){tensor, 0, 1, 10, 10}, whole, &error),
                  error);
        assert_memory_equal(whole, expected, sizeof whole);
        assert_ok(compute->api->download(compute->backend, inner, back, &error), error);
        for (size_t i = 0; i < 4; ++i) assert_true(same_bits(back[i], (float)(i + 1)));
        compute->api->free_tensor(compute->backend, tensor);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy),
        cmocka_unit_test(test_tensors_start_at_zero),
        cmocka_unit_test(test_upload_into_a_part),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
