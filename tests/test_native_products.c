/* The native backend's products, kernel by kernel: against sums in double precision, against the plain kernel
 * of the same precision, and row by row against themselves. */
#include "backends/native/kernels.h"
#include "core/conformance/scene.h"
#include "tests/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The plain kernels first: each is what others of its precision are held against. `tolerance`: of the largest
 * value, against the exact sum; `apart`: against the plain kernel, 0 for the same bytes. */
static const struct {
    const product_kernel *kernel;
    double tolerance, apart;
} all_kernels[] = {
    {&plain_product_f32, 3e-6, 0},     {&plain_product_bf16x6, 2e-6, 0},   {&plain_product_bf16x3, 2e-5, 0},
    {&plain_product_bf16, 1e-2, 0},    {&plain_product_int8, 2e-2, 0},
#if defined __x86_64__
    {&avx2_product_f32, 3e-6, 3e-6},   {&avx2_product_bf16, 1e-2, 2e-6},   {&avx2_product_int8, 2e-2, 0},
    {&avx_vnni_product, 2e-2, 0},      {&avx512_product_f32, 3e-6, 3e-6},  {&avx512_product_bf16, 1e-2, 2e-6},
    {&avx512_product_int8, 2e-2, 0},   {&avx512_bf16_product, 1e-2, 2e-6}, {&avx512_vnni_product, 2e-2, 0},
    {&amx_product_bf16x6, 2e-6, 2e-6}, {&amx_product_bf16x3, 2e-5, 2e-6},  {&amx_product_bf16, 1e-2, 2e-6},
    {&amx_product_int8, 2e-2, 0},
#endif
};

static size_t runs_here[COUNT(all_kernels)], kernel_count;

static int find_kernels(void **state) {
    (void)state;
    processor machine = processor_of_this_machine();
    for (size_t i = 0; i < COUNT(all_kernels); ++i) {
        const product_kernel *kernel = all_kernels[i].kernel;
        if (kernel->runs_on(&machine))
            runs_here[kernel_count++] = i;
        else
            print_message("%s (%d) does not run here\n", kernel->name, (int)kernel->precision);
    }
    return 0;
}

