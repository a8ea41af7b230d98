/* Products of int8 with AVX2: what is narrow in memory is multiplied as int16, so that no sum of two is cut
 * off. */
#if defined __x86_64__

#include "vector_avx2.h"

enum { ROWS = 6, PARTS = 2 };

VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    vector products = v_pair_products(x, w);
    __asm__("vpaddd %1, %0, %0" : "+x"(sums) : "x"(products));
    return sums;
}

#include "int8_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx2;
}

const product_kernel avx2_product_int8 = {VECTOR_KERNEL("avx2", PRECISION_INT8, INT8_DEPTH, INT8_TOLERANCE)};

#endif
