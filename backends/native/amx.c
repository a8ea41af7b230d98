/* Products in tiles (Intel, "Architecture Instruction Set Extensions", chapter 3: AMX). A micro tile is 32 x
 * 32: two by two tiles of sums, which leaves four for operands, each of which is used twice once it is
 * loaded. */
#include "kernels.h"

#if defined __x86_64__

#include <immintrin.h>
#include <stdint.h>
#include <string.h>

#define TILES                                                                                                \
    __attribute__((target("amx-tile,amx-bf16,amx-int8,avx512f,avx512bw,avx512dq,avx512vl,avx512bf16")))
#define INLINED static inline __attribute__((always_inline)) TILES

enum {
    SIDE = 16,          /* rows of a tile, and its columns of f32 */
    LINE = 64,          /* bytes of a tile's row */
    TILE = SIDE * LINE, /* bytes */
    ROWS = 2 * SIDE,
    COLUMNS = 2 * SIDE,
    BF16_STEP = 32, /* depth of a tile of bf16 */
    INT8_STEP = 64,
};

static bool runs_bf16(const processor *machine) {
    return machine->amx_bf16;
}

static bool runs_int8(const processor *machine) {
    return machine->amx_bf16 && machine->amx_int8;
}

/* All eight tiles in their full size: palette 1, bytes of a row from byte 16 on, rows from byte 48 on. Not on
 * the stack: some compilers believe that the instruction reads eight bytes only. */
static const struct tile_sizes {
    uint8_t palette, reserved[15];
    uint16_t line_bytes[16];
    uint8_t rows[16];
} full_tiles = {1,
                {0},
                {LINE, LINE, LINE, LINE, LINE, LINE, LINE, LINE},
                {SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE, SIDE}};

TILES static void begin(void) {
    _tile_loadconfig(&full_tiles);
}

TILES static void end(void) {
    _tile_release();
}

/* ---- panels ---- */

/* A panel of bf16 is, step by step of its depth and part by part of each number, two tiles. */
static size_t parts_bytes(size_t depth, size_t parts) {
    return (depth + BF16_STEP - 1) / BF16_STEP * parts * 2 * TILE;
}

/* 32 numbers of a row, zeros beyond its end. */
typedef struct numbers {
    __m512 low, high;
} numbers;

INLINED numbers load_numbers(const float *x, size_t count) {
    uint32_t mask = count >= BF16_STEP ? UINT32_MAX : (1u << count) - 1;
    return (numbers){_mm512_maskz_loadu_ps((__mmask16)mask, x),
                     _mm512_maskz_loadu_ps((__mmask16)(mask >> 16), x + 16)};
}

/* The nearest bf16 of each; `x` keeps what is missing. */
INLINED __m512i take_part(numbers *x) {
    __m512i part = (__m512i)_mm512_cvtne2ps_pbh(x->high, x->low);
    __m512i low = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_castsi512_si256(part)), 16);
    __m512i high = _mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(part, 1)), 16);
    x->low = _mm512_sub_ps(x->low, _mm512_castsi512_ps(low));
    x->high = _mm512_sub_ps(x->high, _mm512_castsi512_ps(high));
    return part;
}

/* Two lines of the row that is packed next: rows are too short for the processor to see that it comes. */
INLINED void fetch_ahead(const float *next) {
    __builtin_prefetch(next);
    __builtin_prefetch(next + SIDE);
}

INLINED void pack_step(numbers left, size_t parts, unsigned char *to) {
    for (size_t part = 0; part < parts; ++part) _mm512_store_si512(to + part * 2 * TILE, take_part(&left));
}

INLINED void pack_bf16_rows(const float *x, size_t stride, size_t count, size_t depth, size_t parts,
                            unsigned char *panel) {
    if (count < ROWS) memset(panel, 0, parts_bytes(depth, parts));
    for (size_t r = 0; r < count; ++r, x += stride) {
        unsigned char *to = panel + r / SIDE * TILE + r % SIDE * LINE;
        const float *next = r + 1 < count ? x + stride : x;
        size_t i = 0;
        for (; i + BF16_STEP <= depth; i += BF16_STEP, to += parts * 2 * TILE) {
            fetch_ahead(next + i);
            pack_step((numbers){_mm512_loadu_ps(x + i), _mm512_loadu_ps(x + i + SIDE)}, parts, to);
        }
        if (i < depth) pack_step(load_numbers(x + i, depth - i), parts, to);
    }
}

/* 16 x 16 numbers of 32 bits. */
INLINED void transpose(__m512i r[SIDE]) {
    __m512i t[SIDE];
    for (int i = 0; i < SIDE; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < SIDE; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; ++i) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; ++i) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* Row i of a weight's tile has numbers 2i and 2i + 1 of each of its 16 outputs, pair after pair. */
