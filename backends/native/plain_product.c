/* Products in plain C. */
#include "kernels.h"

#include <string.h>

enum { ROWS = 4, COLUMNS = 16, DEPTH = 256 };

static bool runs_anywhere(const processor *machine) {
    (void)machine;
    return true;
}

static size_t row_panel_bytes(size_t depth) {
    return (depth * ROWS * sizeof(float) + 63) & ~(size_t)63;
}

static size_t weight_panel_bytes(size_t depth) {
    return depth * COLUMNS * sizeof(float);
}

/* panel (depth, width) = the transpose of x (count, depth), with zeros beyond `count`. */
static void transpose(const float *x, size_t stride, size_t count, size_t depth, size_t width, float *panel) {
    for (size_t i = 0; i < depth; ++i) {
        for (size_t r = 0; r < width; ++r) panel[i * width + r] = r < count ? x[r * stride + i] : 0.0f;
    }
}

static void pack_rows(const float *x, size_t stride, size_t count, size_t depth, void *panel) {
    transpose(x, stride, count, depth, ROWS, panel);
}

static void pack_weight(const float *weight, size_t stride, size_t count, size_t depth, void *panel) {
    transpose(weight, stride, count, depth, COLUMNS, panel);
}

static void multiply(const void *row_panel, const void *weight_panel, size_t depth, size_t count, bool add,
                     float *out) {
    const float *x = row_panel, *weight = weight_panel;
    (void)count;
    float sums[ROWS * COLUMNS] = {0};
    if (add) memcpy(sums, out, sizeof sums);
    for (size_t i = 0; i < depth; ++i, x += ROWS, weight += COLUMNS) {
        for (size_t r = 0; r < ROWS; ++r) {
            for (size_t c = 0; c < COLUMNS; ++c) sums[r * COLUMNS + c] += x[r] * weight[c];
        }
    }
    memcpy(out, sums, sizeof sums);
}

const product_kernel plain_product_f32 = {
    .name = "plain",
    .precision = PRECISION_F32,
    .runs_on = runs_anywhere,
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
