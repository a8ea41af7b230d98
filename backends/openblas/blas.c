/* The one OpenBLAS of the process. See blas.h. */
#include "blas.h"

#include "buffers.h"
#include "loader.h"

#include <pthread.h>

static struct {
    pthread_mutex_t lock;
    bool open;
    blas_functions functions;
} shared = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The library that is asked for now: the one that is open, or the first. */
static hl_status find_library(unsigned threads, hl_error *error) {
    if (!shared.open) {
        hl_status status = loader_open(threads, &shared.functions, error);
        shared.open = status == HL_OK;
        return status;
    }
    void *asked;
    hl_status status = loader_find(&asked, error);
    if (status != HL_OK || asked == shared.functions.library) return status;
    return hl_fail(error, HL_FAILED,
                   "this process computes with %s already; HEADLIGHT_OPENBLAS may not change any more",
                   shared.functions.config());
}

hl_status blas_open(unsigned threads, const blas_functions **out, hl_error *error) {
    pthread_mutex_lock(&shared.lock);
    hl_status status = find_library(threads, error);
    if (status == HL_OK) status = buffers_reserve(&shared.functions, threads, error);
    pthread_mutex_unlock(&shared.lock);
    *out = &shared.functions;
    return status;
}

int blas_begin(const blas_functions *blas) {
    buffers_wait();
    if (!blas->omp_set_num_threads) return 0;
    int before = blas->omp_get_max_threads();
    blas->omp_set_num_threads(1);
    return before;
}

void blas_end(const blas_functions *blas, int before) {
    if (before) blas->omp_set_num_threads(before);
    buffers_post();
}
