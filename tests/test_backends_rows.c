/* What a backend makes of a row depends on that row alone: not on how many rows there are, nor on where it
 * stands among them, nor on the number of threads. So an image's codes do not depend on its batch. */
#include "tests/kernels.h"
#include "tests/operation.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS = 150 };

/* Sizes of towers (ViT-B, L, mini), of OpenBLAS's blocks and just beside them, and small ones. The sum of a
 * long row is formed in parts. */
static const struct {
    size_t in, out;
    hl_activation activation;
    bool residual;
} cases[] = {
    {768, 768, HL_IDENTITY, true},   {768, 512, HL_IDENTITY, false}, {1024, 192, HL_QUICK_GELU, false},
    {3072, 96, HL_IDENTITY, true},   {128, 384, HL_GELU, false},     {128, 128, HL_IDENTITY, true},
    {64, 20, HL_IDENTITY, false},    {721, 33, HL_GELU, true},       {1, 1, HL_IDENTITY, false},
    {1500, 1, HL_IDENTITY, false},   {7, 1000, HL_IDENTITY, true},   {640, 16, HL_IDENTITY, false},
    {320, 17, HL_QUICK_GELU, false}, {385, 100, HL_IDENTITY, false},
};

/* Which of the rows come together. */
static const struct {
    size_t first, count;
} parts[] = {{0, 1},  {7, 1},   {3, 2},  {5, 3},   {1, 4},   {30, 5},  {2, 7},
             {11, 8}, {9, 12},  {2, 13}, {50, 17}, {1, 24},  {9, 25},  {77, 36},
             {3, 48}, {50, 49}, {1, 96}, {20, 97}, {0, 100}, {1, 149}, {149, 1}};

/* out = act(x W + b) (+ residual) for some of the rows, into `out`. */
static void run_linear(const hl_compute *compute, size_t index, const float *data, const float *x,
                       size_t rows, float *out) {
    size_t in = cases[index].in, width = cases[index].out;
    const hl_compute_api *with = compute->api;
    hl_weight_source source = {sizeof source, HL_ROLE_MLP_IN, 0, width, in, data, data};
    hl_error error;
    hl_weight *weight;
    hl_tensor *tensors[2];
    assert_ok(with->prepare(compute->backend, &source, &weight, &error), error);
    assert_ok(with->new_tensor(compute->backend, rows * in, &tensors[0], &error), error);
    assert_ok(with->new_tensor(compute->backend, rows * width, &tensors[1], &error), error);
    hl_matrix from = {tensors[0], 0, rows, in, in}, to = {tensors[1], 0, rows, width, width};
    assert_ok(with->upload(compute->backend, x, from, &error), error);
    if (cases[index].residual) assert_ok(with->upload(compute->backend, out, to, &error), error);
    hl_linear operation = {.size = sizeof operation,
                           .x = from,
                           .out = to,
                           .weight = weight,
                           .activation = cases[index].activation};
    if (cases[index].residual) operation.residual = to;
    assert_ok(with->linear(compute->backend, &operation, &error), error);
    assert_ok(with->download(compute->backend, to, out, &error), error);
    with->free_tensor(compute->backend, tensors[0]);
    with->free_tensor(compute->backend, tensors[1]);
    with->free_weight(compute->backend, weight);
}

static float *some_residual(size_t width) {
    return random_numbers(ROWS * width, 11, 0);
}

static void check_parts(const hl_plugin *plugin, const hl_compute *compute, size_t index,
                        const float *expected, const float *data, const float *x) {
    size_t width = cases[index].out;
    for (size_t p = 0; p < COUNT(parts); ++p) {
        float *out = some_residual(width), *start = out + parts[p].first * width;
        run_linear(compute, index, data, x + parts[p].first * cases[index].in, parts[p].count, start);
        if (memcmp(start, expected + parts[p].first * width, parts[p].count * width * sizeof *out) != 0) {
            fail_msg("compute/%s: %zu -> %zu: rows %zu to %zu alone differ from the same rows among %d",
                     plugin->name, cases[index].in, width, parts[p].first,
                     parts[p].first + parts[p].count - 1, ROWS);
        }
        free(out);
    }
}

