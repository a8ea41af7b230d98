/* Products in f64 over vectors of any width: a file that includes vector_avx512.h or vector_avx2.h, says how
 * many ROWS of two vectors the registers hold sums of, and then includes this, has panels and their products.
 * A panel is (depth, rows or outputs). */
#include "double.h"

enum { LANES_F64 = LANES / 2, COLUMNS_F64 = LANES, STEPS_AHEAD_F64 = 32 };

/* Lines that lie side by side, step by step: the memory that they come from is read in its order. */
VECTOR_INLINED void copy_f64(const double *from, size_t step, size_t count, size_t depth, size_t width,
                             double *panels) {
    for (size_t i = 0; i < depth; ++i, from += step, panels += width) {
        double *to = panels;
        size_t first = 0;
        for (; first + width <= count; first += width, to += depth * width) {
            for (size_t l = 0; l < width; l += LANES_F64) {
                v_store_first_f64(to + l, v_load_first_f64(from + first + l, width - l), width - l);
            }
        }
        for (size_t l = 0; first < count && l < width; l += LANES_F64) {
            size_t there = first + l < count ? count - first - l : 0;
            v_store_first_f64(to + l, v_load_first_f64(from + first + l, there), width - l);
        }
    }
}

/* Lines whose numbers lie side by side. */
VECTOR_INLINED void weave_f64(const double *from, size_t line, size_t count, size_t depth, size_t width,
                              double *panel) {
    for (size_t l = 0; l < width; l += LANES_F64) {
        for (size_t i = 0; i < depth; i += LANES_F64) {
            vector_f64 rows[LANES_F64];
#pragma GCC unroll 8
            for (size_t r = 0; r < LANES_F64; ++r) {
                rows[r] =
                    l + r < count ? v_load_first_f64(from + (l + r) * line + i, depth - i) : v_spread_f64(0);
            }
            transpose_f64(rows);
#pragma GCC unroll 8
            for (size_t j = 0; j < LANES_F64; ++j) {
                if (i + j < depth) v_store_first_f64(panel + (i + j) * width + l, rows[j], width - l);
            }
        }
    }
}

VECTOR_INLINED void pack_panels_f64(const double *from, size_t line, size_t step, size_t count, size_t depth,
                                    size_t width, double *panels) {
    if (line == 1) {
        copy_f64(from, step, count, depth, width, panels);
        return;
    }
    for (size_t l = 0; l < count; l += width, panels += depth * width) {
        weave_f64(from + l * line, line, count - l < width ? count - l : width, depth, width, panels);
    }
}

/* Each width known when this is compiled. */
VECTOR_CODE static void pack_f64(const double *from, size_t line, size_t step, size_t count, size_t depth,
                                 size_t width, double *panels) {
    if (width == ROWS)
        pack_panels_f64(from, line, step, count, depth, ROWS, panels);
    else
        pack_panels_f64(from, line, step, count, depth, COLUMNS_F64, panels);
}

VECTOR_INLINED void tile_f64(size_t rows, const double *x, size_t x_step, const double *w, size_t w_step,
                             size_t depth, bool add, double *out, size_t stride) {
    vector_f64 sums[ROWS][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r) {
        sums[r][0] = add ? v_load_f64(out + r * stride) : v_spread_f64(0);
        sums[r][1] = add ? v_load_f64(out + r * stride + LANES_F64) : v_spread_f64(0);
    }
    for (size_t i = 0; i < depth; ++i, x += x_step, w += w_step) {
        __builtin_prefetch(w + STEPS_AHEAD_F64 * w_step);
        __builtin_prefetch(w + STEPS_AHEAD_F64 * w_step + LANES_F64);
        __builtin_prefetch(x + STEPS_AHEAD_F64 * x_step);
        vector_f64 left = v_load_f64(w), right = v_load_f64(w + LANES_F64);
#pragma GCC unroll 16
        for (size_t r = 0; r < rows; ++r) {
            vector_f64 number = v_spread_f64(x[r]);
            sums[r][0] = v_fma_f64(number, left, sums[r][0]);
            sums[r][1] = v_fma_f64(number, right, sums[r][1]);
        }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r) {
        v_store_f64(out + r * stride, sums[r][0]);
        v_store_f64(out + r * stride + LANES_F64, sums[r][1]);
    }
}

VECTOR_CODE static void multiply_f64(const double *x, size_t x_step, const double *w, size_t w_step,
                                     size_t depth, size_t count, bool add, double *out, size_t stride) {
    if (count > ROWS / 2)
        tile_f64(ROWS, x, x_step, w, w_step, depth, add, out, stride);
    else if (count > 1)
        tile_f64(ROWS / 2, x, x_step, w, w_step, depth, add, out, stride);
    else
        tile_f64(1, x, x_step, w, w_step, depth, add, out, stride);
}

#define DOUBLE_KERNEL(NAME)                                                                                  \
    .name = NAME, .runs_on = runs_on, .rows = ROWS, .columns = COLUMNS_F64, .pack = pack_f64,                \
    .multiply = multiply_f64
