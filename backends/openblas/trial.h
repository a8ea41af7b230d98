/* A kernel on trial: a few small products with known results. */
#ifndef OPENBLAS_TRIAL_H
#define OPENBLAS_TRIAL_H

#include "blas.h"

/* HL_FAILED where the kernel's numbers are wrong.
 *
 * *row_unit gets the number of rows that the kernel works on at once: in products whose rows are a multiple
 * of it, a row of the result is the same bits wherever it stands. It is found by trying, as it differs
 * between kernels and versions and nothing tells; 0: no number does (Haswell, Zen). */
hl_status trial_run(const blas_functions *blas, size_t *row_unit, hl_error *error);

#endif
