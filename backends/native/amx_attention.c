/* Attention with tiles of bf16. Each f32 is split into one, two or three bf16, its parts, and the products of
 * parts that matter are added up (kernel.h, `precision`).
 *
 * Scores and mixed values are one and the same product: rows, row by row, times panels of 16 columns, which
 * are tiles of pairs (depth 32: 16 pairs of depth by 16 columns), one tile for each part. Scores of 32 query
 * rows at a time stay in the cache. */
#if defined __x86_64__

#include "kernels.h"
#include "vector_avx512.h"

#include "elementary.h"

#include <math.h>
#include <string.h>

#define AMX_TARGET  "amx-tile,amx-bf16,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16"
#define AMX         __attribute__((target(AMX_TARGET)))
#define AMX_INLINED __attribute__((target(AMX_TARGET), always_inline)) static inline

enum {
    ROWS = 32,
    DEPTH = 32,   /* of a tile */
    COLUMNS = 16, /* of a tile */
    TILE = 512,   /* bf16 in a tile */
    MOST_PARTS = 3
};

typedef uint16_t bf16;

static size_t groups(size_t count, size_t size) {
    return (count + size - 1) / size;
}

/* ---- parts ---- */

AMX_INLINED vector widened(__m256i narrow) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(narrow), 16));
}

/* 32 numbers as bf16, low then high, and in each further part what is missing from those before. */
AMX_INLINED void split(vector low, vector high, int parts, __m512i out[MOST_PARTS]) {
#pragma GCC unroll 3
    for (int part = 0; part < parts; ++part) {
        out[part] = (__m512i)_mm512_cvtne2ps_pbh(high, low);
        if (part + 1 == parts) break;
        low -= widened(_mm512_castsi512_si256(out[part]));
        high -= widened(_mm512_extracti64x4_epi64(out[part], 1));
    }
}

/* ---- memory ---- */

/* Where things lie in `scratch`, in bytes; all begin at multiples of 64. */
typedef struct layout {
    size_t key_tiles, key_chunks;     /* 16 keys each; 32 of a key's numbers each */
    size_t value_tiles, value_chunks; /* 16 columns each; 32 keys each */
    size_t keys, values;              /* tiles [tile][chunk][part] */
    size_t queries, weights;          /* bf16 [part][row] */
    size_t scores, mixed;             /* f32 [row] */
    size_t end;
} layout;

static layout layout_of(size_t keys, size_t key_width, size_t value_width, int parts) {
    layout l = {.key_tiles = groups(keys, COLUMNS),
                .key_chunks = groups(key_width, DEPTH),
                .value_tiles = groups(value_width, COLUMNS),
                .value_chunks = groups(keys, DEPTH)};
    size_t tile = TILE * sizeof(bf16) * (size_t)parts, row = ROWS * DEPTH * sizeof(bf16) * (size_t)parts;
    l.values = l.keys + l.key_tiles * l.key_chunks * tile;
    l.queries = l.values + l.value_tiles * l.value_chunks * tile;
    l.weights = l.queries + l.key_chunks * row;
    l.scores = l.weights + l.value_chunks * row;
    l.mixed = l.scores + l.value_chunks * DEPTH * ROWS * sizeof(float);
    l.end = l.mixed + l.value_tiles * COLUMNS * ROWS * sizeof(float);
    return l;
}

static layout layout_for(const attention_task *task, int parts) {
    return layout_of(task->keys, task->key_width, task->value_width, parts);
}

static void *at(void *scratch, size_t offset) {
    return (char *)scratch + offset;
}

/* ---- packing ---- */

/* Up to 16 keys, 32 of their numbers from `first` on, as tiles: pairs of a key's numbers, turned. A negative
 * scale turns the keys' signs, as scores are compared before they are scaled. */
AMX_INLINED void pack_key_tile(const attention_task *task, size_t key, size_t first, int parts, bf16 *to) {
    size_t left = task->key_width - first, count = task->keys - key;
    vector sign = v_spread(task->scale < 0 ? -0.0f : 0.0f), rows[MOST_PARTS][COLUMNS];
#pragma GCC unroll 16
    for (size_t r = 0; r < COLUMNS; ++r) {
        const float *k = task->k + (key + r) * task->k_stride + first;
        vector low = v_spread(0), high = v_spread(0);
        if (r < count) {
            low = _mm512_xor_ps(v_load_first(k, left), sign);
            if (left > LANES) high = _mm512_xor_ps(v_load_first(k + LANES, left - LANES), sign);
        }
        __m512i narrow[MOST_PARTS];
        split(low, high, parts, narrow);
        for (int part = 0; part < parts; ++part) rows[part][r] = _mm512_castsi512_ps(narrow[part]);
    }
    for (int part = 0; part < parts; ++part, to += TILE) {
        transpose(rows[part]);
#pragma GCC unroll 16
        for (size_t r = 0; r < COLUMNS; ++r) _mm512_store_ps(to + r * DEPTH, rows[part][r]);
    }
}

