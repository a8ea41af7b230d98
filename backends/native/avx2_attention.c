/* Attention in f32 with AVX2. */
#if defined __x86_64__

#include "vector_avx2.h"

enum { ROWS = 6 };
#include "attention_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx2;
}

const attention_kernel avx2_attention_f32 = {
    .name = "avx2",
    .precision = PRECISION_F32,
    .runs_on = runs_on,
    .query_rows = 8 * ROWS,
    .scratch_bytes = scratch_bytes,
    .pack = pack,
    .attend = attend,
    .probe = probe,
};

#endif
