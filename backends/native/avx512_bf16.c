/* Products of bf16 with AVX-512: what is narrow in memory is multiplied as f32. */
#if defined __x86_64__

#include "vector_avx512.h"

enum { ROWS = 14, PARTS = 2 };

VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    __asm__("vfmadd231ps %2, %1, %0" : "+v"(sums) : "v"(x), "v"(w));
    return sums;
}

#include "bf16_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512;
}

const product_kernel avx512_product_bf16 = {VECTOR_KERNEL("avx512", PRECISION_BF16, DEPTH, BF16_TOLERANCE)};

#endif
