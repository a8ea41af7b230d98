/* OpenBLAS's working memory: a buffer for each call that is under way. OpenBLAS takes a further one from the
 * system when all are in use, keeps it for ever, and where the system has no more it tries again without end.
 * So there is a look whether there is room before it is loaded, all buffers are taken when it is opened, and
 * no more calls are let in than there are buffers. */
#ifndef OPENBLAS_BUFFERS_H
#define OPENBLAS_BUFFERS_H

#include "blas.h"

/* Before the library is loaded. *lean: there is room if OpenBLAS's own threads get no buffers, as with
 * OMP_NUM_THREADS=1. */
hl_status buffers_check(unsigned threads, bool *lean, hl_error *error);

/* Buffers for calls from so many threads at once, or as many as this build can have. Those that are there
 * stay. [one thread at a time] */
hl_status buffers_reserve(const blas_functions *blas, unsigned threads, hl_error *error);

/* Around each call. The first is let in before anything was reserved. */
void buffers_wait(void);
void buffers_post(void);

#endif
