/* What the files of this backend share: its memory, its view of matrices, and how work is cut into pieces. */
#ifndef NATIVE_H
#define NATIVE_H

#include "kernels.h"

/* Several versions of one function, for several vector widths; the loader takes the best that the processor
 * can run. Each number is rounded alike in all. Static, as clang 14 loses the name of others. */
#if defined __x86_64__
#define VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define VECTORISED
#endif

/* Memory that operations borrow and give back, so that none is allocated once a model is warm. */
typedef struct lent lent;
typedef struct lender {
    const hl_host *host;
    void *lock; /* a pthread_mutex_t */
    lent *free;
} lender;

/* Large weights share slabs, so that they lie in large pages to their ends: the system takes much longer to
 * hand out small ones. A slab is used once from its beginning to its end, and goes with its last weight. */
typedef struct slab slab;
typedef struct shelf {
    const hl_host *host;
    void *lock; /* a pthread_mutex_t */
    slab *slabs;
} shelf;

struct hl_backend {
    const hl_host *host;
    processor processor;
    kernel_set kernels;
    lender memory;
    shelf shelf;
    char description[128];
};

struct hl_tensor {
    float *data;
};

/* Packed panels of a product kernel: outputs by outputs, in each of them depth by depth. */
struct hl_weight {
    const product_kernel *kernel;
    size_t out, in;
    size_t depth, chunks;            /* numbers of `in` that are multiplied at once, and how often that is */
    size_t chunk_bytes, panel_bytes; /* of `depth` numbers, and of all */
    unsigned char *panels;
    slab *slab;  /* that they lie in; NULL: in none */
    float *bias; /* of all outputs of all panels; zeros where there is none */
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

static inline size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static inline size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* How many groups of `size` hold `count` things. */
static inline size_t groups_of(size_t count, size_t size) {
    return (count + size - 1) / size;
}

/* Piece `index` of `pieces` covers [piece_edge(index), piece_edge(index + 1)). */
static inline size_t piece_edge(size_t count, size_t pieces, size_t index) {
    return count * index / pieces;
}

/* Into how many pieces to cut `count` equal things of `cost` multiply-adds each. */
size_t pieces_of(const hl_backend *backend, size_t count, size_t cost);

/* ---- memory.c ---- */

bool lender_open(lender *self, const hl_host *host);
void lender_close(lender *self);
/* At least `bytes`, aligned to 64, not cleared; NULL: no memory. Give it back with `give_back`, which accepts
 * NULL. [any thread] */
void *lend(lender *self, size_t bytes);
void give_back(lender *self, void *memory);

bool shelf_open(shelf *self, const hl_host *host);
void shelf_close(shelf *self); /* when all has been given back */
/* As hl_host.allocate; `from` is wanted to give it back. [any thread] */
void *shelf_take(shelf *self, size_t count, size_t element, slab **from);
void shelf_give_back(shelf *self, void *memory, slab *from);

/* ---- product.c ---- */

hl_status prepare_weight(hl_backend *backend, const hl_weight_source *source, hl_weight **weight,
                         hl_error *error);
hl_status prepare_weight_rows(hl_backend *backend, const hl_weight_source *source, const hl_rows *rows,
                              hl_weight **weight, hl_error *error);
void free_weight(hl_backend *backend, hl_weight *weight);
hl_status run_linear(hl_backend *backend, const hl_linear *operation, hl_error *error);
hl_status run_patch_embedding(hl_backend *backend, const hl_patch_embedding *operation, hl_error *error);
hl_status run_convolution(hl_backend *backend, const hl_convolution *operation, hl_error *error);

/* ---- attention.c, rows.c ---- */

hl_status run_attention(hl_backend *backend, const hl_attention *operation, hl_error *error);
hl_status run_layer_norm(hl_backend *backend, const hl_layer_norm *operation, hl_error *error);

/* ---- elements.c ---- */

hl_status run_gate(hl_backend *backend, const hl_gate *operation, hl_error *error);
hl_status run_rotary(hl_backend *backend, const hl_rotary *operation, hl_error *error);
hl_status run_average_pool(hl_backend *backend, const hl_average_pool *operation, hl_error *error);

/* ---- double.c, eigen.c: see hl_compute_api ---- */

hl_status run_product_f64(hl_backend *backend, bool transpose_a, bool transpose_b, size_t m, size_t n,
                          size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                          size_t ldc, hl_error *error);
hl_status run_symmetric_eigen_f64(hl_backend *backend, size_t n, double *a, double *eigenvalues,
                                  hl_error *error);

#endif
