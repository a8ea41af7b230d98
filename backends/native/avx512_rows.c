/* Functions on rows with AVX-512. */
#if defined __x86_64__

#include "vector_avx512.h"

#include "rows_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512;
}

const row_kernel avx512_rows = {
    .name = "avx512",
    .runs_on = runs_on,
    .activate = activate,
    .layer_norm = layer_norm,
};

#endif
