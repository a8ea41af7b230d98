/* The operations in double precision of every compute plugin, and of the fixture `opaque`, by hand and by
 * what they must satisfy. */
#include "tests/operation.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double F64_TOLERANCE = 1e-12;

typedef struct product_case {
    size_t m, n, k;
    bool transpose_a, transpose_b;
    size_t gap;
} product_case;

static double *random_doubles(size_t count, uint32_t seed) {
    double *out = malloc(count * sizeof *out);
    assert_non_null(out);
    for (size_t i = 0; i < count; ++i)
        out[i] = (double)random_number(&seed) + 1e-8 * (double)random_number(&seed);
    return out;
}

static void check_product(const hl_compute *compute, const product_case *row) {
    hl_error error;
    size_t lda = (row->transpose_a ? row->m : row->k) + row->gap,
           ldb = (row->transpose_b ? row->k : row->n) + row->gap;
    size_t ldc = row->n + row->gap, c_count = row->m * ldc;
    double *a = random_doubles(lda * (row->transpose_a ? row->k : row->m), 5);
    double *b = random_doubles(ldb * (row->transpose_b ? row->n : row->k), 6);
    double *c = random_doubles(c_count, 7), *before = random_doubles(c_count, 7);
    assert_ok(compute->api->product_f64(compute->backend, row->transpose_a, row->transpose_b, row->m, row->n,
                                        row->k, a, lda, b, ldb, c, ldc, &error),
              error);
    for (size_t i = 0; i < c_count; ++i) {
        size_t r = i / ldc, j = i % ldc;
        if (j >= row->n) {
            assert_true(memcmp(&c[i], &before[i], sizeof *c) == 0);
            continue;
        }
        long double sum = 0;
        for (size_t k = 0; k < row->k; ++k) {
            double left = row->transpose_a ? a[k * lda + r] : a[r * lda + k];
            double right = row->transpose_b ? b[j * ldb + k] : b[k * ldb + j];
            sum += (long double)left * (long double)right;
        }
        assert_true(fabs((double)sum - c[i]) <= F64_TOLERANCE * (double)row->k);
    }
    free(a);
    free(b);
    free(c);
    free(before);
}

static void test_product_f64(void **state) {
    (void)state;
    static const product_case cases[] = {
        {1, 1, 1, false, false, 0},    {3, 5, 4, false, false, 2},   {3, 5, 4, true, false, 0},
        {3, 5, 4, false, true, 1},     {3, 5, 4, true, true, 3},     {67, 67, 130, true, false, 0},
        {90, 65, 200, false, true, 5}, {120, 80, 90, true, true, 0},
    };
    for (size_t b = 0; b < backend_count; ++b)
        for (size_t i = 0; i < COUNT(cases); ++i) check_product(&backends[b].compute, &cases[i]);
}

/* Ascending, orthonormal, A v = lambda v, and the first of the largest components positive. */
static void check_eigen(size_t n, const double *a, const double *vectors, const double *values) {
    double scale = 0;
    for (size_t i = 0; i < n * n; ++i) scale = fmax(scale, fabs(a[i]));
    for (size_t i = 0; i < n; ++i) {
        const double *v = vectors + i * n;
        size_t first = 0;
        double largest = 0;
        assert_true(i == 0 || values[i - 1] <= values[i]);
        for (size_t j = 0; j < n; ++j) {
            double dot = 0, image = 0;
            for (size_t k = 0; k < n; ++k) {
                dot += v[k] * vectors[j * n + k];
                image += a[j * n + k] * v[k];
            }
            assert_true(fabs(dot - (i == j ? 1.0 : 0.0)) <= F64_TOLERANCE);
            assert_true(fabs(image - values[i] * v[j]) <= F64_TOLERANCE * scale * (double)n);
            largest = fmax(largest, fabs(v[j]));
        }
        while (fabs(v[first]) < largest * (1 - 1e-10)) ++first;
        assert_true(v[first] > 0);
    }
}

static void test_symmetric_eigen_f64(void **state) {
    (void)state;
    static const size_t sizes[] = {1, 2, 5, 19, 67, 83};
    hl_error error;
    for (size_t s = 0; s < 2 * COUNT(sizes); ++s) {
        size_t n = sizes[s / 2],
               rank = s % 2 ? (n + 1) / 2 : n; /* half of them with eigenvalues that coincide: 0 */
        double *factor = random_doubles(n * n, 9), *a = calloc(n * n, sizeof *a),
               *v = malloc(n * n * sizeof *v);
        double *values = malloc(n * sizeof *values);
        assert_true(a && v && values);
        for (size_t i = 0; i < n; ++i)
            for (size_t j = 0; j < n; ++j)
                for (size_t k = 0; k < rank; ++k) a[i * n + j] += factor[i * n + k] * factor[j * n + k];
        for (size_t b = 0; b < backend_count; ++b) {
            memcpy(v, a, n * n * sizeof *v);
            assert_ok(backends[b].compute.api->symmetric_eigen_f64(backends[b].compute.backend, n, v, values,
                                                                   &error),
                      error);
            check_eigen(n, a, v, values);
        }
        free(factor);
        free(a);
        free(v);
        free(values);
    }
}

/* [[2, 1], [1, 2]] has the eigenvalues 1 and 3; the vectors' components are equal in size, so the first
 * decides. */
static void test_eigen_by_hand(void **state) {
    (void)state;
    hl_error error;
    for (size_t b = 0; b < backend_count; ++b) {
        double a[] = {2, 1, 1, 2}, values[2], half = sqrt(0.5);
        const double expected[] = {half, -half, half, half};
        assert_ok(
            backends[b].compute.api->symmetric_eigen_f64(backends[b].compute.backend, 2, a, values, &error),
            error);
        assert_true(fabs(values[0] - 1) <= F64_TOLERANCE && fabs(values[1] - 3) <= F64_TOLERANCE);
        for (size_t i = 0; i < 4; ++i) assert_true(fabs(a[i] - expected[i]) <= F64_TOLERANCE);
    }
}

static void test_eigen_refuses_nan(void **state) {
    (void)state;
    for (size_t b = 0; b < backend_count; ++b) {
        double a[] = {2, NAN, NAN, 2}, values[2];
        hl_error error = {""};
        assert_int_equal(
            backends[b].compute.api->symmetric_eigen_f64(backends[b].compute.backend, 2, a, values, &error),
            HL_FAILED);
        assert_non_null(strstr(error.message, "2 x 2"));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product_f64),
        cmocka_unit_test(test_symmetric_eigen_f64),
        cmocka_unit_test(test_eigen_by_hand),
        cmocka_unit_test(test_eigen_refuses_nan),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
