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
        {1, 1, 1, false, false, 0},     {3, 5, 4, false, false, 2},     {3, 5, 4, true, false, 0},
        {3, 5, 4, false, true, 1},      {3, 5, 4, true, true, 3},       {67, 67, 130, true, false, 0},
        {90, 65, 200, false, true, 5},  {120, 80, 90, true, true, 0},   {1, 64, 65, false, false, 0},
        {1, 40, 300, true, true, 0},    {64, 1, 65, false, false, 1},   {20, 64, 64, false, false, 0},
        {30, 600, 70, false, false, 2}, {180, 30, 520, true, false, 1}, {15, 530, 260, false, true, 0},
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
    static const size_t sizes[] = {1, 2, 3, 5, 19, 67, 83};
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

/* Zeros, the identity, numbers that fall off, two blocks, tiny and huge numbers, and one number beside
 * others. */
static void fill_special(size_t kind, size_t n, double *a) {
    uint32_t seed = 3;
    memset(a, 0, n * n * sizeof *a);
    for (size_t i = 0; i < n; ++i) {
        for (size_t j = 0; j <= i; ++j) {
            double number = (double)random_number(&seed);
            if (kind == 1) number = i == j;
            if (kind == 2) number = i == j ? -pow(0.1, (double)i) : 0;
            if (kind == 3) number *= pow(0.1, (double)(i + j));
            if (kind == 4 && i % 2 != j % 2) number = 0;
            if (kind == 5) number *= 1e-200;
            if (kind == 6) number *= 1e200;
            if (kind == 7) number = i == n - 1 && j == 0 ? 1 : 0;
            if (kind == 8) number = 1;
            a[i * n + j] = a[j * n + i] = kind ? number : 0;
        }
    }
}

static void test_special_matrices(void **state) {
    (void)state;
    enum { KINDS = 9, SIDE = 11 };
    hl_error error;
    for (size_t kind = 0; kind < KINDS; ++kind) {
        for (size_t n = 1; n <= SIDE; n += 2) {
            double a[SIDE * SIDE], v[SIDE * SIDE], values[SIDE];
            fill_special(kind, n, a);
            for (size_t b = 0; b < backend_count; ++b) {
                const hl_compute *compute = &backends[b].compute;
                memcpy(v, a, sizeof v);
                assert_ok(compute->api->symmetric_eigen_f64(compute->backend, n, v, values, &error), error);
                check_eigen(n, a, v, values);
            }
        }
    }
}

/* What `native` computes is the same bytes on one thread. */
static void test_native_ignores_threads(void **state) {
    (void)state;
    enum { SIDE = 210, INNER = 300 };
    const hl_library_settings settings = {0};
    host *single;
    hl_error error;
    double *left = random_doubles(SIDE * INNER, 5), *made[2], *values[2];
    assert_ok(host_open(&settings, 1, &single, &error), error);
    for (size_t i = 0; i < 2; ++i)
        made[i] = random_doubles(SIDE * SIDE, 1), values[i] = random_doubles(SIDE, 1);
    for (size_t b = 0; b < backend_count; ++b) {
        hl_compute alone;
        if (strcmp(backends[b].plugin->name, "native") != 0) continue;
        assert_ok(open_compute(&single->interface, backends[b].plugin, backends[b].options, &alone, &error),
                  error);
        const hl_compute *both[] = {&backends[b].compute, &alone};
        for (size_t i = 0; i < 2; ++i) {
            assert_ok(both[i]->api->product_f64(both[i]->backend, false, true, SIDE, SIDE, INNER, left, INNER,
                                                left, INNER, made[i], SIDE, &error),
                      error);
        }
        assert_memory_equal(made[0], made[1], SIDE * SIDE * sizeof **made);
        for (size_t i = 0; i < 2; ++i) {
            assert_ok(both[i]->api->symmetric_eigen_f64(both[i]->backend, SIDE, made[i], values[i], &error),
                      error);
        }
        assert_memory_equal(made[0], made[1], SIDE * SIDE * sizeof **made);
        assert_memory_equal(values[0], values[1], SIDE * sizeof **values);
        compute_close(&alone);
    }
    for (size_t i = 0; i < 2; ++i) free(made[i]), free(values[i]);
    free(left);
    host_close(single);
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
        cmocka_unit_test(test_product_f64),      cmocka_unit_test(test_symmetric_eigen_f64),
        cmocka_unit_test(test_special_matrices), cmocka_unit_test(test_native_ignores_threads),
        cmocka_unit_test(test_eigen_by_hand),    cmocka_unit_test(test_eigen_refuses_nan),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
