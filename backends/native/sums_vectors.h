/* Products of f32 or bf16 over vectors of any width: see product_vectors.h. Sums are f32. */
#include "product_vectors.h"

enum { DEPTH = 256 * GROUP };

static size_t row_panel_bytes(size_t depth) {
    return row_words_bytes(depth);
}

static size_t weight_panel_bytes(size_t depth) {
    return weight_words_bytes(depth);
}

VECTOR_CODE static void pack_rows(const float *x, size_t stride, size_t count, size_t depth, void *panel) {
    weave_rows(x, stride, count, depth, NULL, 0, panel);
}

VECTOR_CODE static void pack_weight(const float *weight, size_t stride, size_t count, size_t depth,
                                    void *panel) {
    weave_weight(weight, stride, count, depth, NULL, panel);
}

VECTOR_INLINED void tile(size_t rows, const void *x, const void *w, size_t depth, bool add, float *out) {
    vector sums[ROWS][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r) {
        sums[r][0] = add ? v_load(out + r * COLUMNS) : v_spread(0);
        sums[r][1] = add ? v_load(out + r * COLUMNS + LANES) : v_spread(0);
    }
    multiply_panels(rows, x, w, depth, sums);
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r) {
        v_store(out + r * COLUMNS, sums[r][0]);
        v_store(out + r * COLUMNS + LANES, sums[r][1]);
    }
}
