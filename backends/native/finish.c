/* The end of a product, on a micro tile that is in the first cache. See product.h. */
#include "product.h"

/* Several versions of one function, for several vector widths; each number is rounded alike in all. */
#define VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))

VECTORISED static void add_bias(const float *bias, size_t width, size_t rows, float *sums) {
    for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < width; ++c) sums[r * width + c] += bias[c];
    }
}

VECTORISED static void add_rows(const float *const *more, size_t width, size_t columns, size_t rows,
                                float *sums) {
    for (size_t r = 0; r < rows; ++r) {
        for (size_t c = 0; c < columns; ++c) sums[r * width + c] += more[r][c];
    }
}

VECTORISED static void store_rows(const float *sums, size_t width, size_t columns, size_t rows,
                                  float *const *outs) {
    for (size_t r = 0; r < rows; ++r) {
        float *restrict out = outs[r];
        for (size_t c = 0; c < columns; ++c) out[c] = sums[r * width + c];
    }
}

void finish_tile(const tile_end *end, size_t rows, float *sums) {
    bool adds = end->residuals[0] != NULL;
    add_bias(end->bias, end->width, rows, sums);
    if (adds && end->activation_last) add_rows(end->residuals, end->width, end->columns, rows, sums);
    if (end->activation != HL_IDENTITY) end->activate(end->activation, sums, rows * end->width);
    if (adds && !end->activation_last) add_rows(end->residuals, end->width, end->columns, rows, sums);
    store_rows(sums, end->width, end->columns, rows, end->outs);
}