INLINED void pack_bf16_weight(const float *weight, size_t stride, size_t count, size_t depth, size_t parts,
                              unsigned char *panel) {
    for (size_t i = 0; i < depth; i += BF16_STEP) {
        for (size_t half = 0; half < COLUMNS; half += SIDE) {
            numbers left[SIDE];
            for (size_t o = 0; o < SIDE; ++o) {
                size_t there = half + o < count ? depth - i : 0;
                left[o] = load_numbers(weight + (there ? (half + o) * stride + i : 0), there);
            }
            for (size_t part = 0; part < parts; ++part) {
                unsigned char *to = panel + (i / BF16_STEP * parts + part) * 2 * TILE + half / SIDE * TILE;
                __m512i pairs[SIDE];
                for (size_t o = 0; o < SIDE; ++o) pairs[o] = take_part(&left[o]);
                transpose(pairs);
                for (size_t row = 0; row < SIDE; ++row) _mm512_store_si512(to + row * LINE, pairs[row]);
            }
        }
    }
}

/* ---- products of bf16 ---- */

/* Tiles 0 to 3 are sums, row half by column half; 4 and 5 hold the rows' halves, 6 and 7 the outputs'. */
#define LOAD_SUMS(OUT)                                                                                       \
    do {                                                                                                     \
        _tile_loadd(0, OUT, COLUMNS * 4);                                                                    \
        _tile_loadd(1, (OUT) + SIDE, COLUMNS * 4);                                                           \
        _tile_loadd(2, (OUT) + SIDE * COLUMNS, COLUMNS * 4);                                                 \
        _tile_loadd(3, (OUT) + SIDE * COLUMNS + SIDE, COLUMNS * 4);                                          \
    } while (0)
#define STORE_SUMS(OUT)                                                                                      \
    do {                                                                                                     \
        _tile_stored(0, OUT, COLUMNS * 4);                                                                   \
        _tile_stored(1, (OUT) + SIDE, COLUMNS * 4);                                                          \
        _tile_stored(2, (OUT) + SIDE * COLUMNS, COLUMNS * 4);                                                \
        _tile_stored(3, (OUT) + SIDE * COLUMNS + SIDE, COLUMNS * 4);                                         \
    } while (0)
#define CLEAR_SUMS()                                                                                         \
    do {                                                                                                     \
        _tile_zero(0);                                                                                       \
        _tile_zero(1);                                                                                       \
        _tile_zero(2);                                                                                       \
        _tile_zero(3);                                                                                       \
    } while (0)
#define LOAD_ROWS(PART)                                                                                      \
    do {                                                                                                     \
        _tile_loadd(4, x + (PART)*2 * TILE, LINE);                                                           \
        _tile_loadd(5, x + (PART)*2 * TILE + TILE, LINE);                                                    \
    } while (0)
#define LOAD_WEIGHT(PART)                                                                                    \
    do {                                                                                                     \
        _tile_loadd(6, w + (PART)*2 * TILE, LINE);                                                           \
        _tile_loadd(7, w + (PART)*2 * TILE + TILE, LINE);                                                    \
    } while (0)
#define MULTIPLY(DOT)                                                                                        \
    do {                                                                                                     \
        DOT(0, 4, 6);                                                                                        \
        DOT(1, 4, 7);                                                                                        \
        DOT(2, 5, 6);                                                                                        \
        DOT(3, 5, 7);                                                                                        \
    } while (0)

/* One step of the depth. Part 0 of a number is the nearest bf16, part 1 the nearest to what is missing, and
 * so on; products of parts whose numbers add up to as many as there are parts are too small to count. Each
 * product but the first has an operand of the one before it. */
INLINED void multiply_step(const unsigned char *x, const unsigned char *w, size_t parts) {
    LOAD_ROWS(parts - 1);
    LOAD_WEIGHT(0);
    MULTIPLY(_tile_dpbf16ps);
    if (parts == 1) return;
    LOAD_ROWS(parts - 2);
    MULTIPLY(_tile_dpbf16ps);
    LOAD_WEIGHT(1);
    MULTIPLY(_tile_dpbf16ps);
    if (parts == 2) return;
    LOAD_ROWS(0);
    MULTIPLY(_tile_dpbf16ps);
    LOAD_WEIGHT(2);
    MULTIPLY(_tile_dpbf16ps);
    LOAD_WEIGHT(0);
    MULTIPLY(_tile_dpbf16ps);
}

/* `parts`, at most 3, is known where this is called. */
INLINED void multiply_parts(const unsigned char *x, const unsigned char *w, size_t depth, size_t parts,
                            bool add, float *out) {
    if (add) {
        LOAD_SUMS(out);
    } else {
        CLEAR_SUMS();
    }
    const size_t step = parts * 2 * TILE;
    for (size_t i = 0; i < depth; i += BF16_STEP, x += step, w += step) multiply_step(x, w, parts);
    STORE_SUMS(out);
}

