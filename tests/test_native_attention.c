/* The native backend's attention, kernel by kernel, against the formula in double precision. */
#include "backends/native/kernels.h"
#include "core/conformance/scene.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* `tolerance`: of the largest value. Tiles of bf16 round keys and queries, so scores of size s are off by s
 * 2^-9, 2^-17 or less. */
static const struct {
    const attention_kernel *kernel;
    double tolerance;
} all_kernels[] = {
#if defined __x86_64__
    {&amx_attention_bf16, 2e-2},   {&amx_attention_bf16x3, 5e-5}, {&amx_attention_bf16x6, 3e-6},
    {&avx512_attention_f32, 2e-6}, {&avx2_attention_f32, 2e-6},
#endif
    {&plain_attention_f32, 2e-6}};

static size_t runs_here[COUNT(all_kernels)], kernel_count;

static int find_kernels(void **state) {
    (void)state;
    processor machine = processor_of_this_machine();
    for (size_t i = 0; i < COUNT(all_kernels); ++i) {
        const attention_kernel *kernel = all_kernels[i].kernel;
        if (kernel->runs_on(&machine))
            runs_here[kernel_count++] = i;
        else
            print_message("%s (%d) does not run here\n", kernel->name, (int)kernel->precision);
    }
    return 0;
}

typedef struct attention_case {
    size_t q_rows, keys, key_width, value_width;
    hl_mask mask;
    float scale;
} attention_case;

/* Towers' shapes, kernels' tiles and just beside them, one key, one query, odd widths. */
static const attention_case cases[] = {
    {197, 197, 64, 64, HL_MASK_NONE, 0.125f}, {50, 50, 64, 64, HL_MASK_NONE, 0.125f},
    {77, 77, 64, 64, HL_MASK_CAUSAL, 0.125f}, {9, 9, 64, 64, HL_MASK_CAUSAL, 0.125f},
    {1, 257, 64, 64, HL_MASK_NONE, 0.125f},   {1, 1, 1, 1, HL_MASK_NONE, 1},
    {1, 1, 64, 64, HL_MASK_CAUSAL, 0.125f},   {5, 1, 7, 3, HL_MASK_NONE, 0.5f},
    {5, 1, 7, 3, HL_MASK_CAUSAL, 0.5f},       {16, 16, 32, 16, HL_MASK_NONE, 0.3f},
    {17, 33, 33, 17, HL_MASK_NONE, 0.3f},     {31, 15, 31, 15, HL_MASK_NONE, 0.3f},
    {32, 32, 32, 32, HL_MASK_CAUSAL, 0.3f},   {33, 31, 16, 48, HL_MASK_CAUSAL, 0.3f},
    {48, 65, 65, 1, HL_MASK_NONE, 0.3f},      {49, 64, 1, 65, HL_MASK_NONE, 1},
    {12, 24, 80, 88, HL_MASK_NONE, 0.1f},     {13, 25, 72, 104, HL_MASK_CAUSAL, 0.1f},
    {3, 700, 20, 20, HL_MASK_NONE, 0.2f},     {40, 20, 8, 8, HL_MASK_CAUSAL, 0.3f},
    {20, 40, 24, 40, HL_MASK_CAUSAL, 0.3f},   {65, 130, 128, 128, HL_MASK_NONE, 0.09f},
    {21, 22, 23, 24, HL_MASK_NONE, -0.25f},   {22, 21, 64, 64, HL_MASK_CAUSAL, -0.125f},
    {30, 47, 48, 33, HL_MASK_NONE, 0},
};

/* One head's operands in rows of `extra` more numbers, in memory that ends with them. */
typedef struct operands {
    attention_case shape;
    attention_task task;
    float *q, *k, *v, *out;
    size_t out_size;
} operands;

static float *matrix_of(size_t rows, size_t cols, size_t stride, uint32_t seed, float spread) {
    size_t count = (rows - 1) * stride + cols;
    float *numbers = random_numbers(count, seed, 0);
    for (size_t i = 0; i < count; ++i) numbers[i] *= spread;
    return numbers;
}

static operands operands_of(attention_case shape, size_t extra, float spread) {
    operands o = {.shape = shape};
    size_t stride = shape.key_width + extra, value_stride = shape.value_width + extra;
    o.q = matrix_of(shape.q_rows, shape.key_width, stride, 3, spread);
    o.k = matrix_of(shape.keys, shape.key_width, stride, 5, spread);
    o.v = matrix_of(shape.keys, shape.value_width, value_stride, 7, 1);
    o.out_size = (shape.q_rows - 1) * value_stride + shape.value_width;
    o.out = malloc(o.out_size * sizeof *o.out);
    for (size_t i = 0; i < o.out_size; ++i) o.out[i] = 77;
    o.task = (attention_task){.q = o.q,
                              .k = o.k,
                              .v = o.v,
                              .out = o.out,
                              .q_stride = stride,
                              .k_stride = stride,
                              .v_stride = value_stride,
                              .out_stride = value_stride,
                              .keys = shape.keys,
                              .key_width = shape.key_width,
                              .value_width = shape.value_width,
                              .scale = shape.scale,
                              .mask = shape.mask};
    return o;
}

