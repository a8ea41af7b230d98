/* Products of int8 over vectors of any width: see product_vectors.h. A word holds four numbers. Spread they
 * are two words of two int16 each, the first and third, the second and fourth. Instructions that take words
 * as they are want one operand unsigned, so 128 is added to each number of x and taken from the sums again.
 */
#include "int8.h"

enum { GROUP = 4 };

typedef int16_t halves __attribute__((vector_size(sizeof(vector))));

VECTOR_INLINED vector part_of(vector word, size_t part) {
    if (PARTS == 1) return word;
    return (vector)(part == 0 ? (halves)((halves)word << 8) >> 8 : (halves)word >> 8);
}

VECTOR_INLINED words some_nearest(const float *x, size_t count, float factor) {
    return w_nearest(v_load_first(x, count) * v_spread(factor));
}

VECTOR_INLINED vector narrow(const float *x, size_t count, float factor) {
    words parts[GROUP];
#pragma GCC unroll 4
    for (size_t i = 0; i < GROUP; ++i) {
        size_t first = i * LANES;
        parts[i] = first < count ? some_nearest(x + first, count - first, factor) : (words){0};
    }
    return v_bytes(parts[0], parts[1], parts[2], parts[3]);
}

#include "product_vectors.h"

/* In front of words: what makes f32 of the sums of their numbers. */
typedef struct row_head {
    float scales[16];
} row_head;
typedef struct weight_head {
    float scales[COLUMNS];
    int32_t excess[COLUMNS]; /* 128 times the sum of an output's numbers, where rows are unsigned */
} weight_head;

static size_t row_panel_bytes(size_t depth) {
    return sizeof(row_head) + row_words_bytes(depth);
}

static size_t weight_panel_bytes(size_t depth) {
    return sizeof(weight_head) + weight_words_bytes(depth);
}

/* ---- panels ---- */

VECTOR_INLINED float scale_of(const float *x, size_t depth, float *inverse) {
    words largest = {0};
    for (size_t i = 0; i < depth; i += LANES) {
        largest = w_larger(largest, (words)v_absolute(v_load_first(x + i, depth - i)));
    }
    uint32_t most = 0;
    for (size_t i = 0; i < LANES; ++i) most = largest[i] > most ? largest[i] : most;
    return int8_scale(most, inverse);
}

VECTOR_CODE static void find_scales(const float *x, size_t stride, size_t count, size_t depth, size_t width,
                                    float *scales, float *inverses) {
    for (size_t r = 0; r < width; ++r) {
        scales[r] = inverses[r] = 0;
        if (r < count) scales[r] = scale_of(x + r * stride, depth, &inverses[r]);
    }
}

VECTOR_CODE static void pack_rows(const float *x, size_t stride, size_t count, size_t depth, void *panel) {
    row_head *head = panel;
    float inverses[LANES];
    find_scales(x, stride, count, depth, ROWS, head->scales, inverses);
    weave_rows(x, stride, count, depth, inverses, PARTS == 1 ? 0x80808080 : 0, (float *)(head + 1));
}

VECTOR_CODE static void find_excess(weight_head *head, size_t depth) {
    const float *w = (const float *)(head + 1);
    const vector surplus = (vector)((words){0} + 0x80808080);
    for (size_t first = 0; first < COLUMNS; first += LANES) {
        vector sums = v_spread(0);
        for (size_t i = 0; i < steps_of(depth); ++i) {
            sums = add_products(sums, surplus, v_load(w + i * COLUMNS + first));
        }
        v_store((float *)head->excess + first, sums);
    }
}

VECTOR_CODE static void pack_weight(const float *weight, size_t stride, size_t count, size_t depth,
                                    void *panel) {
    weight_head *head = panel;
    float inverses[COLUMNS];
    find_scales(weight, stride, count, depth, COLUMNS, head->scales, inverses);
    weave_weight(weight, stride, count, depth, inverses, (float *)(head + 1));
    if (PARTS == 1) find_excess(head, depth);
}

/* ---- products ---- */

/* What int8_product makes of some outputs of a row. */
VECTOR_INLINED vector products_of(vector sums, float row_scale, const weight_head *weight, size_t first) {
    words whole = (words)sums;
    if (PARTS == 1) whole -= (words)v_load((const float *)weight->excess + first);
    return v_whole(whole) * (v_spread(row_scale) * v_load(weight->scales + first));
}

VECTOR_INLINED void tile(size_t rows, const void *row_panel, const void *weight_panel, size_t depth, bool add,
                         float *out) {
    const row_head *row = row_panel;
    const weight_head *weight = weight_panel;
    vector sums[ROWS][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r) sums[r][0] = sums[r][1] = v_spread(0);
    multiply_panels(rows, (const float *)(row + 1), (const float *)(weight + 1), depth, sums);
#pragma GCC unroll 16
    for (size_t r = 0; r < rows; ++r) {
#pragma GCC unroll 2
        for (size_t half = 0; half < 2; ++half) {
            float *to = out + r * COLUMNS + half * LANES;
            vector product = products_of(sums[r][half], row->scales[r], weight, half * LANES);
            if (add) product += v_load(to);
            v_store(to, product);
        }
    }
}
