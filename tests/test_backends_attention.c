/* Attention: every compute plugin, and the fixture `opaque`, against `reference`, over tables of shapes and
 * layouts. */
#include "tests/layers.h"

#include <math.h>
#include <stdlib.h>

static void test_attention(void **state) {
    (void)state;
    static const attention_case cases[] = {
        {1, 1, 1, 1, 1, 1, HL_MASK_NONE, 1, 1, {0}},
        {1, 2, 16, 16, 1, 17, HL_MASK_NONE, 0.25f, 0, {0}},
        {3, 2, 24, 24, 1, 50, HL_MASK_NONE, 0.2f, 1, {0}},
        {2, 3, 5, 9, 4, 7, HL_MASK_NONE, 2, 2, {3, 0}},
        {2, 3, 9, 5, 7, 4, HL_MASK_NONE, 1, 3, {6, 2, 2}},
        {2, 2, 8, 8, 6, 6, HL_MASK_CAUSAL, 1, 2, {5, 0}},
        {1, 4, 16, 16, 33, 33, HL_MASK_CAUSAL, 0.25f, 0, {0}},
        {2, 2, 8, 8, 3, 9, HL_MASK_CAUSAL, 1, 1, {2}},
        {4, 4, 32, 32, 50, 50, HL_MASK_NONE, 0.17f, 1, {0}},
    };
    for (size_t i = 0; i < COUNT(cases); ++i) {
        test_scene scene = attention_scene(&cases[i]);
        char *what = text("attention case %zu", i);
        conform(what, &scene);
        free(what);
    }
}

/* Queries, keys and values as columns of one matrix, the way that models project them. */
static hl_status run_packed_attention(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                                      const hl_weight *weight, hl_error *error) {
    (void)scene, (void)weight;
    hl_matrix parts[3];
    for (size_t i = 0; i < 3; ++i) {
        parts[i] = m[0];
        parts[i].cols /= 3;
        parts[i].offset += i * parts[i].cols;
    }
    const hl_attention operation = {.size = sizeof operation,
                                    .q = parts[0],
                                    .k = parts[1],
                                    .v = parts[2],
                                    .out = m[3],
                                    .batch = 2,
                                    .heads = 2,
                                    .scale = 0.3f};
    return compute->api->attention(compute->backend, &operation, error);
}

static void test_packed_attention(void **state) {
    (void)state;
    const test_scene scene = {
        .operands = {{READ, .rows = 2 * 9, .cols = 3 * 24}, [3] = {WRITE, .rows = 2 * 9, .cols = 24}},
        .run = run_packed_attention};
    conform("packed attention", &scene);
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
        cmocka_unit_test(test_packed_attention),
        cmocka_unit_test(test_large_scores),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