static void free_operands(operands *o) {
    free(o->q), free(o->k), free(o->v), free(o->out);
}

/* Whatever was in `scratch` before does not matter. */
static void *scratch_of(const attention_kernel *kernel, const attention_case *shape) {
    size_t bytes = kernel->scratch_bytes(shape->keys, shape->key_width, shape->value_width);
    void *scratch = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    assert_non_null(scratch);
    memset(scratch, 0xff, bytes); /* NaN */
    return scratch;
}

/* `step` query rows at once, from the last to the first. */
static void run(const attention_kernel *kernel, operands *o, size_t step) {
    void *scratch = scratch_of(kernel, &o->shape);
    attention_task task = o->task;
    if (kernel->begin) kernel->begin();
    kernel->pack(&task, scratch);
    for (size_t end = o->shape.q_rows; end > 0; end = task.first) {
        task.first = (end - 1) / step * step;
        task.count = end - task.first;
        kernel->attend(&task, scratch);
    }
    if (kernel->end) kernel->end();
    free(scratch);
}

static void run_probe(const attention_kernel *kernel, const operands *o, size_t row, float *out) {
    void *scratch = scratch_of(kernel, &o->shape);
    if (kernel->begin) kernel->begin();
    kernel->pack(&o->task, scratch);
    kernel->probe(&o->task, row, scratch, out);
    if (kernel->end) kernel->end();
    free(scratch);
}

/* p (keys) */
static void expected_weights(const operands *o, size_t row, double *p) {
    const attention_task *t = &o->task;
    size_t seen = t->mask == HL_MASK_CAUSAL && row < t->keys ? row + 1 : t->keys;
    double largest = -HUGE_VAL, sum = 0;
    for (size_t j = 0; j < seen; ++j) {
        p[j] = 0;
        for (size_t i = 0; i < t->key_width; ++i)
            p[j] += (double)t->q[row * t->q_stride + i] * (double)t->k[j * t->k_stride + i];
        p[j] *= (double)t->scale;
        largest = fmax(largest, p[j]);
    }
    for (size_t j = 0; j < seen; ++j) sum += p[j] = exp(p[j] - largest);
    for (size_t j = 0; j < t->keys; ++j) p[j] = j < seen ? p[j] / sum : 0;
}

static void check(size_t index, const operands *o, size_t number) {
    const attention_task *t = &o->task;
    double *p = malloc(t->keys * sizeof *p);
    for (size_t row = 0; row < o->shape.q_rows; ++row) {
        expected_weights(o, row, p);
        for (size_t i = 0; i < t->out_stride && row * t->out_stride + i < o->out_size; ++i) {
            double expected = i < t->value_width ? 0 : 77;
            for (size_t j = 0; j < t->keys && i < t->value_width; ++j)
                expected += p[j] * (double)t->v[j * t->v_stride + i];
            double got = (double)o->out[row * t->out_stride + i];
            double allowed = i < t->value_width ? all_kernels[index].tolerance : 0;
            if (!(fabs(got - expected) <= allowed))
                fail_msg("%s (%d), case %zu, row %zu, column %zu: %.9g, expected %.9g",
                         all_kernels[index].kernel->name, (int)all_kernels[index].kernel->precision, number,
                         row, i, got, expected);
        }
    }
    free(p);
}

static void attention_is_its_formula(void **state) {
    (void)state;
    for (size_t c = 0; c < COUNT(cases); ++c) {
        for (size_t k = 0; k < kernel_count; ++k) {
            operands o = operands_of(cases[c], c % 3 * 5, 1);
            run(all_kernels[runs_here[k]].kernel, &o, all_kernels[runs_here[k]].kernel->query_rows);
            check(runs_here[k], &o, c);
            free_operands(&o);
        }
    }
}

