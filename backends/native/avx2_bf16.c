/* Products of bf16 with AVX2: what is narrow in memory is multiplied as f32. */
#if defined __x86_64__

#include "vector_avx2.h"

enum { ROWS = 6, PARTS = 2 };

VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    __asm__("vfmadd231ps %2, %1, %0" : "+x"(sums) : "x"(x), "x"(w));
    return sums;
}

#include "bf16_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx2;
}

const product_kernel avx2_product_bf16 = {VECTOR_KERNEL("avx2", PRECISION_BF16, DEPTH, BF16_TOLERANCE)};

#endif