/* Up to 32 values, 16 of their numbers from `first` on, as tiles: pairs of neighbours woven together. */
AMX_INLINED void pack_value_tile(const attention_task *task, size_t key, size_t first, int parts, bf16 *to) {
    const __m512i woven = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23,
                                           7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    size_t left = task->value_width - first, count = task->keys - key;
    for (size_t r = 0; r < DEPTH; r += 2) {
        const float *v = task->v + (key + r) * task->v_stride + first;
        vector low = r < count ? v_load_first(v, left) : v_spread(0);
        vector high = r + 1 < count ? v_load_first(v + task->v_stride, left) : v_spread(0);
        __m512i narrow[MOST_PARTS];
        split(low, high, parts, narrow);
        for (int part = 0; part < parts; ++part) {
            _mm512_store_si512(to + part * TILE + r * COLUMNS, _mm512_permutexvar_epi16(woven, narrow[part]));
        }
    }
}

AMX_INLINED void pack(const attention_task *task, void *scratch, int parts) {
    layout l = layout_for(task, parts);
    bf16 *to = at(scratch, l.keys);
    for (size_t tile = 0; tile < l.key_tiles; ++tile) {
        for (size_t chunk = 0; chunk < l.key_chunks; ++chunk, to += parts * TILE)
            pack_key_tile(task, tile * COLUMNS, chunk * DEPTH, parts, to);
    }
    to = at(scratch, l.values);
    for (size_t tile = 0; tile < l.value_tiles; ++tile) {
        for (size_t chunk = 0; chunk < l.value_chunks; ++chunk, to += parts * TILE)
            pack_value_tile(task, chunk * DEPTH, tile * COLUMNS, parts, to);
    }
}

AMX_INLINED void pack_queries(const attention_task *task, const layout *l, size_t first, size_t rows,
                              int parts, void *scratch) {
    size_t stride = l->key_chunks * DEPTH;
    for (size_t r = 0; r < rows; ++r) {
        const float *q = task->q + (first + r) * task->q_stride;
        bf16 *to = (bf16 *)at(scratch, l->queries) + r * stride;
        for (size_t i = 0; i < stride; i += DEPTH) {
            size_t left = task->key_width - i;
            vector high = left > LANES ? v_load_first(q + i + LANES, left - LANES) : v_spread(0);
            __m512i narrow[MOST_PARTS];
            split(v_load_first(q + i, left), high, parts, narrow);
            for (size_t part = 0; part < (size_t)parts; ++part)
                _mm512_store_si512(to + part * ROWS * stride + i, narrow[part]);
        }
    }
}

/* ---- products ---- */

/* Rows of bf16, `stride` from row to row, all ROWS of one part before those of the next; and where the sums
 * go. */
typedef struct product {
    const bf16 *rows;
    size_t stride, chunks;
    float *out;
    size_t out_stride;
    bool two_rows; /* of tiles */
} product;

/* One or two tiles of rows by one or two of columns: sums in tiles 0 to 3, rows in 4 and 5, columns in 6 and
 * 7. Products of parts whose numbers add up to `parts` or more are too small to matter. */
AMX_INLINED void multiply(const product *p, const bf16 *left, const bf16 *right, float *out, bool two_rows,
                          bool two_columns, int parts) {
    const size_t part = ROWS * p->stride, below = COLUMNS * p->stride;
    const size_t stride = p->stride * sizeof(bf16), out_stride = p->out_stride * sizeof(float);
    _tile_zero(0);
    if (two_columns) _tile_zero(1);
    if (two_rows) _tile_zero(2);
    if (two_rows && two_columns) _tile_zero(3);
    const bf16 *rows = p->rows;
    for (size_t chunk = 0; chunk < p->chunks; ++chunk, rows += DEPTH) {
#pragma GCC unroll 3
        for (int i = 0; i < parts; ++i) {
            _tile_loadd(4, rows + (size_t)i * part, stride);
            if (two_rows) _tile_loadd(5, rows + (size_t)i * part + below, stride);
#pragma GCC unroll 3
            for (int j = 0; j < parts - i; ++j) {
                _tile_loadd(6, left + j * TILE, 64);
                _tile_dpbf16ps(0, 4, 6);
                if (two_rows) _tile_dpbf16ps(2, 5, 6);
                if (!two_columns) continue;
                _tile_loadd(7, right + j * TILE, 64);
                _tile_dpbf16ps(1, 4, 7);
                if (two_rows) _tile_dpbf16ps(3, 5, 7);
            }
        }
        left += parts * TILE;
        right += parts * TILE;
    }
    _tile_stored(0, out, out_stride);
    if (two_columns) _tile_stored(1, out + COLUMNS, out_stride);
    if (two_rows) _tile_stored(2, out + COLUMNS * p->out_stride, out_stride);
    if (two_rows && two_columns) _tile_stored(3, out + COLUMNS * p->out_stride + COLUMNS, out_stride);
}

