/* OpenBLAS, opened at run time, as far as this backend needs it. Every call runs in the calling thread alone:
 * the work is spread by the backend, over the host's threads. */
#ifndef OPENBLAS_BLAS_H
#define OPENBLAS_BLAS_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>

enum { BLAS_ROW_MAJOR = 101, BLAS_AS_IS = 111, BLAS_TRANSPOSED = 112 }; /* CBLAS_ORDER, CBLAS_TRANSPOSE */

typedef struct blas_functions {
    void *library;
    /* The C interface of the BLAS Technical Forum's standard, chapter 2. */
    void (*sgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
    void (*dgemm)(int order, int transpose_a, int transpose_b, int m, int n, int k, double alpha,
                  const double *a, int lda, const double *b, int ldb, double beta, double *c, int ldc);
    void (*sgemv)(int order, int transpose, int m, int n, float alpha, const float *a, int lda,
                  const float *x, int step_x, float beta, float *y, int step_y);
    /* LAPACK: the Fortran interface, with the lengths of the texts at the end. */
    void (*dsyev)(const char *jobz, const char *uplo, const int *n, double *a, const int *lda, double *w,
                  double *work, const int *lwork, int *info, size_t jobz_length, size_t uplo_length);
    const char *(*config)(void), *(*core_name)(void);
    void (*set_threads)(int count);
    /* Only where OpenBLAS was built on OpenMP, NULL otherwise: there the number of threads belongs to the
     * thread that calls. */
    int (*omp_get_max_threads)(void);
    void (*omp_set_num_threads)(int count);
} blas_functions;

/* Opens the library that HEADLIGHT_OPENBLAS names, or else the system's. There is nothing to close: OpenBLAS
 * keeps threads of its own, so it stays loaded. */
hl_status blas_open(blas_functions *out, hl_error *error);

/* Around calls: makes them run in this thread alone. Hands blas_end what it needs. */
int blas_begin(const blas_functions *blas);
void blas_end(const blas_functions *blas, int before);

#endif
