/* Attention in f32 with AVX-512. */
#if defined __x86_64__

#include "vector_avx512.h"

enum { ROWS = 12 };
#include "attention_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512;
}

const attention_kernel avx512_attention_f32 = {
    .name = "avx512",
    .precision = PRECISION_F32,
    .runs_on = runs_on,
    .query_rows = 4 * ROWS,
    .scratch_bytes = scratch_bytes,
    .pack = pack,
    .attend = attend,
    .probe = probe,
};

#endif