/* Times `count` tiles of columns, which are `step` from one to the next. */
AMX_INLINED void multiply_all(const product *p, const bf16 *tiles, size_t step, size_t count, int parts) {
    size_t i = 0;
    float *out = p->out;
    for (; i + 2 <= count; i += 2, tiles += 2 * step, out += 2 * COLUMNS) {
        if (p->two_rows) multiply(p, tiles, tiles + step, out, true, true, parts);
        if (!p->two_rows) multiply(p, tiles, tiles + step, out, false, true, parts);
    }
    if (i == count) return;
    if (p->two_rows) multiply(p, tiles, tiles, out, true, false, parts);
    if (!p->two_rows) multiply(p, tiles, tiles, out, false, false, parts);
}

/* ---- attention ---- */

static size_t keys_seen(const attention_task *task, size_t row) {
    return task->mask == HL_MASK_CAUSAL && row < task->keys ? row + 1 : task->keys;
}

/* The scores of query rows [first, first + count) with the first `seen` keys. */
AMX_INLINED void score(const attention_task *task, const layout *l, size_t first, size_t count, size_t seen,
                       int parts, void *scratch) {
    size_t tile = l->key_chunks * (size_t)parts * TILE;
    pack_queries(task, l, first, count, parts, scratch);
    product p = {at(scratch, l->queries), l->key_chunks * DEPTH,   l->key_chunks,
                 at(scratch, l->scores),  l->value_chunks * DEPTH, count > COLUMNS};
    multiply_all(&p, at(scratch, l->keys), tile, groups(seen, COLUMNS), parts);
}

AMX_INLINED vector largest_of(const float *x, size_t count) {
    vector largest = v_spread(x[0]);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) largest = v_larger(largest, v_load(x + i));
    if (i < count) largest = _mm512_mask_max_ps(largest, first_lanes(count - i), largest, v_load(x + i));
    return v_spread(v_largest(largest));
}

/* exp(scale (x - largest)); factor: scale log2(e). */
AMX_INLINED vector weight_of(vector x, vector largest, vector factor, int parts) {
    vector power = v_larger(v_spread(-126), (x - largest) * factor), f = v_fraction(power);
    return v_times_power(parts == 1 ? v_power_of_fraction_bf16(f) : v_power_of_fraction_f32(f), power);
}

/* Weights of `count` keys, and zeros up to `chunks` chunks of keys. Returns their sum. */
AMX_INLINED float weigh(const float *x, size_t count, size_t chunks, float scale, int parts, bf16 *out,
                        size_t next_part) {
    const vector largest = largest_of(x, count), factor = v_spread(fabsf(scale) * LOG2_E);
    vector sums[2] = {v_spread(0), v_spread(0)};
    for (size_t i = 0; i < chunks * DEPTH; i += DEPTH, out += DEPTH) {
        size_t left = count > i ? count - i : 0;
        vector low = weight_of(v_load(x + i), largest, factor, parts);
        vector high = weight_of(v_load(x + i + LANES), largest, factor, parts);
        if (left < DEPTH) {
            low = v_first(low, left);
            high = v_first(high, left > LANES ? left - LANES : 0);
        }
        sums[0] += low;
        sums[1] += high;
        __m512i narrow[MOST_PARTS];
        split(low, high, parts, narrow);
        for (size_t part = 0; part < (size_t)parts; ++part)
            _mm512_store_si512(out + part * next_part, narrow[part]);
    }
    return v_sum(sums[0] + sums[1]);
}

AMX_INLINED void scale_row(const float *from, float *to, size_t width, float factor) {
    for (size_t i = 0; i < width; i += LANES)
        v_store_first(to + i, v_load_first(from + i, width - i) * v_spread(factor), width - i);
}

