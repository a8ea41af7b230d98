/* Products with AVX-512. */
#if defined __x86_64__

#include "vector_avx512.h"

enum { ROWS = 14 };
#include "product_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512;
}

const product_kernel avx512_product_f32 = {
    .name = "avx512",
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

const double_kernel avx512_double = {
    .name = "avx512",
    .runs_on = runs_on,
    .rows = ROWS,
    .columns = COLUMNS_F64,
    .pack = pack_f64,
    .multiply = multiply_f64,
};

#endif
