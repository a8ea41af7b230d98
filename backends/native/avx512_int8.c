/* Products of int8 with AVX-512: what is narrow in memory is multiplied as int16, so that no sum of two is
 * cut off. */
#if defined __x86_64__

#include "vector_avx512.h"

enum { ROWS = 14, PARTS = 2 };

VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    vector products = v_pair_products(x, w);
    __asm__("vpaddd %1, %0, %0" : "+v"(sums) : "v"(products));
    return sums;
}

#include "int8_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512;
}

const product_kernel avx512_product_int8 = {
    VECTOR_KERNEL("avx512", PRECISION_INT8, INT8_DEPTH, INT8_TOLERANCE)};

#endif
