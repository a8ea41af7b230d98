/* See pooling.h. */
#include "pooling.h"

#include <stdlib.h>

hl_status apply_copy(const hl_compute *compute, hl_matrix from, hl_matrix to, hl_error *error) {
    const hl_copy operation = {.size = sizeof operation, .from = from, .to = to};
    return compute->api->copy(compute->backend, &operation, error);
}

/* One row for each run of rows [count x cols] of `all`. */
static void weigh(const pooling *how, const float *all, size_t sequences, size_t cols, float *out) {
    for (size_t s = 0; s < sequences; ++s, all += how->count * cols, out += cols) {
        for (size_t j = 0; j < cols; ++j) {
            double sum = 0;
            for (size_t i = 0; i < how->count; ++i) {
                sum += pooled_weight(how, s, i) * (double)all[i * cols + j];
            }
            out[j] = (float)sum;
        }
    }
}

/* In host memory: no operation of a backend weighs rows. */
static hl_status pool_weighted(const hl_compute *compute, const pooling *how, hl_matrix from, hl_matrix to,
                               hl_error *error) {
    size_t length = from.rows / to.rows, numbers = how->count * from.cols;
    float *all = malloc(to.rows * (numbers + to.cols) * sizeof *all);
    if (!all) return hl_no_memory(error, "pooled rows");
    hl_status status = HL_OK;
    for (size_t s = 0; status == HL_OK && s < to.rows; ++s) {
        hl_matrix run = rows_of(from, s * length + how->first, how->count);
        status = compute->api->download(compute->backend, run, all + s * numbers, error);
    }
    float *pooled = all + to.rows * numbers;
    if (status == HL_OK) weigh(how, all, to.rows, to.cols, pooled);
    if (status == HL_OK) status = compute->api->upload(compute->backend, pooled, to, error);
    free(all);
    return status;
}

static hl_status pool_alike(const hl_compute *compute, const pooling *how, hl_matrix from, hl_matrix to,
                            hl_error *error) {
    const hl_average_pool operation = {.size = sizeof operation,
                                       .x = rows_of(from, how->first, from.rows - how->first),
                                       .out = to,
                                       .batch = to.rows,
                                       .height = how->count,
                                       .width = 1,
                                       .x_rows = from.rows / to.rows,
                                       .kernel_height = how->count,
                                       .kernel_width = 1,
                                       .stride = 1};
    return compute->api->average_pool(compute->backend, &operation, error);
}

hl_status pool_rows(const hl_compute *compute, const pooling *how, hl_matrix from, hl_matrix to,
                    hl_error *error) {
    if (how->weights) return pool_weighted(compute, how, from, to, error);
    if (how->count > 1) return pool_alike(compute, how, from, to, error);
    hl_matrix rows = every(from, from.rows / to.rows);
    rows.offset += how->first * from.stride;
    return apply_copy(compute, rows, to, error);
}
