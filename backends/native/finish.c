/* The end of a product, on a micro tile that is in the first cache. See product.h. Tiles in bf16 and int8
 * take so little time that every instruction here counts: widths of one or two vectors have code of their
 * own. */
#include "product.h"

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
#define INLINED static inline __attribute__((always_inline))

/* sums += bias, with which all the tile is a number that can be activated */
INLINED void add_bias_to(size_t rows, size_t width, const float *bias, float *sums) {
    for (size_t r = 0; r < rows; ++r, sums += width) {
        for (size_t c = 0; c < width; ++c) sums[c] += bias[c];
    }
}

VECTORISED static void add_bias(const tile_end *end, float *sums) {
    if (end->width == 2 * LANES)
        add_bias_to(end->rows, 2 * LANES, end->bias, sums);
    else
        add_bias_to(end->rows, end->width, end->bias, sums);
}

VECTORISED static void add_residuals(const tile_end *end, float *sums) {
    for (size_t r = 0; r < end->rows; ++r, sums += end->width) {
        const float *residual = end->residuals[r] + end->first;
        for (size_t c = 0; c < end->columns; ++c) sums[c] += residual[c];
    }
}

/* out = sums + bias + residual on a tile that is stored whole, of `vectors` to the row. What it depends on is
 * known where this is called. */
INLINED void store_whole(const tile_end *end, size_t vectors, bool biased, bool adds, const float *sums) {
    for (size_t r = 0; r < end->rows; ++r, sums += vectors * LANES) {
        float *out = end->outs[r] + end->first;
        for (size_t v = 0; v < vectors; ++v) {
            lanes sum = *(const lanes *)(sums + v * LANES);
            if (biased) sum += *(const lanes *)(end->bias + v * LANES);
            if (adds) sum += *(const lanes *)(end->residuals[r] + end->first + v * LANES);
            __builtin_prefetch(out + (vectors + v) * LANES, 1);
            *(lanes *)(out + v * LANES) = sum;
        }
    }
}

INLINED void store_part(const tile_end *end, bool biased, bool adds, const float *sums) {
    for (size_t r = 0; r < end->rows; ++r, sums += end->width) {
        for (size_t c = 0; c < end->columns; ++c) {
            float sum = biased ? sums[c] + end->bias[c] : sums[c];
            end->outs[r][end->first + c] = adds ? sum + end->residuals[r][end->first + c] : sum;
        }
    }
}

INLINED void store_as(const tile_end *end, bool biased, bool adds, const float *sums) {
    bool whole = end->columns == end->width;
    if (whole && end->width == 2 * LANES)
        store_whole(end, 2, biased, adds, sums);
    else if (whole && end->width == LANES)
        store_whole(end, 1, biased, adds, sums);
    else
        store_part(end, biased, adds, sums);
}

/* out = sums + bias + residual, those that are wanted; the residuals may be the outputs */
VECTORISED static void store(const tile_end *end, bool biased, bool adds, const float *sums) {
    if (biased && adds)
        store_as(end, true, true, sums);
    else if (biased)
        store_as(end, true, false, sums);
    else if (adds)
        store_as(end, false, true, sums);
    else
        store_as(end, false, false, sums);
}

void finish_tile(const tile_end *end, float *sums) {
    bool adds = end->residuals != NULL;
    if (end->activation == HL_IDENTITY) {
        store(end, true, adds, sums);
        return;
    }
    add_bias(end, sums);
    if (adds && end->activation_last) add_residuals(end, sums);
    end->activate(end->activation, sums, end->rows * end->width);
    store(end, false, adds && !end->activation_last, sums);
}
