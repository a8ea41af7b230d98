/* Finds the library, and has it take the right kernel. */
#ifndef OPENBLAS_LOADER_H
#define OPENBLAS_LOADER_H

#include "blas.h"

/* The first time. */
hl_status loader_open(unsigned threads, blas_functions *out, hl_error *error);

/* Afterwards: which library is asked for now. */
hl_status loader_find(void **library, hl_error *error);

#endif
