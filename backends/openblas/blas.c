/* Finds OpenBLAS. See blas.h. */
#include "blas.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

static void *open_library(hl_error *error) {
    const char *chosen = getenv("HEADLIGHT_OPENBLAS");
    const char *const usual[] = {"libopenblas.so.0", "libopenblas.so"};
    const char *const *names = chosen ? &chosen : usual;
    size_t count = chosen ? 1 : sizeof usual / sizeof *usual;
    for (size_t i = 0; i < count; ++i) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
        if (library) return library;
    }
    hl_fail(error, HL_FAILED,
            "OpenBLAS cannot be opened (%s); install it (libopenblas0), name the file in HEADLIGHT_OPENBLAS, "
            "or choose the backend reference",
            dlerror());
    return NULL;
}

/* A symbol into the function pointer at `pointer`; ISO C has no cast between the two. */
static bool find(void *library, const char *name, void *pointer) {
    void *symbol = dlsym(library, name);
    memcpy(pointer, &symbol, sizeof symbol);
    return symbol != NULL;
}

hl_status blas_open(blas_functions *out, hl_error *error) {
    *out = (blas_functions){.library = open_library(error)};
    if (!out->library) return HL_FAILED;
    const struct {
        const char *name;
        void *pointer;
    } needed[] = {
        {"cblas_sgemm", &out->sgemm},
        {"cblas_dgemm", &out->dgemm},
        {"cblas_sgemv", &out->sgemv},
        {"dsyev_", &out->dsyev},
        {"openblas_get_config", &out->config},
        {"openblas_get_corename", &out->core_name},
        {"openblas_set_num_threads", &out->set_threads},
    };
    for (size_t i = 0; i < sizeof needed / sizeof *needed; ++i) {
        if (find(out->library, needed[i].name, needed[i].pointer)) continue;
        return hl_fail(
            error, HL_FAILED,
            "the OpenBLAS library that was found lacks %s; name another file in HEADLIGHT_OPENBLAS",
            needed[i].name);
    }
    if (strstr(out->config(), "USE64BITINT")) {
        return hl_fail(error, HL_FAILED,
                       "the OpenBLAS library that was found takes 64-bit sizes; one with 32-bit sizes is "
                       "needed: name its file in HEADLIGHT_OPENBLAS");
    }
    bool openmp = find(out->library, "omp_get_max_threads", &out->omp_get_max_threads) &&
                  find(out->library, "omp_set_num_threads", &out->omp_set_num_threads);
    if (!openmp) out->set_threads(1);
    return HL_OK;
}

int blas_begin(const blas_functions *blas) {
    if (!blas->omp_set_num_threads) return 0;
    int before = blas->omp_get_max_threads();
    blas->omp_set_num_threads(1);
    return before;
}

void blas_end(const blas_functions *blas, int before) {
    if (before) blas->omp_set_num_threads(before);
}
