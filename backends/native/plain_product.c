/* Products in plain C, in every precision: what all other kernels are held against, and what runs where none
 * of them does. A number in bf16 is an f32 whose low 16 bits are zero; products of two are exact in f32. */
#include "kernels.h"

#include "int8.h"

#include <math.h>

#define INLINED __attribute__((always_inline)) static inline

enum { ROWS = 4, COLUMNS = 16, DEPTH = 256 };

static bool runs_anywhere(const processor *machine) {
    (void)machine;
    return true;
}

static size_t whole_lines(size_t bytes) {
    return (bytes + 63) / 64 * 64;
}

/* ---- f32, and f32 in parts ---- */

/* The nearest bf16, ties to even; NaN stays one. */
static float to_bf16(float x) {
    if (isnan(x)) return x;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* panel (parts, depth, width): the transpose of x (count, depth), zeros beyond `count`. A number is the sum
 * of its parts, each the bf16 nearest to what those before left; a single part of f32 is the number itself.
 */
INLINED void pack(const float *x, size_t stride, size_t count, size_t depth, size_t width, size_t parts,
                  bool whole, float *panel) {
    for (size_t i = 0; i < depth; ++i) {
        for (size_t r = 0; r < width; ++r) {
            float rest = r < count ? x[r * stride + i] : 0.0f;
            for (size_t part = 0; part < parts; ++part) {
                float taken = whole ? rest : to_bf16(rest);
                panel[(part * depth + i) * width + r] = taken;
                rest -= taken;
            }
        }
    }
}

/* The products of parts that are not negligible: first with first, and so on down to the last part with the
 * other's first. The smallest are added first. */
INLINED void multiply_parts(const float *x, const float *weight, size_t depth, size_t parts, bool add,
                            float *out) {
    float sums[ROWS * COLUMNS] = {0};
    for (size_t order = parts; order-- > 0;) {
        for (size_t part = 0; part <= order; ++part) {
            const float *left = x + part * depth * ROWS, *right = weight + (order - part) * depth * COLUMNS;
            for (size_t i = 0; i < depth; ++i, left += ROWS, right += COLUMNS) {
                for (size_t r = 0; r < ROWS; ++r) {
                    for (size_t c = 0; c < COLUMNS; ++c) sums[r * COLUMNS + c] += left[r] * right[c];
                }
            }
        }
    }
    for (size_t i = 0; i < ROWS * COLUMNS; ++i) out[i] = add ? out[i] + sums[i] : sums[i];
}

#define DEFINE_PRODUCT(NAME, PRECISION, PARTS, WHOLE, TOLERANCE)                                             \
    static size_t NAME##_row_bytes(size_t depth) {                                                           \
        return whole_lines(PARTS * depth * ROWS * sizeof(float));                                            \
    }                                                                                                        \
    static size_t NAME##_weight_bytes(size_t depth) {                                                        \
        return PARTS * depth * COLUMNS * sizeof(float);                                                      \
    }                                                                                                        \
    static void NAME##_pack_rows(const float *x, size_t stride, size_t count, size_t depth, void *panel) {   \
        pack(x, stride, count, depth, ROWS, PARTS, WHOLE, panel);                                            \
    }                                                                                                        \
    static void NAME##_pack_weight(const float *weight, size_t stride, size_t count, size_t depth,           \
                                   void *panel) {                                                            \
        pack(weight, stride, count, depth, COLUMNS, PARTS, WHOLE, panel);                                    \
    }                                                                                                        \
    static void NAME##_multiply(const void *row_panel, const void *weight_panel, size_t depth, size_t count, \
                                bool add, float *out) {                                                      \
        (void)count;                                                                                         \
        multiply_parts(row_panel, weight_panel, depth, PARTS, add, out);                                     \
    }                                                                                                        \
    const product_kernel plain_product_##NAME = {.name = "plain",                                            \
                                                 .precision = PRECISION,                                     \
                                                 .runs_on = runs_anywhere,                                   \
                                                 .rows = ROWS,                                               \
                                                 .columns = COLUMNS,                                         \
                                                 .depth = DEPTH,                                             \
                                                 .row_panel_bytes = NAME##_row_bytes,                        \
                                                 .weight_panel_bytes = NAME##_weight_bytes,                  \
                                                 .pack_rows = NAME##_pack_rows,                              \
                                                 .pack_weight = NAME##_pack_weight,                          \
                                                 .multiply = NAME##_multiply,                                \
                                                 .tolerance = TOLERANCE};

DEFINE_PRODUCT(f32, PRECISION_F32, 1, true, F32_TOLERANCE)
DEFINE_PRODUCT(bf16x6, PRECISION_BF16X6, 3, false, F32_TOLERANCE)
DEFINE_PRODUCT(bf16x3, PRECISION_BF16X3, 2, false, F32_TOLERANCE)
DEFINE_PRODUCT(bf16, PRECISION_BF16, 1, false, BF16_TOLERANCE)

/* ---- int8 ---- */

