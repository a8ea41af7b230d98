/* Products with AVX2 and FMA. */
#if defined __x86_64__

#include "vector_avx2.h"

enum { ROWS = 6 };
#include "product_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx2;
}

const product_kernel avx2_product_f32 = {
    .name = "avx2",
    .precision = PRECISION_F32,
    .runs_on = runs_on,
    .rows = ROWS,
    .columns = COLUMNS,
    .depth = DEPTH,
    .row_panel_bytes = row_panel_bytes,
    .weight_panel_bytes = weight_panel_bytes,
    .pack_rows = pack_rows,
    .pack_weight = pack_weight,
    .multiply = multiply,
    .tolerance = 1e-4,
};

const double_kernel avx2_double = {
    .name = "avx2",
    .runs_on = runs_on,
    .rows = ROWS,
    .columns = COLUMNS_F64,
    .pack = pack_f64,
    .multiply = multiply_f64,
};

#endif
