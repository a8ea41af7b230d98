/* The inner loops of search and heat, in the vector instructions that the processor has. Conversions are
 * exact, and products are rounded and added one by one in a fixed order, so that every processor gives the
 * same bits. Knows rows of numbers, neither atlases nor queries. */
#ifndef KERNELS_H
#define KERNELS_H

#include <stddef.h>

/* Rows of f64 have a multiple of so many numbers, zero padded. */
enum { KERNEL_LANES = 8 };

/* What is asked of `width` columns of some rows: for each of `number` queries, out[i * count + r] +=
 * factors[r] * scale * (columns of row r . query i) + each[i]. */
typedef struct asked_columns {
    const float *factors, *queries; /* one query `between` numbers after the other */
    const double *each;
    double scale, *out;
} asked_columns;

/* Rows of f32, `stride` numbers apart, whose first `asked_count` * `width` columns are asked. */
typedef struct asked_rows {
    const float *rows;
    size_t count, stride, width;
    const asked_columns *asked;
    size_t asked_count, number, between;
} asked_rows;

typedef struct kernels {
    /* out[r] += codes[r] . q; codes: rows x width, q: width. f32 is multiplied and added in f64, f16 in f32,
     * which has bits to spare for it, eight sums that are then added in f64. */
    void (*add_dots_f16)(const void *codes, size_t rows, size_t width, const float *q, double *out);
    void (*add_dots_f32)(const void *codes, size_t rows, size_t width, const float *q, double *out);
    /* Row by row, so that memory is read in its order. Products and their sums are f32, all else f64.
     */
    void (*add_asked)(const asked_rows *of);
    /* out[r * stride + k] = codes[r * width + k] */
    void (*widen_f16)(const void *codes, size_t rows, size_t width, double *out, size_t stride);
    void (*widen_f32)(const void *codes, size_t rows, size_t width, double *out, size_t stride);
    /* out[r] = y[r] . q; y: rows x width */
    void (*dots)(const double *y, size_t rows, size_t width, const double *q, double *out);
    /* out = y matrix; y: rows x width, matrix: width x columns, out: rows x columns */
    void (*product)(const double *y, size_t rows, size_t width, const double *matrix, size_t columns,
                    double *out);
} kernels;

extern const kernels kernels_portable;

/* The fastest that this processor can run. */
const kernels *kernels_best(void);

#endif
