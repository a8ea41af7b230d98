/* Products of bf16 with AVX512_BF16. */
#if defined __x86_64__

#define AVX512_BESIDES ",avx512bf16"
#include "vector_avx512.h"

enum { ROWS = 14, PARTS = 1 };

/* As _mm512_dpbf16_ps would, for which GCC 12 moves all sums to other registers and back at every step. */
VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    __asm__("vdpbf16ps %2, %1, %0" : "+v"(sums) : "v"(x), "v"(w));
    return sums;
}

#include "bf16_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512_bf16;
}

static bool outdone_on(const processor *machine) {
    return machine->slow_bf16;
}

const product_kernel avx512_bf16_product = {
    VECTOR_KERNEL("avx512_bf16", PRECISION_BF16, DEPTH, BF16_TOLERANCE),
    .outdone_on = outdone_on,
};

#endif
