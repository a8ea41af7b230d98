/* Products of int8 with AVX512_VNNI: four numbers a step for each of 14 rows by 32 outputs. The instruction
 * wants one operand unsigned, so 128 is added to each number of x and taken from the sums again. */
#include "kernels.h"

#if defined __x86_64__

#include "avx512.h"
#include "int8.h"

#define VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))

enum { ROWS = 14, COLUMNS = 2 * LANES, GROUP = 4, STEPS_AHEAD = 32 };

/* Before the numbers, (depth / 4, rows or columns, 4), lies what makes f32 of their sums. */
typedef struct row_head {
    float scales[LANES];
} row_head;
typedef struct weight_head {
    float scales[COLUMNS];
    int32_t excess[COLUMNS]; /* 128 times the sum of an output's numbers */
} weight_head;

static bool runs_on(const processor *machine) {
    return machine->vnni;
}

static size_t groups(size_t depth) {
    return (depth + GROUP - 1) / GROUP;
}

static size_t row_panel_bytes(size_t depth) {
    return sizeof(row_head) + (groups(depth) * ROWS * GROUP + 63) / 64 * 64;
}

static size_t weight_panel_bytes(size_t depth) {
    return sizeof(weight_head) + groups(depth) * COLUMNS * GROUP;
}

/* ---- panels ---- */

AVX512 static float scale_of(const float *x, size_t depth, float *inverse) {
    __m512i largest = _mm512_setzero_si512();
    for (size_t i = 0; i < depth; i += LANES) {
        __m512 part = _mm512_abs_ps(_mm512_maskz_loadu_ps(first_lanes(depth - i), x + i));
        largest = _mm512_max_epu32(largest, _mm512_castps_si512(part));
    }
    return int8_scale(_mm512_reduce_max_epu32(largest), inverse);
}

/* 64 numbers, or as many as there are. */
AVX512_INLINED __m512i narrow(const float *x, size_t count, float inverse) {
    __m512i bytes = _mm512_setzero_si512();
#pragma GCC unroll 4
    for (int part = 0; part < GROUP; ++part) {
        size_t first = (size_t)part * LANES;
        __mmask16 loaded = first < count ? first_lanes(count - first) : 0;
        __m512 numbers = _mm512_maskz_loadu_ps(loaded, x + first);
        __m512i whole = _mm512_cvtps_epi32(_mm512_mul_ps(numbers, _mm512_set1_ps(inverse)));
        __m512i narrowed = _mm512_broadcast_i32x4(_mm512_cvtsepi32_epi8(whole));
        bytes = _mm512_mask_mov_epi32(bytes, (__mmask16)(0xf << 4 * part), narrowed);
    }
    return bytes;
}

/* Up to 16 rows of x (count, depth) become columns of a panel (groups, width, 4): `lanes` of them, from
 * `panel` on. Each byte is changed by the bits of `flip`. */
AVX512 static void weave(const float *x, size_t stride, size_t count, size_t depth, int flip,
                         float scales[LANES], int8_t *panel, size_t width, size_t lanes) {
    __mmask16 stored = first_lanes(lanes);
    float inverses[LANES] = {0};
    for (size_t r = 0; r < LANES; ++r)
        scales[r] = r < count ? scale_of(x + r * stride, depth, &inverses[r]) : 0;
    for (size_t i = 0; i < depth; i += LANES * GROUP) {
        __m512 rows[LANES];
        for (size_t r = 0; r < LANES; ++r) {
            __m512i bytes =
                r < count ? narrow(x + r * stride + i, depth - i, inverses[r]) : _mm512_setzero_si512();
            rows[r] = _mm512_castsi512_ps(_mm512_xor_si512(bytes, _mm512_set1_epi32(flip)));
        }
        transpose(rows);
        int8_t *to = panel + i * width;
        for (size_t j = 0; j < LANES && i + j * GROUP < depth; ++j) {
            _mm512_mask_storeu_ps(to + j * width * GROUP, stored, rows[j]);
        }
    }
}

AVX512 static void pack_rows(const float *x, size_t stride, size_t count, size_t depth, void *panel) {
    row_head *head = panel;
    weave(x, stride, count, depth, (int)0x80808080, head->scales, (int8_t *)(head + 1), ROWS, ROWS);
}