static const product_kernel *plain_of(const product_kernel *kernel) {
    size_t i = 0;
    while (all_kernels[i].kernel->precision != kernel->precision) ++i;
    return all_kernels[i].kernel;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Memory that ends where the panel does, so that a sanitizer sees what goes beyond. */
static void *panel_of(size_t bytes) {
    assert_true(bytes % 64 == 0);
    void *out = aligned_alloc(64, bytes);
    assert_non_null(out);
    memset(out, 0xa5, bytes);
    return out;
}

/* out (rows, outputs) = x (rows, in) w (outputs, in)', as product.c does it. */
static void multiply(const product_kernel *kernel, const float *x, size_t x_stride, size_t rows,
                     const float *w, size_t outputs, size_t in, float *out) {
    float *tile = panel_of((kernel->rows * kernel->columns * sizeof *tile + 63) / 64 * 64);
    for (size_t r = 0; r < rows; r += kernel->rows) {
        for (size_t o = 0; o < outputs; o += kernel->columns) {
            size_t row_count = smaller(kernel->rows, rows - r),
                   output_count = smaller(kernel->columns, outputs - o);
            for (size_t i = 0; i < in; i += kernel->depth) {
                size_t depth = smaller(kernel->depth, in - i);
                void *row_panel = panel_of(kernel->row_panel_bytes(depth));
                void *weight_panel = panel_of(kernel->weight_panel_bytes(depth));
                kernel->pack_rows(x + r * x_stride + i, x_stride, row_count, depth, row_panel);
                kernel->pack_weight(w + o * in + i, in, output_count, depth, weight_panel);
                if (kernel->begin) kernel->begin();
                kernel->multiply(row_panel, weight_panel, depth, row_count, i > 0, tile);
                if (kernel->end) kernel->end();
                free(row_panel);
                free(weight_panel);
            }
            for (size_t k = 0; k < row_count; ++k) {
                memcpy(out + (r + k) * outputs + o, tile + k * kernel->columns, output_count * sizeof *out);
            }
        }
    }
    free(tile);
}

typedef struct product_shape {
    size_t rows, outputs, in;
} product_shape;

/* Panels and just beside them, in rows, outputs and depth; several chunks of the depth. */
static const product_shape shapes[] = {
    {1, 1, 1},     {1, 33, 2},    {3, 31, 3},    {6, 16, 7},    {7, 17, 15},    {8, 15, 16},   {13, 32, 17},
    {14, 64, 31},  {15, 65, 33},  {16, 30, 63},  {17, 48, 64},  {29, 49, 65},   {31, 33, 127}, {32, 16, 255},
    {33, 31, 256}, {20, 20, 257}, {50, 40, 513}, {28, 33, 768}, {12, 35, 1024}, {9, 34, 1025}, {15, 33, 3072},
};

static double largest_of(const double *numbers, size_t count) {
    double out = 0;
    for (size_t i = 0; i < count; ++i) out = fmax(out, fabs(numbers[i]));
    return out;
}

static void check_shape(size_t number, const product_shape *shape) {
    const product_kernel *kernel = all_kernels[number].kernel;
    size_t stride = shape->in + number % 3, count = shape->rows * shape->outputs;
    float *x = random_numbers(shape->rows * stride, 11, 0),
          *w = random_numbers(shape->outputs * shape->in, 12, 0);
    float *got = malloc(count * sizeof *got), *expected = malloc(count * sizeof *expected);
    double *exact = calloc(count, sizeof *exact);
    assert_true(x && w && got && expected && exact);
    for (size_t i = 0; i < count; ++i) {
        for (size_t k = 0; k < shape->in; ++k) {
            exact[i] +=
                (double)x[i / shape->outputs * stride + k] * (double)w[i % shape->outputs * shape->in + k];
        }
    }
    multiply(kernel, x, stride, shape->rows, w, shape->outputs, shape->in, got);
    multiply(plain_of(kernel), x, stride, shape->rows, w, shape->outputs, shape->in, expected);
    /* What a sum of so many numbers would be if they were independent: a few small sums say little of errors.
     */
    double scale = fmax(largest_of(exact, count), sqrt((double)shape->in) / 3);
    for (size_t i = 0; i < count; ++i) {
        double error = fabs((double)got[i] - exact[i]), apart = fabs((double)got[i] - (double)expected[i]);
        if (error <= all_kernels[number].tolerance * scale && apart <= all_kernels[number].apart * scale)
            continue;
        fail_msg("%s (%d), %zu rows, %zu outputs of %zu: number %zu is %.9g, exactly %.9g, plain %.9g",
                 kernel->name, (int)kernel->precision, shape->rows, shape->outputs, shape->in, i,
                 (double)got[i], exact[i], (double)expected[i]);
    }
    free(x), free(w), free(got), free(expected), free(exact);
}

static void test_shapes(void **state) {
    (void)state;
    for (size_t k = 0; k < kernel_count; ++k)
        for (size_t i = 0; i < COUNT(shapes); ++i) check_shape(runs_here[k], &shapes[i]);
}

/* A row is the same bytes wherever it stands in a panel, whatever stands beside it. */
static void test_rows_alone(void **state) {
    (void)state;
    enum { ROWS = 67, OUTPUTS = 37, IN = 300 };
    float *x = random_numbers(ROWS * IN, 21, 0), *w = random_numbers(OUTPUTS * IN, 22, 0);
    static float all[ROWS * OUTPUTS], one[ROWS * OUTPUTS];
    for (size_t i = 0; i < IN; ++i) x[5 * IN + i] *= 1e6f;
    for (size_t k = 0; k < kernel_count; ++k) {
        const product_kernel *kernel = all_kernels[runs_here[k]].kernel;
        multiply(kernel, x, IN, ROWS, w, OUTPUTS, IN, all);
        for (size_t first = 0; first < ROWS; first += 4) {
            size_t count = smaller(first % 7 + 1, ROWS - first);
            multiply(kernel, x + first * IN, IN, count, w, OUTPUTS, IN, one);
            assert_memory_equal(one, all + first * OUTPUTS, count * OUTPUTS * sizeof *one);
        }
    }
    free(x), free(w);
}

/* What is infinite or no number stays visible, in its row alone; what is as good as nothing stays that. */
static void test_strange_numbers(void **state) {
    (void)state;
    enum { ROWS = 5, OUTPUTS = 3, IN = 70 };
    float *x = random_numbers(ROWS * IN, 31, 0), *w = random_numbers(OUTPUTS * IN, 32, 0),
          got[ROWS * OUTPUTS];
    x[IN + 3] = NAN;
    x[2 * IN + 69] = INFINITY;
    for (size_t i = 0; i < IN; ++i) x[3 * IN + i] = 0, x[4 * IN + i] *= 1e-40f;
    for (size_t k = 0; k < kernel_count; ++k) {
        multiply(all_kernels[runs_here[k]].kernel, x, IN, ROWS, w, OUTPUTS, IN, got);
        for (size_t o = 0; o < OUTPUTS; ++o) {
            assert_true(isfinite(got[o]));
            assert_true(isnan(got[OUTPUTS + o]));
            assert_true(!isfinite(got[2 * OUTPUTS + o]));
            assert_true(got[3 * OUTPUTS + o] == 0);
            assert_true(fabsf(got[4 * OUTPUTS + o]) < 1e-38f);
        }
    }
    free(x), free(w);
}

/* Sums of the largest numbers that there are, of either sign: no instruction may cut one off on its way. */
static void test_largest_numbers(void **state) {
    (void)state;
    enum { ROWS = 15, OUTPUTS = 33, IN = 1024 };
    static float x[ROWS * IN], w[OUTPUTS * IN], got[ROWS * OUTPUTS], expected[ROWS * OUTPUTS];
    for (size_t i = 0; i < ROWS * IN; ++i) x[i] = i / IN % 3 == 0 ? 1 : i / IN % 3 == 1 ? -1 : i % 2 ? 1 : -1;
    for (size_t i = 0; i < OUTPUTS * IN; ++i) w[i] = i / IN % 2 ? 1 : -1;
    for (size_t k = 0; k < kernel_count; ++k) {
        const product_kernel *kernel = all_kernels[runs_here[k]].kernel;
        multiply(kernel, x, IN, ROWS, w, OUTPUTS, IN, got);
        multiply(plain_of(kernel), x, IN, ROWS, w, OUTPUTS, IN, expected);
        for (size_t i = 0; i < ROWS * OUTPUTS; ++i) {
            assert_true(fabsf(got[i] - expected[i]) <= (float)all_kernels[runs_here[k]].apart * IN);
            assert_true(i / OUTPUTS % 3 == 2 || fabsf(fabsf(got[i]) - IN) < 0.01f);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_largest_numbers),
        cmocka_unit_test(test_rows_alone),
        cmocka_unit_test(test_strange_numbers),
    };
    return cmocka_run_group_tests(tests, find_kernels, NULL);
}
