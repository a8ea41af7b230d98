/* Products with AVX-512. */
#if defined __x86_64__

#include "vector_avx512.h"

enum { ROWS = 14, PARTS = 1 };

VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    return v_fma(x, w, sums);
}

#include "f32_vectors.h"

#include "double_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512;
}

const product_kernel avx512_product_f32 = {VECTOR_KERNEL("avx512", PRECISION_F32, DEPTH, F32_TOLERANCE)};
const double_kernel avx512_double = {DOUBLE_KERNEL("avx512")};

#endif
