/* Functions on rows with AVX2. */
#if defined __x86_64__

#include "vector_avx2.h"

#include "rows_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx2;
}

const row_kernel avx2_rows = {
    .name = "avx2",
    .runs_on = runs_on,
    .activate = activate,
    .layer_norm = layer_norm,
};

#endif
