/* Products of int8 with AVX512_VNNI. */
#if defined __x86_64__

#define AVX512_BESIDES ",avx512vnni"
#include "vector_avx512.h"

enum { ROWS = 14, PARTS = 1 };

/* As _mm512_dpbusd_epi32 would, for which GCC 12 moves all sums to other registers and back at every step. */
VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sums) : "v"(x), "v"(w));
    return sums;
}

#include "int8_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512_vnni;
}

const product_kernel avx512_vnni_product = {
    VECTOR_KERNEL("avx512_vnni", PRECISION_INT8, INT8_DEPTH, INT8_TOLERANCE)};

#endif
