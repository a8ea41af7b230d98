/* Attention in f32 over vectors of any width: a file that includes vector_avx512.h or vector_avx2.h, says how
 * many ROWS the registers hold sums of, and then includes this, has `scratch_bytes`, `pack`, `attend` and
 * `probe`.
 *
 * Scores and mixed values are one and the same product, rows (ROWS, depth) times panels (depth, COLUMNS):
 * panels of keys, whose depth is the width of a key, and panels of values, whose depth is the number of keys.
 * Scores of ROWS query rows at a time stay in the cache. */
#include "elementary.h"
#include "kernels.h"

#include <math.h>
#include <string.h>

enum { COLUMNS = 2 * LANES };

/* Where things lie in `scratch`, in numbers. */
typedef struct layout {
    size_t keys, values;   /* panels */
    size_t scores, stride; /* ROWS rows */
    size_t end;
} layout;

static size_t padded(size_t count) {
    return (count + COLUMNS - 1) / COLUMNS * COLUMNS;
}

static layout layout_of(size_t keys, size_t key_width, size_t value_width) {
    layout l = {.keys = 0, .values = padded(keys) * key_width, .stride = padded(keys)};
    l.scores = l.values + padded(value_width) * keys;
    l.end = l.scores + ROWS * l.stride;
    return l;
}

static layout layout_for(const attention_task *task) {
    return layout_of(task->keys, task->key_width, task->value_width);
}

static size_t scratch_bytes(size_t keys, size_t key_width, size_t value_width) {
    return layout_of(keys, key_width, value_width).end * sizeof(float);
}

/* Scores are compared and subtracted before they are scaled; a negative scale turns the keys' signs. */
static void pack_keys(const attention_task *task, float *panels) {
    float sign = task->scale < 0 ? -1.0f : 1.0f;
    size_t all = padded(task->keys);
    for (size_t j = 0; j < all; ++j) {
        const float *k = task->k + j * task->k_stride;
        float *to = panels + j / COLUMNS * COLUMNS * task->key_width + j % COLUMNS;
        for (size_t i = 0; i < task->key_width; ++i) to[i * COLUMNS] = j < task->keys ? sign * k[i] : 0;
    }
}

static void pack_values(const attention_task *task, float *panels) {
    for (size_t first = 0; first < task->value_width; first += COLUMNS) {
        size_t left = task->value_width - first, count = left < COLUMNS ? left : COLUMNS;
        for (size_t j = 0; j < task->keys; ++j, panels += COLUMNS) {
            memcpy(panels, task->v + j * task->v_stride + first, count * sizeof *panels);
            memset(panels + count, 0, (COLUMNS - count) * sizeof *panels);
        }
    }
}

static void pack(const attention_task *task, void *scratch) {
    layout l = layout_for(task);
    pack_keys(task, (float *)scratch + l.keys);
    pack_values(task, (float *)scratch + l.values);
}

/* Where rows begin. Where there are fewer than ROWS, the last one comes again: it is computed, and stored,
 * more than once. */
typedef struct rows_in {
    const float *at[ROWS];
} rows_in;

typedef struct rows_out {
    float *at[ROWS];
} rows_out;

VECTOR_INLINED rows_in rows_from(const float *first, size_t stride, size_t count) {
    rows_in rows;
    for (size_t r = 0; r < ROWS; ++r) rows.at[r] = first + (r < count ? r : count - 1) * stride;
    return rows;
}

VECTOR_INLINED rows_out rows_to(float *first, size_t stride, size_t count) {
    rows_out rows;
    for (size_t r = 0; r < ROWS; ++r) rows.at[r] = first + (r < count ? r : count - 1) * stride;
    return rows;
}

/* out (ROWS, columns) = rows (ROWS, depth) panel (depth, COLUMNS), from column `first` of `out` on. */
VECTOR_CODE static void multiply(rows_in rows, const float *panel, size_t depth, rows_out out, size_t first,
                                 size_t columns) {
    vector sums[ROWS][2];
#pragma GCC unroll 16
    for (size_t r = 0; r < ROWS; ++r) sums[r][0] = sums[r][1] = v_spread(0);
    for (size_t i = 0; i < depth; ++i, panel += COLUMNS) {
        vector left = v_load(panel), right = v_load(panel + LANES);
#pragma GCC unroll 16
        for (size_t r = 0; r < ROWS; ++r) {
            vector x = v_spread(rows.at[r][i]);
            sums[r][0] = v_fma(x, left, sums[r][0]);
            sums[r][1] = v_fma(x, right, sums[r][1]);
        }
    }
#pragma GCC unroll 16
    for (size_t r = 0; r < ROWS; ++r) {
        float *to = out.at[r] + first;
        v_store_first(to, sums[r][0], columns);
        if (columns > LANES) v_store_first(to + LANES, sums[r][1], columns - LANES);
    }
}