/* At most ROWS query rows. What a row does not see weighs nothing. */
AMX_INLINED void attend_rows(const attention_task *task, const layout *l, size_t first, size_t count,
                             int parts, void *scratch) {
    size_t most = keys_seen(task, first + count - 1), chunks = groups(most, DEPTH);
    size_t stride = l->value_chunks * DEPTH, width = l->value_tiles * COLUMNS;
    float sums[ROWS], *scores = at(scratch, l->scores), *mixed = at(scratch, l->mixed);
    bf16 *weights = at(scratch, l->weights);
    score(task, l, first, count, most, parts, scratch);
    for (size_t r = 0; r < count; ++r) {
        sums[r] = weigh(scores + r * stride, keys_seen(task, first + r), chunks, task->scale, parts,
                        weights + r * stride, ROWS * stride);
    }
    product p = {weights, stride, chunks, mixed, width, count > COLUMNS};
    multiply_all(&p, at(scratch, l->values), l->value_chunks * (size_t)parts * TILE, l->value_tiles, parts);
    for (size_t r = 0; r < count; ++r) {
        scale_row(mixed + r * width, task->out + (first + r) * task->out_stride, task->value_width,
                  1 / sums[r]);
    }
}

AMX_INLINED void attend(const attention_task *task, void *scratch, int parts) {
    layout l = layout_for(task, parts);
    for (size_t done = 0; done < task->count; done += ROWS) {
        size_t left = task->count - done;
        attend_rows(task, &l, task->first + done, left < ROWS ? left : ROWS, parts, scratch);
    }
}

AMX_INLINED void probe(const attention_task *task, size_t row, void *scratch, float *out, int parts) {
    layout l = layout_for(task, parts);
    size_t seen = keys_seen(task, row);
    const float *scores = at(scratch, l.scores);
    score(task, &l, row, 1, seen, parts, scratch);
    const vector largest = largest_of(scores, seen), factor = v_spread(fabsf(task->scale) * LOG2_E);
    vector sum = v_spread(0);
    for (size_t i = 0; i < task->keys; i += LANES) {
        vector weight = v_spread(0);
        if (i < seen) weight = v_first(weight_of(v_load(scores + i), largest, factor, MOST_PARTS), seen - i);
        v_store_first(out + i, weight, task->keys - i);
        sum += weight;
    }
    scale_row(out, out, seen, 1 / v_sum(sum));
}

/* ---- kernels ---- */

static bool runs_on(const processor *machine) {
    return machine->amx_bf16;
}

AMX static void begin_tiles(void) {
    _Alignas(64) static const struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } whole = {.palette = 1,
               .row_bytes = {64, 64, 64, 64, 64, 64, 64, 64},
               .rows = {16, 16, 16, 16, 16, 16, 16, 16}};
    _tile_loadconfig(&whole);
}

AMX static void end_tiles(void) {
    _tile_release();
}

#define KERNEL(NAME, PRECISION, PARTS)                                                                       \
    static size_t NAME##_scratch_bytes(size_t keys, size_t key_width, size_t value_width) {                  \
        return layout_of(keys, key_width, value_width, PARTS).end;                                           \
    }                                                                                                        \
    AMX static void NAME##_pack(const attention_task *task, void *scratch) {                                 \
        pack(task, scratch, PARTS);                                                                          \
    }                                                                                                        \
    AMX static void NAME##_attend(const attention_task *task, void *scratch) {                               \
        attend(task, scratch, PARTS);                                                                        \
    }                                                                                                        \
    AMX static void NAME##_probe(const attention_task *task, size_t row, void *scratch, float *out) {        \
        probe(task, row, scratch, out, PARTS);                                                               \
    }                                                                                                        \
    const attention_kernel NAME = {                                                                          \
        .name = "amx",                                                                                       \
        .precision = PRECISION,                                                                              \
        .runs_on = runs_on,                                                                                  \
        .query_rows = ROWS,                                                                                  \
        .scratch_bytes = NAME##_scratch_bytes,                                                               \
        .pack = NAME##_pack,                                                                                 \
        .attend = NAME##_attend,                                                                             \
        .probe = NAME##_probe,                                                                               \
        .begin = begin_tiles,                                                                                \
        .end = end_tiles,                                                                                    \
    };

KERNEL(amx_attention_bf16, PRECISION_BF16, 1)
KERNEL(amx_attention_bf16x3, PRECISION_BF16X3, 2)
KERNEL(amx_attention_bf16x6, PRECISION_BF16X6, 3)

#endif