static void test_linear(void **state) {
    (void)state;
    for (size_t c = 0; c < COUNT(cases); ++c) {
        size_t in = cases[c].in, width = cases[c].out;
        float *data = random_numbers(width * in, 3, 0), *x = random_numbers(ROWS * in, 5, 0);
        for (size_t b = 0; b < backend_count; ++b) {
            if (!treats_rows_alike(&backends[b].compute)) continue;
            float *expected = some_residual(width);
            run_linear(&backends[b].compute, c, data, x, ROWS, expected);
            check_parts(backends[b].plugin, &backends[b].compute, c, expected, data, x);
            free(expected);
        }
        free(data);
        free(x);
    }
}

/* Opens a backend on a host with so many threads, and computes one case with it. */
static float *with_threads(const opened_backend *as, unsigned threads, size_t index, const float *data,
                           const float *x) {
    const hl_library_settings settings = {0};
    host *other;
    hl_compute compute;
    hl_error error;
    assert_ok(host_open(&settings, threads, &other, &error), error);
    assert_ok(open_compute(&other->interface, as->plugin, as->options, &compute, &error), error);
    float *out = some_residual(cases[index].out);
    run_linear(&compute, index, data, x, ROWS, out);
    compute_close(&compute);
    host_close(other);
    return out;
}

static void test_threads(void **state) {
    (void)state;
    static const unsigned counts[] = {2, 3, 5, 8};
    for (size_t c = 0; c < COUNT(cases); ++c) {
        size_t in = cases[c].in, width = cases[c].out;
        float *data = random_numbers(width * in, 3, 0), *x = random_numbers(ROWS * in, 5, 0);
        for (size_t b = 0; b < backend_count; ++b) {
            const hl_plugin *plugin = backends[b].plugin;
            if (!treats_rows_alike(&backends[b].compute)) continue;
            float *one = with_threads(&backends[b], 1, c, data, x);
            for (size_t i = 0; i < COUNT(counts); ++i) {
                float *more = with_threads(&backends[b], counts[i], c, data, x);
                if (memcmp(one, more, ROWS * width * sizeof *one) != 0) {
                    fail_msg("compute/%s: %zu -> %zu: %u threads differ from one", plugin->name, in, width,
                             counts[i]);
                }
                free(more);
            }
            free(one);
        }
        free(data);
        free(x);
    }
}

/* ---- patches ---- */

enum { IMAGES = 8, SIDE = 48, PATCH = 16, TOKENS = 1 + 9, WIDTH = 200 };

static float *embed(const hl_compute *compute, const float *data, const float *pixels, size_t batch) {
    const hl_compute_api *with = compute->api;
    size_t image = 3 * SIDE * SIDE;
    hl_weight_source source = {sizeof source, HL_ROLE_PATCH, -1, WIDTH, 3 * PATCH * PATCH, data, data};
    hl_error error;
    hl_weight *weight;
    hl_tensor *tensors[3];
    assert_ok(with->prepare(compute->backend, &source, &weight, &error), error);
    assert_ok(with->new_tensor(compute->backend, batch * image, &tensors[0], &error), error);
    assert_ok(with->new_tensor(compute->backend, TOKENS * WIDTH, &tensors[1], &error), error);
    assert_ok(with->new_tensor(compute->backend, batch * TOKENS * WIDTH, &tensors[2], &error), error);
    hl_matrix from = {tensors[0], 0, batch, image, image}, position = {tensors[1], 0, TOKENS, WIDTH, WIDTH};
    hl_matrix prefix = {tensors[1], WIDTH, 1, WIDTH, WIDTH};
    hl_matrix to = {tensors[2], 0, batch * TOKENS, WIDTH, WIDTH};
    assert_ok(with->upload(compute->backend, pixels, from, &error), error);
    assert_ok(with->upload(compute->backend, data, position, &error), error);
    const hl_patch_embedding operation = {.size = sizeof operation,
                                          .pixels = from,
                                          .prefix = prefix,
                                          .position = position,
                                          .out = to,
                                          .weight = weight,
                                          .batch = batch,
                                          .channels = 3,
                                          .height = SIDE,
                                          .width = SIDE,
                                          .patch = PATCH};
    assert_ok(with->patch_embedding(compute->backend, &operation, &error), error);
    float *out = random_numbers(batch * TOKENS * WIDTH, 1, 0);
    assert_ok(with->download(compute->backend, to, out, &error), error);
    for (size_t i = 0; i < COUNT(tensors); ++i) with->free_tensor(compute->backend, tensors[i]);
    with->free_weight(compute->backend, weight);
    return out;
}