/* A panel holds the scales of its `width` rows, then (depth, width) numbers. */
static size_t int8_bytes(size_t depth, size_t width) {
    return width * sizeof(float) + whole_lines(depth * width);
}

static size_t int8_row_bytes(size_t depth) {
    return int8_bytes(depth, COLUMNS);
}

static size_t int8_weight_bytes(size_t depth) {
    return int8_bytes(depth, COLUMNS);
}

static void int8_pack(const float *x, size_t stride, size_t count, size_t depth, size_t width, void *panel) {
    float *scales = panel;
    int8_t *numbers = (int8_t *)(scales + width);
    for (size_t r = 0; r < width; ++r) {
        uint32_t largest = 0;
        for (size_t i = 0; r < count && i < depth; ++i) {
            uint32_t bits;
            memcpy(&bits, x + r * stride + i, sizeof bits);
            bits &= 0x7fffffff;
            if (bits > largest) largest = bits;
        }
        float inverse;
        scales[r] = int8_scale(largest, &inverse);
        for (size_t i = 0; i < depth; ++i) {
            float number = r < count && isfinite(scales[r]) ? rintf(x[r * stride + i] * inverse) : 0.0f;
            numbers[i * width + r] = (int8_t)number;
        }
    }
}

static void int8_pack_rows(const float *x, size_t stride, size_t count, size_t depth, void *panel) {
    int8_pack(x, stride, count, depth, COLUMNS, panel);
}

static void int8_pack_weight(const float *weight, size_t stride, size_t count, size_t depth, void *panel) {
    int8_pack(weight, stride, count, depth, COLUMNS, panel);
}

static void int8_multiply(const void *row_panel, const void *weight_panel, size_t depth, size_t count,
                          bool add, float *out) {
    const float *row_scales = row_panel, *weight_scales = weight_panel;
    const int8_t *x = (const int8_t *)(row_scales + COLUMNS), *w = (const int8_t *)(weight_scales + COLUMNS);
    for (size_t r = 0; r < count; ++r) {
        int32_t sums[COLUMNS] = {0};
        for (size_t i = 0; i < depth; ++i) {
            for (size_t c = 0; c < COLUMNS; ++c) sums[c] += x[i * COLUMNS + r] * w[i * COLUMNS + c];
        }
        for (size_t c = 0; c < COLUMNS; ++c) {
            float product = int8_product(sums[c], row_scales[r], weight_scales[c]);
            out[r * COLUMNS + c] = add ? out[r * COLUMNS + c] + product : product;
        }
    }
}

const product_kernel plain_product_int8 = {.name = "plain",
                                           .precision = PRECISION_INT8,
                                           .runs_on = runs_anywhere,
                                           .rows = COLUMNS,
                                           .columns = COLUMNS,
                                           .depth = INT8_DEPTH,
                                           .row_panel_bytes = int8_row_bytes,
                                           .weight_panel_bytes = int8_weight_bytes,
                                           .pack_rows = int8_pack_rows,
                                           .pack_weight = int8_pack_weight,
                                           .multiply = int8_multiply,
                                           .tolerance = INT8_TOLERANCE};

/* ---- f64 ---- */

static void pack_f64(const double *from, size_t line, size_t step, size_t count, size_t depth, size_t width,
                     double *panels) {
    for (size_t l = 0; l < (count + width - 1) / width * width; ++l) {
        double *panel = panels + l / width * width * depth + l % width;
        for (size_t i = 0; i < depth; ++i) panel[i * width] = l < count ? from[l * line + i * step] : 0;
    }
}

/* `rows` is known where this is called. */
INLINED void multiply_rows_f64(size_t rows, const double *x, size_t x_step, const double *w, size_t w_step,
                               size_t depth, bool add, double *out, size_t stride) {
    enum { DOUBLES = COLUMNS / 2 };
    double sums[ROWS][DOUBLES] = {{0}};
    for (size_t r = 0; r < rows && add; ++r) memcpy(sums[r], out + r * stride, sizeof sums[r]);
    for (size_t i = 0; i < depth; ++i, x += x_step, w += w_step) {
        for (size_t r = 0; r < rows; ++r) {
            for (size_t c = 0; c < DOUBLES; ++c) sums[r][c] += x[r] * w[c];
        }
    }
    for (size_t r = 0; r < rows; ++r) memcpy(out + r * stride, sums[r], sizeof sums[r]);
}

static void multiply_f64(const double *x, size_t x_step, const double *w, size_t w_step, size_t depth,
                         size_t count, bool add, double *out, size_t stride) {
    if (count > 1)
        multiply_rows_f64(ROWS, x, x_step, w, w_step, depth, add, out, stride);
    else
        multiply_rows_f64(1, x, x_step, w, w_step, depth, add, out, stride);
}

const double_kernel plain_double = {.name = "plain",
                                    .runs_on = runs_anywhere,
                                    .rows = ROWS,
                                    .columns = COLUMNS / 2,
                                    .pack = pack_f64,
                                    .multiply = multiply_f64};
