/* Products with AVX2 and FMA. */
#if defined __x86_64__

#include "vector_avx2.h"

enum { ROWS = 6, PARTS = 1 };

VECTOR_INLINED vector add_products(vector sums, vector x, vector w) {
    return v_fma(x, w, sums);
}

#include "f32_vectors.h"

#include "double_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx2;
}

const product_kernel avx2_product_f32 = {VECTOR_KERNEL("avx2", PRECISION_F32, DEPTH, F32_TOLERANCE)};
const double_kernel avx2_double = {DOUBLE_KERNEL("avx2")};

#endif
