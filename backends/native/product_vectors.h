/* Products over vectors of any width. Numbers lie in words of 32 bits, one f32, two bf16 or four int8 in
 * each, and a panel is (steps along the depth, rows or outputs) words.
 *
 * A kernel's file includes vector_avx512.h or vector_avx2.h; says how many ROWS of two vectors the registers
 * hold sums of, and into how many PARTS the numbers of a word are spread before they are multiplied (1: its
 * instructions take words as they are); defines `add_products`, sums + x w of such parts; and then includes
 * f32_vectors.h, bf16_vectors.h or int8_vectors.h, which say what is in a word. */
#include "kernels.h"

enum { COLUMNS = 2 * LANES };

static size_t steps_of(size_t depth) {
    return (depth + GROUP - 1) / GROUP;
}

static size_t row_words_bytes(size_t depth) {
    return (steps_of(depth) * PARTS * ROWS * sizeof(float) + 63) / 64 * 64;
}

static size_t weight_words_bytes(size_t depth) {
    return steps_of(depth) * COLUMNS * sizeof(float);
}

/* Up to LANES rows of x (count, depth), each times its factor, if there are any, become columns of a panel
 * (steps, parts, width): `lanes` of them, from `panel` on. The bits of `flip` change each word. */
VECTOR_INLINED void weave(const float *x, size_t stride, size_t count, size_t depth, const float *factors,
                          uint32_t flip, size_t parts, float *panel, size_t width, size_t lanes) {
    for (size_t i = 0; i < depth; i += LANES * GROUP) {
        vector columns[LANES];
#pragma GCC unroll 16
        for (size_t r = 0; r < LANES; ++r) {
            columns[r] =
                r < count ? narrow(x + r * stride + i, depth - i, factors ? factors[r] : 1) : v_spread(0);
        }
        transpose(columns);
        float *to = panel + i / GROUP * parts * width;
#pragma GCC unroll 16
        for (size_t j = 0; j < LANES; ++j) {
            if (i + j * GROUP >= depth) break;
            vector word = (vector)((words)columns[j] ^ flip);
            for (size_t part = 0; part < parts; ++part, to += width) {
                v_store_first(to, parts > 1 ? part_of(word, part) : word, lanes);
            }
        }
    }
}

/* Rows are spread when they are packed. */
VECTOR_INLINED void weave_rows(const float *x, size_t stride, size_t count, size_t depth,
                               const float *factors, uint32_t flip, float *panel) {
    weave(x, stride, count, depth, factors, flip, PARTS, panel, ROWS, ROWS);
}

/* Outputs are narrow in memory, and are spread each time that they are multiplied. */
VECTOR_INLINED void weave_weight(const float *weight, size_t stride, size_t count, size_t depth,
                                 const float *factors, float *panel) {
    size_t left = count < LANES ? count : LANES;
    weave(weight, stride, left, depth, factors, 0, 1, panel, COLUMNS, LANES);
    weave(weight + left * stride, stride, count - left, depth, factors ? factors + LANES : NULL, 0, 1,
          panel + LANES, COLUMNS, LANES);
}

/* Both panels come from the second cache, or from beyond. */
enum { STEPS_AHEAD = 32 };

/* A word of every row times two vectors of outputs, or part of each. */
VECTOR_INLINED void multiply_part(size_t rows, const float *x, const float *w, size_t part,
                                  vector sums[ROWS][2]) {
    vector left = part_of(v_load(w), part), right = part_of(v_load(w + LANES), part);
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r) {
        vector word = v_spread(x[r]);
        sums[r][0] = add_products(sums[r][0], word, left);
        sums[r][1] = add_products(sums[r][1], word, right);
    }
}

/* All sums of a micro tile stay in registers. A row's sum runs from its first number to the last, whichever
 * row it is. `rows` is known where this is called. */
VECTOR_INLINED void multiply_panels(size_t rows, const float *x, const float *w, size_t depth,
                                    vector sums[ROWS][2]) {
    for (size_t i = steps_of(depth); i > 0; --i, x += PARTS * ROWS, w += COLUMNS) {
        __builtin_prefetch(w + STEPS_AHEAD * COLUMNS);
        if (LANES == 16) { /* with fewer a step is too short to ask for more */
            __builtin_prefetch(w + STEPS_AHEAD * COLUMNS + LANES);
            __builtin_prefetch(x + STEPS_AHEAD * PARTS * ROWS);
        }
        multiply_part(rows, x, w, 0, sums);
        if (PARTS > 1) multiply_part(rows, x + ROWS, w, 1, sums);
    }
}

/* What becomes of the panels of `rows` rows, by the kind of their numbers. */
VECTOR_INLINED void tile(size_t rows, const void *row_panel, const void *weight_panel, size_t depth, bool add,
                         float *out);

VECTOR_CODE static void multiply(const void *row_panel, const void *weight_panel, size_t depth, size_t count,
                                 bool add, float *out) {
    if (count > ROWS / 2)
        tile(ROWS, row_panel, weight_panel, depth, add, out);
    else
        tile(ROWS / 2, row_panel, weight_panel, depth, add, out);
}

/* What all their tables have in common. */
#define VECTOR_KERNEL(NAME, PRECISION, DEPTH, TOLERANCE)                                                     \
    .name = NAME, .precision = PRECISION, .runs_on = runs_on, .rows = ROWS, .columns = COLUMNS,              \
    .depth = DEPTH, .row_panel_bytes = row_panel_bytes, .weight_panel_bytes = weight_panel_bytes,            \
    .pack_rows = pack_rows, .pack_weight = pack_weight, .multiply = multiply, .tolerance = TOLERANCE
