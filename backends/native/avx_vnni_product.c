/* Products of int8 with AVX_VNNI. */
#if defined __x86_64__

#define AVX2_BESIDES ",avxvnni"
#include "vector_avx2.h"

enum { ROWS = 6, PARTS = 1 };

/* As in avx512_vnni_product.c. */
VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    __asm__("%{vex%} vpdpbusd %2, %1, %0" : "+x"(sums) : "x"(x), "x"(w));
    return sums;
}

#include "int8_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx_vnni;
}

const product_kernel avx_vnni_product = {
    VECTOR_KERNEL("avx_vnni", PRECISION_INT8, INT8_DEPTH, INT8_TOLERANCE)};

#endif
