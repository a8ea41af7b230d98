/* A weight that is handed over row by row, by however many threads, is the weight that is handed over whole;
 * a row that cannot be read is an error that says so, and leaves nothing behind. */
#include "tests/operation.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { X_ROWS = 3 };

static const struct {
    size_t in, out;
} cases[] = {{768, 96}, {1500, 200}, {64, 1}, {1, 70}, {385, 129}, {3072, 64}};

typedef struct counted_rows {
    hl_rows rows;
    const float *numbers;
    size_t in, out, bad; /* the row that cannot be read; SIZE_MAX: none */
    atomic_size_t *read;
} counted_rows;

static hl_status read_rows(const hl_rows *rows, size_t first, size_t count, float *to, hl_error *error) {
    const counted_rows *from = (const counted_rows *)(const void *)rows;
    assert_true(first + count <= from->out);
    if (from->bad >= first && from->bad < first + count) {
        return hl_fail(error, HL_NO_MEMORY, "row %zu is not there", from->bad);
    }
    memcpy(to, from->numbers + first * from->in, count * from->in * sizeof *to);
    atomic_fetch_add(from->read, count);
    return HL_OK;
}

static void multiply(const hl_compute *with, const hl_weight *weight, const float *x, size_t in, size_t out,
                     float *result) {
    hl_tensor *tensors[2];
    hl_error error;
    assert_ok(with->api->new_tensor(with->backend, X_ROWS * in, &tensors[0], &error), error);
    assert_ok(with->api->new_tensor(with->backend, X_ROWS * out, &tensors[1], &error), error);
    hl_matrix from = {tensors[0], 0, X_ROWS, in, in}, to = {tensors[1], 0, X_ROWS, out, out};
    assert_ok(with->api->upload(with->backend, x, from, &error), error);
    hl_linear operation = {.size = sizeof operation, .x = from, .out = to, .weight = weight};
    operation.activation = HL_IDENTITY;
    assert_ok(with->api->linear(with->backend, &operation, &error), error);
    assert_ok(with->api->download(with->backend, to, result, &error), error);
    for (int i = 0; i < 2; ++i) with->api->free_tensor(with->backend, tensors[i]);
}

/* The product with a weight made in one way and in the other. */
static void compare(const opened_backend *b, const hl_compute *with, size_t in, size_t out) {
    float *numbers = random_numbers(in * out, 3, 0), *x = random_numbers(X_ROWS * in, 5, 0);
    float *whole = calloc(X_ROWS * out, sizeof *whole), *parts = calloc(X_ROWS * out, sizeof *parts);
    atomic_size_t read = 0;
    const counted_rows rows = {{read_rows}, numbers, in, out, SIZE_MAX, &read};
    hl_weight_source source = {sizeof source, HL_ROLE_MLP_IN, 0, out, in, numbers, x};
    source.bias = in * X_ROWS >= out ? x : NULL;
    hl_weight *weight;
    hl_error error;
    assert_ok(with->api->prepare(with->backend, &source, &weight, &error), error);
    multiply(with, weight, x, in, out, whole);
    with->api->free_weight(with->backend, weight);
    source.data = NULL;
    assert_ok(with->api->prepare_rows(with->backend, &source, &rows.rows, &weight, &error), error);
    multiply(with, weight, x, in, out, parts);
    with->api->free_weight(with->backend, weight);
    assert_true(atomic_load(&read) >= out);
    if (memcmp(whole, parts, X_ROWS * out * sizeof *whole) != 0) {
        fail_msg("compute/%s %s: %zu x %zu differs when it is handed over row by row", b->plugin->name,
                 b->options, out, in);
    }
    free(numbers), free(x), free(whole), free(parts);
}

static void test_same_weight(void **state) {
    (void)state;
    for (size_t b = 0; b < backend_count; ++b) {
        for (size_t c = 0; c < COUNT(cases); ++c) {
            compare(&backends[b], &backends[b].compute, cases[c].in, cases[c].out);
        }
    }
}

static void test_rows_that_cannot_be_read(void **state) {
    (void)state;
    enum { IN = 100, OUT = 150 };
    static const size_t bad[] = {0, 77, OUT - 1};
    float *numbers = random_numbers(IN * OUT, 3, 0);
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *with = &backends[b].compute;
        for (size_t i = 0; i < COUNT(bad); ++i) {
            atomic_size_t read = 0;
            const counted_rows rows = {{read_rows}, numbers, IN, OUT, bad[i], &read};
            hl_weight_source source = {sizeof source, HL_ROLE_OUT, 0, OUT, IN, NULL, NULL};
            hl_weight *weight = (hl_weight *)(void *)numbers;
            char words[64];
            hl_error error = {""};
            snprintf(words, sizeof words, "row %zu is not there", bad[i]);
            assert_int_equal(with->api->prepare_rows(with->backend, &source, &rows.rows, &weight, &error),
                             HL_NO_MEMORY);
            assert_non_null(strstr(error.message, words));
            assert_null(weight);
        }
    }
    free(numbers);
}

/* Large ones lie together in some backends. */
static void test_large_weights_come_and_go(void **state) {
    (void)state;
    enum { IN = 1024, OUT = 1024, WEIGHTS = 20, ROUNDS = 2 };
    float *numbers = random_numbers(IN * OUT + WEIGHTS, 3, 0), *x = random_numbers(X_ROWS * IN, 5, 0);
    float *expected[WEIGHTS], result[X_ROWS * OUT];
    for (size_t i = 0; i < WEIGHTS; ++i) expected[i] = calloc(X_ROWS * OUT, sizeof **expected);
    for (size_t b = 0; b < backend_count; ++b) {
        const hl_compute *with = &backends[b].compute;
        hl_weight *weights[WEIGHTS] = {NULL};
        hl_error error;
        for (size_t step = 0; step < ROUNDS * WEIGHTS; ++step) {
            size_t i = step * 7 % WEIGHTS; /* in another order than they came in */
            hl_weight_source source = {sizeof source, HL_ROLE_OUT, 0, OUT, IN, numbers + i, NULL};
            with->api->free_weight(with->backend, weights[i]);
            assert_ok(with->api->prepare(with->backend, &source, &weights[i], &error), error);
            if (step < WEIGHTS) multiply(with, weights[i], x, IN, OUT, expected[i]);
        }
        for (size_t i = 0; i < WEIGHTS; ++i) {
            multiply(with, weights[i], x, IN, OUT, result);
            assert_memory_equal(result, expected[i], sizeof result);
            with->api->free_weight(with->backend, weights[i]);
        }
    }
    for (size_t i = 0; i < WEIGHTS; ++i) free(expected[i]);
    free(numbers), free(x);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_same_weight),
                                       cmocka_unit_test(test_rows_that_cannot_be_read),
                                       cmocka_unit_test(test_large_weights_come_and_go)};
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}