static size_t keys_seen(const attention_task *task, size_t row) {
    return task->mask == HL_MASK_CAUSAL && row < task->keys ? row + 1 : task->keys;
}

/* The scores of query rows [first, first + count) with the first `seen` keys. */
VECTOR_CODE static void score(const attention_task *task, const layout *l, size_t first, size_t count,
                              size_t seen, float *scratch) {
    rows_in rows = rows_from(task->q + first * task->q_stride, task->q_stride, count);
    rows_out scores = rows_to(scratch + l->scores, l->stride, count);
    for (size_t j = 0; j < seen; j += COLUMNS) {
        multiply(rows, scratch + l->keys + j * task->key_width, task->key_width, scores, j, COLUMNS);
    }
}

/* x = exp(scale (x - its largest)); returns the sum. */
VECTOR_CODE static float weigh(float *x, size_t count, float scale) {
    vector largest = v_spread(x[0]), sum = v_spread(0);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) largest = v_larger(largest, v_load(x + i));
    for (size_t k = i; k < count; ++k) largest = v_larger(largest, v_spread(x[k]));
    largest = v_spread(v_largest(largest));
    const vector factor = v_spread(fabsf(scale) * LOG2_E);
    for (i = 0; i < count; i += LANES) {
        vector power = v_larger(v_spread(-126), (v_load(x + i) - largest) * factor);
        power = v_times_power(v_power_of_fraction_f32(v_fraction(power)), power);
        power = v_first(power, count - i);
        sum += power;
        v_store(x + i, power);
    }
    return v_sum(sum);
}

/* The first `width` of x, times a factor. */
VECTOR_CODE static void scale_row(float *x, size_t width, float factor) {
    for (; width >= LANES; x += LANES, width -= LANES) v_store(x, v_load(x) * v_spread(factor));
    v_store_first(x, v_load_first(x, width) * v_spread(factor), width);
}

/* At most ROWS query rows. What a row does not see weighs nothing. */
VECTOR_CODE static void attend_rows(const attention_task *task, const layout *l, size_t first, size_t count,
                                    float *scratch) {
    size_t most = keys_seen(task, first + count - 1);
    float sums[ROWS], *scores = scratch + l->scores;
    score(task, l, first, count, most, scratch);
    for (size_t r = 0; r < count; ++r) {
        size_t seen = keys_seen(task, first + r);
        sums[r] = weigh(scores + r * l->stride, seen, task->scale);
        memset(scores + r * l->stride + seen, 0, (most - seen) * sizeof *scores);
    }
    float *to = task->out + first * task->out_stride;
    rows_in weights = rows_from(scores, l->stride, count);
    rows_out out = rows_to(to, task->out_stride, count);
    for (size_t i = 0; i < task->value_width; i += COLUMNS) {
        multiply(weights, scratch + l->values + i * task->keys, most, out, i, task->value_width - i);
    }
    for (size_t r = 0; r < count; ++r) scale_row(to + r * task->out_stride, task->value_width, 1 / sums[r]);
}

VECTOR_CODE static void attend(const attention_task *task, void *scratch) {
    layout l = layout_for(task);
    for (size_t done = 0; done < task->count; done += ROWS) {
        size_t left = task->count - done;
        attend_rows(task, &l, task->first + done, left < ROWS ? left : ROWS, scratch);
    }
}

VECTOR_CODE static void probe(const attention_task *task, size_t row, void *scratch, float *out) {
    layout l = layout_for(task);
    size_t seen = keys_seen(task, row);
    float *scores = (float *)scratch + l.scores;
    score(task, &l, row, 1, seen, scratch);
    scale_row(scores, seen, 1 / weigh(scores, seen, task->scale));
    memcpy(out, scores, seen * sizeof *out);
    memset(out + seen, 0, (task->keys - seen) * sizeof *out);
}