#define BF16_KERNEL(NAME, PRECISION, PARTS, DEPTH, TOLERANCE)                                                \
    static size_t NAME##_bytes(size_t depth) {                                                               \
        return parts_bytes(depth, PARTS);                                                                    \
    }                                                                                                        \
    TILES static void NAME##_pack_rows(const float *x, size_t stride, size_t count, size_t depth,            \
                                       void *panel) {                                                        \
        pack_bf16_rows(x, stride, count, depth, PARTS, panel);                                               \
    }                                                                                                        \
    TILES static void NAME##_pack_weight(const float *weight, size_t stride, size_t count, size_t depth,     \
                                         void *panel) {                                                      \
        pack_bf16_weight(weight, stride, count, depth, PARTS, panel);                                        \
    }                                                                                                        \
    TILES static void NAME##_multiply(const void *row_panel, const void *weight_panel, size_t depth,         \
                                      size_t count, bool add, float *out) {                                  \
        (void)count;                                                                                         \
        multiply_parts(row_panel, weight_panel, depth, PARTS, add, out);                                     \
    }                                                                                                        \
    const product_kernel amx_product_##NAME = {.name = "amx",                                                \
                                               .precision = PRECISION,                                       \
                                               .runs_on = runs_bf16,                                         \
                                               .rows = ROWS,                                                 \
                                               .columns = COLUMNS,                                           \
                                               .depth = DEPTH,                                               \
                                               .row_panel_bytes = NAME##_bytes,                              \
                                               .weight_panel_bytes = NAME##_bytes,                           \
                                               .pack_rows = NAME##_pack_rows,                                \
                                               .pack_weight = NAME##_pack_weight,                            \
                                               .multiply = NAME##_multiply,                                  \
                                               .begin = begin,                                               \
                                               .end = end,                                                   \
                                               .tolerance = TOLERANCE}

BF16_KERNEL(bf16x6, PRECISION_BF16X6, 3, 1024, F32_TOLERANCE);
BF16_KERNEL(bf16x3, PRECISION_BF16X3, 2, 1024, F32_TOLERANCE);
BF16_KERNEL(bf16, PRECISION_BF16, 1, 1024, BF16_TOLERANCE);

/* ---- products of int8 ---- */

/* Tiles as above, and behind them a scale for each row or output: the number that stands for 1. */
static size_t int8_tiles(size_t depth) {
    return (depth + INT8_STEP - 1) / INT8_STEP * 2 * TILE;
}

static size_t int8_bytes(size_t depth) {
    return int8_tiles(depth) + ROWS * sizeof(float);
}

INLINED __m512 load_some(const float *x, size_t count) {
    uint32_t mask = count >= SIDE ? UINT16_MAX : (1u << count) - 1;
    return _mm512_maskz_loadu_ps((__mmask16)mask, x);
}

/* What stands for 1, so that the largest number becomes 127; no number where one of them is infinite or none.
 * `next` will be wanted after x. */
INLINED float scale_of(const float *x, const float *next, size_t depth) {
    __m512 most[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()}, strange[2] = {most[0], most[0]};
    size_t i = 0;
    for (; i + 2 * SIDE <= depth; i += 2 * SIDE) {
        fetch_ahead(next + i);
        for (size_t half = 0; half < 2; ++half) {
            __m512 some = _mm512_loadu_ps(x + i + half * SIDE);
            most[half] = _mm512_max_ps(most[half], _mm512_abs_ps(some));
            strange[half] = _mm512_fmadd_ps(some, _mm512_setzero_ps(), strange[half]);
        }
    }
    for (; i < depth; i += SIDE) {
        __m512 some = load_some(x + i, depth - i);
        most[0] = _mm512_max_ps(most[0], _mm512_abs_ps(some));
        strange[0] = _mm512_fmadd_ps(some, _mm512_setzero_ps(), strange[0]);
    }
    return _mm512_reduce_max_ps(_mm512_max_ps(most[0], most[1])) / 127 +
           _mm512_reduce_add_ps(_mm512_add_ps(strange[0], strange[1]));
}

INLINED __m128i quantise_some(__m512 x, __m512 inverse) {
    return _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(_mm512_mul_ps(x, inverse)));
}

/* 64 numbers. */
INLINED __m512i quantise_whole(const float *x, __m512 inverse) {
    __m512i out = _mm512_castsi128_si512(quantise_some(_mm512_loadu_ps(x), inverse));
    out = _mm512_inserti32x4(out, quantise_some(_mm512_loadu_ps(x + SIDE), inverse), 1);
    out = _mm512_inserti32x4(out, quantise_some(_mm512_loadu_ps(x + 2 * SIDE), inverse), 2);
    return _mm512_inserti32x4(out, quantise_some(_mm512_loadu_ps(x + 3 * SIDE), inverse), 3);
}