static void test_patches(void **state) {
    (void)state;
    size_t image = 3 * SIDE * SIDE;
    float *data = random_numbers(WIDTH * 3 * PATCH * PATCH, 3, 0),
          *pixels = random_numbers(IMAGES * image, 5, 0);
    for (size_t b = 0; b < backend_count; ++b) {
        if (!treats_rows_alike(&backends[b].compute)) continue;
        float *all = embed(&backends[b].compute, data, pixels, IMAGES);
        for (size_t first = 0, count = 1; first + count <= IMAGES; first += count, ++count) {
            float *some = embed(&backends[b].compute, data, pixels + first * image, count);
            if (memcmp(some, all + first * TOKENS * WIDTH, count * TOKENS * WIDTH * sizeof *some) != 0) {
                fail_msg("compute/%s: the patches of %zu images from image %zu differ from those among %d",
                         backends[b].plugin->name, count, first, IMAGES);
            }
            free(some);
        }
        free(all);
    }
    free(data);
    free(pixels);
}

/* ---- attention ---- */

enum { ATTENDED = 5, Q_ROWS = 21, K_ROWS = 37, HEADS = 3, HEAD_WIDTH = 20 };

static float *attend(const hl_compute *compute, const float *const given[3], size_t batch) {
    const hl_compute_api *with = compute->api;
    const size_t width = HEADS * HEAD_WIDTH, rows[4] = {Q_ROWS, K_ROWS, K_ROWS, Q_ROWS};
    hl_error error;
    hl_matrix m[4];
    for (size_t i = 0; i < 4; ++i) {
        m[i] = (hl_matrix){NULL, 0, batch * rows[i], width, width};
        assert_ok(with->new_tensor(compute->backend, m[i].rows * width, &m[i].tensor, &error), error);
        if (i < 3) assert_ok(with->upload(compute->backend, given[i], m[i], &error), error);
    }
    const hl_attention operation = {.size = sizeof operation,
                                    .q = m[0],
                                    .k = m[1],
                                    .v = m[2],
                                    .out = m[3],
                                    .batch = batch,
                                    .heads = HEADS,
                                    .scale = 0.3f};
    assert_ok(with->attention(compute->backend, &operation, &error), error);
    float *out = malloc(m[3].rows * width * sizeof *out);
    assert_non_null(out);
    assert_ok(with->download(compute->backend, m[3], out, &error), error);
    for (size_t i = 0; i < COUNT(m); ++i) with->free_tensor(compute->backend, m[i].tensor);
    return out;
}

static void check_attention(const opened_backend *backend, const hl_compute *compute,
                            const float *const given[3], const float *all) {
    const size_t width = HEADS * HEAD_WIDTH, q = Q_ROWS * width, k = K_ROWS * width;
    for (size_t first = 0, count = 1; first + count <= ATTENDED; ++first, count = 1 + first % 2) {
        const float *some[3] = {given[0] + first * q, given[1] + first * k, given[2] + first * k};
        float *out = attend(compute, some, count);
        if (memcmp(out, all + first * q, count * q * sizeof *out) != 0) {
            fail_msg("compute/%s %s: attention of %zu images from image %zu differs from that among %d",
                     backend->plugin->name, backend->options, count, first, ATTENDED);
        }
        free(out);
    }
}

/* Alone, in a batch, and on a host with more threads. */
static void test_attention(void **state) {
    (void)state;
    const size_t width = HEADS * HEAD_WIDTH;
    float *q = random_numbers(ATTENDED * Q_ROWS * width, 3, 0),
          *k = random_numbers(ATTENDED * K_ROWS * width, 5, 0);
    const float *const given[3] = {q, k, k};
    const hl_library_settings settings = {0};
    for (size_t b = 0; b < backend_count; ++b) {
        if (!treats_rows_alike(&backends[b].compute)) continue;
        float *all = attend(&backends[b].compute, given, ATTENDED);
        check_attention(&backends[b], &backends[b].compute, given, all);
        for (unsigned threads = 1; threads <= 8; threads += 7) {
            host *other;
            hl_compute compute;
            hl_error error;
            assert_ok(host_open(&settings, threads, &other, &error), error);
            assert_ok(
                open_compute(&other->interface, backends[b].plugin, backends[b].options, &compute, &error),
                error);
            check_attention(&backends[b], &compute, given, all);
            compute_close(&compute);
            host_close(other);
        }
        free(all);
    }
    free(q);
    free(k);
}

static int all_tests(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_patches),
        cmocka_unit_test(test_attention),
    };
    return cmocka_run_group_tests(tests, set_up_backends, tear_down_backends);
}

int main(void) {
    return with_each_kernel(all_tests);
}
