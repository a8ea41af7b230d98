/* What the files of this backend share: its memory, and how work is cut into pieces, one for each thread. */
#ifndef OPENBLAS_BACKEND_H
#define OPENBLAS_BACKEND_H

#include "blas.h"
#include "headlight/compute.h"

struct hl_backend {
    const hl_host *host;
    const blas_functions *blas;
    char description[128];
};

struct hl_tensor {
    float *data;
};

/* (in, out): transposed, because that is the order that OpenBLAS packs fastest. */
struct hl_weight {
    size_t out, in;
    float *data, *bias; /* bias NULL: none */
};

/* Element (r, c) is data[r * stride + c]; data == NULL stands for "none". */
typedef struct matrix {
    float *data;
    size_t rows, cols, stride;
} matrix;

static inline matrix view(hl_matrix m) {
    return (matrix){m.tensor ? m.tensor->data + m.offset : NULL, m.rows, m.cols, m.stride};
}

static inline float *row_of(matrix m, size_t row) {
    return m.data ? m.data + row * m.stride : NULL;
}

/* Into how many pieces to cut `count` equal things of `cost` multiply-adds each. */
size_t pieces_of(const hl_backend *backend, size_t count, size_t cost);

/* Piece `index` of `pieces` covers [piece_edge(index), piece_edge(index + 1)); edges are multiples of `unit`.
 */
size_t piece_edge(size_t count, size_t pieces, size_t index, size_t unit);

/* HL_FAILED for a matrix that BLAS, which counts in int, cannot take. */
hl_status check_sizes(size_t rows, size_t stride, hl_error *error);

hl_status prepare_weight(hl_backend *backend, const hl_weight_source *source, hl_weight **weight,
                         hl_error *error);
void free_weight(hl_backend *backend, hl_weight *weight);

/* out = act(out + x W^T): whatever else belongs to the sum lies in `out` already. */
hl_status add_product(hl_backend *backend, const hl_weight *weight, matrix x, matrix out,
                      hl_activation activation, hl_error *error);

/* HL_USAGE for an activation that kernels.h has not. */
hl_status check_activation(hl_activation activation, hl_error *error);

hl_status run_linear(hl_backend *backend, const hl_linear *operation, hl_error *error);
hl_status run_patch_embedding(hl_backend *backend, const hl_patch_embedding *operation, hl_error *error);
hl_status run_gate(hl_backend *backend, const hl_gate *operation, hl_error *error);
hl_status run_rotary(hl_backend *backend, const hl_rotary *operation, hl_error *error);
hl_status run_convolution(hl_backend *backend, const hl_convolution *operation, hl_error *error);
hl_status run_average_pool(hl_backend *backend, const hl_average_pool *operation, hl_error *error);
hl_status run_attention(hl_backend *backend, const hl_attention *operation, hl_error *error);

#endif
