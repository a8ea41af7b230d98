/* Attention: every compute plugin, and the fixture `opaque`, against `reference`, over tables of shapes and
 * layouts. */
#include "tests/operation.h"

#include <math.h>

static void test_attention(void **state) {
    (void)state;
    conform_all(OPERATION_ATTENTION);
}

/* Scores of +-6400 and +-6399, exactly 1 apart: no overflow on the way, and the difference alone counts. */
static void test_large_scores(void **state) {
    (void)state;
    static const float q[] = {64, -64}, k[] = {100, 100 - 1.0f / 64}, v[] = {0, 1};
    float expected[] = {(float)(1 / (1 + exp(1.0))), (float)(1 / (1 + exp(-1.0)))};
    static const attention_case row = {1, 1, 1, 1, 2, 2, HL_MASK_NONE, 1, 0, {0}};
    test_scene scene = attention_scene(&row);
    scene.operands[0].given = q;
    scene.operands[1].given = k;
    scene.operands[2].given = v;
    float *arrays[OPERANDS] = {[3] = expected};
    for (size_t b = 0; b < backend_count; ++b)
        compare_with(backends[b].plugin->name, &backends[b].compute, &scene, arrays, 5e-7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_large_scores),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
