/* The operations of compute.h in plain C on host memory: every sum in double, every result rounded once, so
 * that all other backends can be judged by it. Knows no tensors and no plugin. */
#ifndef REFERENCE_OPERATIONS_H
#define REFERENCE_OPERATIONS_H

#include "headlight/compute.h"

/* Element (r, c) is data[r * stride + c]; data == NULL stands for "none". */
typedef struct matrix {
    float *data;
    size_t rows, cols, stride;
} matrix;

/* A weight (out, in), stored transposed in panels so that one step over `in` reads PANEL neighbours:
 * element (o, i) is panels[(o / PANEL * in + i) * PANEL + o % PANEL]; the last panel is padded with zeros. */
enum { PANEL = 16 };

typedef struct packed_weight {
    size_t out, in;
    float *panels, *bias; /* bias NULL: none */
} packed_weight;

hl_status pack_weight(const hl_host *host, const hl_weight_source *source, packed_weight *weight,
                      hl_error *error);
void release_weight(const hl_host *host, packed_weight *weight);

void linear(const hl_host *host, matrix x, const packed_weight *weight, hl_activation activation,
            matrix residual, matrix out);

/* `shape` gives the numbers; the matrices and tensors in it are not read. */
hl_status patch_embedding(const hl_host *host, const hl_patch_embedding *shape, matrix pixels,
                          const packed_weight *weight, matrix prefix, matrix position, matrix out,
                          hl_error *error);

void layer_norm(const hl_host *host, matrix x, const float *gain, const float *shift, float epsilon,
                matrix out, matrix statistics);

/* The same of `shape` as above. */
hl_status attention(const hl_host *host, const hl_attention *shape, matrix q, matrix k, matrix v, matrix out,
                    matrix probabilities, hl_error *error);

void gate(const hl_host *host, matrix a, matrix b, hl_activation activation, matrix out);

/* x in place; the same of `shape`. */
void rotary(const hl_host *host, const hl_rotary *shape, matrix x, matrix cosines, matrix sines);

hl_status convolution(const hl_host *host, const hl_convolution *shape, matrix x, const packed_weight *weight,
                      matrix residual, matrix out, hl_error *error);

void average_pool(const hl_host *host, const hl_average_pool *shape, matrix x, matrix out);

void copy_matrix(matrix from, matrix to);

/* c (m, n) = op(a) (m, k) op(b) (k, n) */
void product_f64(const hl_host *host, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                 const double *a, size_t lda, const double *b, size_t ldb, double *c, size_t ldc);

/* See hl_compute_api.symmetric_eigen_f64. */
hl_status symmetric_eigen_f64(const hl_host *host, size_t n, double *a, double *eigenvalues, hl_error *error);

#endif
