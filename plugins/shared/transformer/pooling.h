/* From the rows of a sequence to one: a weighted sum over a run of them, and how matrices are cut into rows
 * and columns. Knows rows; never what they stand for. */
#ifndef POOLING_H
#define POOLING_H

#include "checkpoint/try.h"
#include "headlight/compute.h"

static inline hl_matrix dense(hl_tensor *tensor, size_t offset, size_t rows, size_t cols) {
    return (hl_matrix){tensor, offset, rows, cols, cols};
}

/* Columns [first, first + cols) of a matrix. */
static inline hl_matrix columns(hl_matrix m, size_t first, size_t cols) {
    return (hl_matrix){m.tensor, m.offset + first, m.rows, cols, m.stride};
}

/* Rows [first, first + rows) of a matrix. */
static inline hl_matrix rows_of(hl_matrix m, size_t first, size_t rows) {
    return (hl_matrix){m.tensor, m.offset + first * m.stride, rows, m.cols, m.stride};
}

/* Every `step`th row of a matrix, from the first. */
static inline hl_matrix every(hl_matrix m, size_t step) {
    return (hl_matrix){m.tensor, m.offset, m.rows / step, m.cols, m.stride * step};
}

hl_status apply_copy(const hl_compute *compute, hl_matrix from, hl_matrix to, hl_error *error);

typedef struct pooling {
    size_t first, count;  /* the run of rows, within each sequence */
    const float *weights; /* sequences x count; NULL: 1 / count each */
} pooling;

/* One row of `to` for each sequence of `from`, whose rows come together. They do not overlap. */
hl_status pool_rows(const hl_compute *compute, const pooling *how, hl_matrix from, hl_matrix to,
                    hl_error *error);

/* The weight of row `first + i` of a sequence. */
static inline double pooled_weight(const pooling *how, size_t sequence, size_t i) {
    return how->weights ? (double)how->weights[sequence * how->count + i] : 1 / (double)how->count;
}

#endif
