/* OpenBLAS, opened at run time, as far as this backend needs it. Every call runs in the calling thread alone:
 * the work is spread by the backend, over the host's threads. */
#ifndef OPENBLAS_BLAS_H
#define OPENBLAS_BLAS_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>

enum { BLAS_ROW_MAJOR = 101, BLAS_AS_IS = 111, BLAS_TRANSPOSED = 112 }; /* CBLAS_ORDER, CBLAS_TRANSPOSE */

/* A product of at most so many multiply-adds may run in other code, for small matrices, whose sums are formed
 * in another order. OpenBLAS says a million, and less on other processors. */
enum { BLAS_SMALL = 1 << 20 };

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
    /* OpenBLAS's own, which are no part of an interface; NULL where a build hides them. */
    void *(*take_buffer)(int purpose);
    void (*give_buffer)(void *buffer);
    size_t row_unit;  /* see trial.h */
    char advice[400]; /* why it is slower than it could be, and what to do; "": it is not */
} blas_functions;

/* Opens the library that HEADLIGHT_OPENBLAS names, or else the system's, once in a process, with the best of
 * its kernels that the processor can run (OPENBLAS_CORETYPE decides where it is set), and with room for calls
 * from so many threads at once. *out lives as long as the plugin. There is nothing to close: OpenBLAS keeps
 * threads of its own, so it stays loaded. [any thread] */
hl_status blas_open(unsigned threads, const blas_functions **out, hl_error *error);

/* Around calls: makes them run in this thread alone, and waits where more threads call than there is room
 * for. Hands blas_end what it needs. */
int blas_begin(const blas_functions *blas);
void blas_end(const blas_functions *blas, int before);

#endif