/* The same, zeros beyond the end. */
INLINED __m512i quantise(const float *x, size_t count, float inverse) {
    _Alignas(64) float some[INT8_STEP] = {0};
    memcpy(some, x, (count < INT8_STEP ? count : INT8_STEP) * sizeof *x);
    return quantise_whole(some, _mm512_set1_ps(inverse));
}

TILES static void pack_int8_rows(const float *x, size_t stride, size_t count, size_t depth, void *panel) {
    float *scales = (float *)(void *)((unsigned char *)panel + int8_tiles(depth));
    if (count < ROWS) memset(panel, 0, int8_bytes(depth));
    for (size_t r = 0; r < count; ++r, x += stride) {
        unsigned char *to = (unsigned char *)panel + r / SIDE * TILE + r % SIDE * LINE;
        const float *next = r + 1 < count ? x + stride : x;
        float scale = scales[r] = scale_of(x, next, depth), inverse = scale > 0 ? 1 / scale : 0;
        size_t i = 0;
        for (; i + INT8_STEP <= depth; i += INT8_STEP, to += 2 * TILE) {
            _mm512_store_si512(to, quantise_whole(x + i, _mm512_set1_ps(inverse)));
        }
        if (i < depth) _mm512_store_si512(to, quantise(x + i, depth - i, inverse));
    }
}

/* Row i of a weight's tile has numbers 4i to 4i + 3 of each of its 16 outputs. */
TILES static void pack_int8_weight(const float *weight, size_t stride, size_t count, size_t depth,
                                   void *panel) {
    float *scales = (float *)(void *)((unsigned char *)panel + int8_tiles(depth));
    for (size_t o = 0; o < COLUMNS; ++o) {
        const float *row = weight + o * stride;
        scales[o] = o < count ? scale_of(row, row, depth) : 0;
    }
    for (size_t i = 0; i < depth; i += INT8_STEP) {
        for (size_t half = 0; half < COLUMNS; half += SIDE) {
            unsigned char *to = (unsigned char *)panel + i / INT8_STEP * 2 * TILE + half / SIDE * TILE;
            __m512i fours[SIDE];
            for (size_t o = 0; o < SIDE; ++o) {
                float scale = scales[half + o];
                fours[o] = scale > 0 ? quantise(weight + (half + o) * stride + i, depth - i, 1 / scale)
                                     : _mm512_setzero_si512();
            }
            transpose(fours);
            for (size_t row = 0; row < SIDE; ++row) _mm512_store_si512(to + row * LINE, fours[row]);
        }
    }
}

TILES static void multiply_int8(const void *row_panel, const void *weight_panel, size_t depth, size_t count,
                                bool add, float *out) {
    const unsigned char *x = row_panel, *w = weight_panel;
    const float *row_scales = (const float *)(const void *)(x + int8_tiles(depth));
    const float *scales = (const float *)(const void *)(w + int8_tiles(depth));
    _Alignas(64) int32_t sums[ROWS * COLUMNS];
    CLEAR_SUMS();
    for (size_t i = 0; i < depth; i += INT8_STEP, x += 2 * TILE, w += 2 * TILE) {
        LOAD_ROWS(0);
        LOAD_WEIGHT(0);
        MULTIPLY(_tile_dpbssd);
    }
    STORE_SUMS(sums);
    __m512 left = _mm512_loadu_ps(scales), right = _mm512_loadu_ps(scales + SIDE);
    for (size_t r = 0; r < count; ++r, out += COLUMNS) {
        __m512 scale = _mm512_set1_ps(row_scales[r]);
        __m512 a = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums + r * COLUMNS)),
                                 _mm512_mul_ps(scale, left));
        __m512 b = _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_load_si512(sums + r * COLUMNS + SIDE)),
                                 _mm512_mul_ps(scale, right));
        if (add)
            a = _mm512_add_ps(a, _mm512_loadu_ps(out)), b = _mm512_add_ps(b, _mm512_loadu_ps(out + SIDE));
        _mm512_storeu_ps(out, a);
        _mm512_storeu_ps(out + SIDE, b);
    }
}

const product_kernel amx_product_int8 = {.name = "amx",
                                         .precision = PRECISION_INT8,
                                         .runs_on = runs_int8,
                                         .rows = ROWS,
                                         .columns = COLUMNS,
                                         .depth = 1024,
                                         .row_panel_bytes = int8_bytes,
                                         .weight_panel_bytes = int8_bytes,
                                         .pack_rows = pack_int8_rows,
                                         .pack_weight = pack_int8_weight,
                                         .multiply = multiply_int8,
                                         .begin = begin,
                                         .end = end,
                                         .tolerance = INT8_TOLERANCE};

#endif