VNNI static void add_excess(weight_head *head, size_t steps) {
    const int8_t *w = (const int8_t *)(head + 1);
    for (int half = 0; half < 2; ++half) {
        __m512i sum = _mm512_setzero_si512();
        for (size_t i = 0; i < steps; ++i) {
            __m512i numbers = _mm512_load_si512(w + (i * COLUMNS + (size_t)half * LANES) * GROUP);
            sum = _mm512_dpbusd_epi32(sum, _mm512_set1_epi8((char)128), numbers);
        }
        _mm512_storeu_si512(head->excess + half * LANES, sum);
    }
}

AVX512 static void pack_weight(const float *weight, size_t stride, size_t count, size_t depth, void *panel) {
    weight_head *head = panel;
    int8_t *numbers = (int8_t *)(head + 1);
    size_t left = count < LANES ? count : LANES;
    weave(weight, stride, left, depth, 0, head->scales, numbers, COLUMNS, LANES);
    weave(weight + left * stride, stride, count - left, depth, 0, head->scales + LANES,
          numbers + LANES * GROUP, COLUMNS, LANES);
    add_excess(head, groups(depth));
}

/* ---- products ---- */

/* sums += numbers * w, four by four. As _mm512_dpbusd_epi32 would, for which GCC 12 moves all sums to other
 * registers and back at every step. */
VNNI __attribute__((always_inline)) static inline void add_products(__m512i *sums, __m512i numbers,
                                                                    __m512i w) {
    __asm__("vpdpbusd %2, %1, %0" : "+v"(*sums) : "v"(numbers), "v"(w));
}

/* `rows` is known where it is called. */
__attribute__((always_inline)) VNNI static inline void tile(int rows, const row_head *row,
                                                            const weight_head *weight, size_t depth, bool add,
                                                            float *out) {
    const int8_t *x = (const int8_t *)(row + 1), *w = (const int8_t *)(weight + 1);
    __m512i sums[ROWS][2];
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) sums[r][0] = sums[r][1] = _mm512_setzero_si512();
    for (size_t i = groups(depth); i > 0; --i, x += ROWS * GROUP, w += COLUMNS * GROUP) {
        __builtin_prefetch(w + STEPS_AHEAD * COLUMNS * GROUP);
        __builtin_prefetch(w + (STEPS_AHEAD * COLUMNS + LANES) * GROUP);
        __builtin_prefetch(x + STEPS_AHEAD * ROWS * GROUP);
        __m512i left = _mm512_load_si512(w), right = _mm512_load_si512(w + LANES * GROUP);
#pragma GCC unroll 14
        for (int r = 0; r < rows; ++r) {
            float four; /* as a float it is copied to all lanes on its way from memory, without an instruction
                           of its own */
            memcpy(&four, x + r * GROUP, sizeof four);
            __m512i numbers = _mm512_castps_si512(_mm512_set1_ps(four));
            add_products(&sums[r][0], numbers, left);
            add_products(&sums[r][1], numbers, right);
        }
    }
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
#pragma GCC unroll 2
        for (int half = 0; half < 2; ++half) {
            float *to = out + r * COLUMNS + half * LANES;
            __m512 scales = _mm512_loadu_ps(weight->scales + half * LANES);
            __m512i sum = _mm512_sub_epi32(sums[r][half], _mm512_loadu_si512(weight->excess + half * LANES));
            scales = _mm512_mul_ps(_mm512_set1_ps(row->scales[r]), scales);
            __m512 product = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), scales);
            _mm512_storeu_ps(to, add ? _mm512_add_ps(_mm512_loadu_ps(to), product) : product);
        }
    }
}

VNNI static void multiply(const void *row_panel, const void *weight_panel, size_t depth, size_t count,
                          bool add, float *out) {
    if (count > ROWS / 2)
        tile(ROWS, row_panel, weight_panel, depth, add, out);
    else
        tile(ROWS / 2, row_panel, weight_panel, depth, add, out);
}

const product_kernel avx512_product_int8 = {.name = "avx512",
                                            .precision = PRECISION_INT8,
                                            .runs_on = runs_on,
                                            .rows = ROWS,
                                            .columns = COLUMNS,
                                            .depth = INT8_DEPTH,
                                            .row_panel_bytes = row_panel_bytes,
                                            .weight_panel_bytes = weight_panel_bytes,
                                            .pack_rows = pack_rows,
                                            .pack_weight = pack_weight,
                                            .multiply = multiply,
                                            .tolerance = INT8_TOLERANCE};

#endif
