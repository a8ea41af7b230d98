/* The end of a product, on a micro tile that is in the first cache. See product.h. */
#include "product.h"

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));

/* sums += bias, with which all the tile is a number that can be activated */
VECTORISED static void add_bias(const tile_end *end, float *sums) {
    for (size_t r = 0; r < end->rows; ++r, sums += end->width) {
        for (size_t c = 0; c < end->width; ++c) sums[c] += end->bias[c];
    }
}

VECTORISED static void add_residuals(const tile_end *end, float *sums) {
    for (size_t r = 0; r < end->rows; ++r, sums += end->width) {
        for (size_t c = 0; c < end->columns; ++c) sums[c] += end->residuals[r][c];
    }
}

/* out = sums + bias + residual; `bias` and the residuals may be NULL, and the residuals may be the outputs.
 */
VECTORISED static void store(const tile_end *end, const float *bias, bool adds, const float *sums) {
    for (size_t r = 0; r < end->rows; ++r, sums += end->width) {
        const float *residual = adds ? end->residuals[r] : NULL;
        float *out = end->outs[r];
        size_t c = 0;
        for (; c + LANES <= end->columns; c += LANES) {
            lanes sum = *(const lanes *)(sums + c);
            if (bias) sum += *(const lanes *)(bias + c);
            if (residual) sum += *(const lanes *)(residual + c);
            __builtin_prefetch(out + c + end->width, 1);
            *(lanes *)(out + c) = sum;
        }
        for (; c < end->columns; ++c) {
            float sum = bias ? sums[c] + bias[c] : sums[c];
            out[c] = residual ? sum + residual[c] : sum;
        }
    }
}

void finish_tile(const tile_end *end, float *sums) {
    bool adds = end->residuals[0] != NULL;
    if (end->activation == HL_IDENTITY) {
        store(end, end->bias, adds, sums);
        return;
    }
    add_bias(end, sums);
    if (adds && end->activation_last) add_residuals(end, sums);
    end->activate(end->activation, sums, end->rows * end->width);
    store(end, NULL, adds && !end->activation_last, sums);
}