static void probes_are_probabilities(void **state) {
    (void)state;
    for (size_t c = 0; c < COUNT(cases); ++c) {
        operands o = operands_of(cases[c], 0, 1);
        double *expected = malloc(o.task.keys * sizeof *expected);
        float *got = malloc(o.task.keys * sizeof *got);
        for (size_t k = 0; k < kernel_count; ++k) {
            for (size_t row = 0; row < cases[c].q_rows; row += 1 + cases[c].q_rows / 3) {
                double sum = 0;
                expected_weights(&o, row, expected);
                run_probe(all_kernels[runs_here[k]].kernel, &o, row, got);
                for (size_t j = 0; j < o.task.keys; ++j) {
                    assert_true(fabs((double)got[j] - expected[j]) <= all_kernels[runs_here[k]].tolerance);
                    assert_true(expected[j] > 0 || got[j] == 0);
                    sum += (double)got[j];
                }
                assert_true(fabs(sum - 1) < 1e-6);
            }
        }
        free(expected), free(got);
        free_operands(&o);
    }
}

/* The same bytes however query rows come together. */
static void rows_stand_alone(void **state) {
    (void)state;
    for (size_t c = 0; c < COUNT(cases); ++c) {
        for (size_t k = 0; k < kernel_count; ++k) {
            const attention_kernel *kernel = all_kernels[runs_here[k]].kernel;
            operands whole = operands_of(cases[c], 0, 1), parts = operands_of(cases[c], 0, 1);
            run(kernel, &whole, kernel->query_rows);
            const size_t steps[] = {1, 5, kernel->query_rows - 1};
            for (size_t s = 0; s < COUNT(steps); ++s) {
                run(kernel, &parts, steps[s]);
                assert_memory_equal(parts.out, whole.out, whole.out_size * sizeof *whole.out);
            }
            free_operands(&whole), free_operands(&parts);
        }
    }
}

/* Under the causal mask a row has the same bytes whatever follows, and whether anything does. */
static void what_follows_does_not_matter(void **state) {
    (void)state;
    const attention_case longer = {77, 77, 64, 64, HL_MASK_CAUSAL, 0.125f};
    for (size_t k = 0; k < kernel_count; ++k) {
        const attention_kernel *kernel = all_kernels[runs_here[k]].kernel;
        operands all = operands_of(longer, 0, 1);
        run(kernel, &all, kernel->query_rows);
        for (size_t rows = 1; rows < longer.keys; ++rows) {
            operands some = operands_of(longer, 0, 1);
            some.shape.q_rows = some.shape.keys = some.task.keys = rows;
            run(kernel, &some, kernel->query_rows);
            assert_memory_equal(some.out, all.out, rows * longer.value_width * sizeof *all.out);
            free_operands(&some);
        }
        free_operands(&all);
    }
}

/* Scores in the thousands: nothing overflows, one key takes all, and what it weighs is a number. */
static void large_scores_stay_numbers(void **state) {
    (void)state;
    static const float spreads[] = {100, 1e6f, 1e15f};
    for (size_t s = 0; s < COUNT(spreads); ++s) {
        for (size_t c = 0; c < COUNT(cases); ++c) {
            operands o = operands_of(cases[c], 0, spreads[s]);
            float *p = malloc(o.task.keys * sizeof *p);
            for (size_t k = 0; k < kernel_count; ++k) {
                const attention_kernel *kernel = all_kernels[runs_here[k]].kernel;
                run(kernel, &o, kernel->query_rows);
                for (size_t i = 0; i < o.out_size; ++i) assert_true(fabsf(o.out[i]) < 10);
                run_probe(kernel, &o, cases[c].q_rows - 1, p);
                double sum = 0;
                for (size_t j = 0; j < o.task.keys; ++j) sum += (double)p[j];
                assert_true(fabs(sum - 1) < 1e-6);
            }
            free(p);
            free_operands(&o);
        }
    }
}

/* 6400 and 6399, exactly: the difference alone counts. */
static void close_large_scores_are_told_apart(void **state) {
    (void)state;
    const attention_case shape = {1, 2, 1, 1, HL_MASK_NONE, 1};
    for (size_t k = 0; k < kernel_count; ++k) {
        if (all_kernels[runs_here[k]].kernel->precision == PRECISION_BF16) continue; /* has 8 bits */
        operands o = operands_of(shape, 0, 1);
        o.q[0] = 64, o.k[0] = 100, o.k[1] = 100 - 1.0f / 64, o.v[0] = 0, o.v[1] = 1;
        run(all_kernels[runs_here[k]].kernel, &o, 1);
        assert_true(fabs((double)o.out[0] - 1 / (1 + exp(1))) < 5e-6);
        free_operands(&o);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(attention_is_its_formula),  cmocka_unit_test(probes_are_probabilities),
        cmocka_unit_test(rows_stand_alone),          cmocka_unit_test(what_follows_does_not_matter),
        cmocka_unit_test(large_scores_stay_numbers), cmocka_unit_test(close_large_scores_are_told_apart),
    };
    return cmocka_run_group_tests(tests, find_kernels, NULL);
}
