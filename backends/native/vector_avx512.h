/* Vectors of f32 with AVX-512, for code that is written once for all widths: elementary.h, rows_vectors.h,
 * attention_vectors.h. vector_avx2.h has the same names. Operators work on a `vector` lane by lane. */
#ifndef VECTOR_AVX512_H
#define VECTOR_AVX512_H

#include "avx512.h"

#define VECTOR_CODE    AVX512
#define VECTOR_INLINED AVX512_INLINED

typedef __m512 vector;

VECTOR_INLINED vector v_load(const float *from) {
    return _mm512_loadu_ps(from);
}

VECTOR_INLINED void v_store(float *to, vector x) {
    _mm512_storeu_ps(to, x);
}

/* The first `count` lanes, all if it is larger; others are zero or stay as they were. */
VECTOR_INLINED vector v_load_first(const float *from, size_t count) {
    return _mm512_maskz_loadu_ps(first_lanes(count), from);
}

VECTOR_INLINED void v_store_first(float *to, vector x, size_t count) {
    _mm512_mask_storeu_ps(to, first_lanes(count), x);
}

VECTOR_INLINED vector v_first(vector x, size_t count) {
    return _mm512_maskz_mov_ps(first_lanes(count), x);
}

VECTOR_INLINED vector v_spread(float x) {
    return _mm512_set1_ps(x);
}

/* a b + c, rounded once. */
VECTOR_INLINED vector v_fma(vector a, vector b, vector c) {
    return _mm512_fmadd_ps(a, b, c);
}

/* The second where either is NaN. */
VECTOR_INLINED vector v_larger(vector a, vector b) {
    return _mm512_max_ps(a, b);
}

VECTOR_INLINED vector v_smaller(vector a, vector b) {
    return _mm512_min_ps(a, b);
}

VECTOR_INLINED vector v_absolute(vector x) {
    return _mm512_abs_ps(x);
}

/* a where the sign of x is set, else b. */
VECTOR_INLINED vector v_by_sign(vector x, vector a, vector b) {
    return _mm512_mask_mov_ps(b, _mm512_movepi32_mask(_mm512_castps_si512(x)), a);
}

/* 1 / x within one unit in the last place, for x whose inverse is a normal number. */
VECTOR_INLINED vector v_inverse(vector x) {
    vector near = _mm512_rcp14_ps(x);
    return v_fma(near, _mm512_fnmadd_ps(x, near, v_spread(1)), near);
}

/* x - floor(x), in [0, 1). */
VECTOR_INLINED vector v_fraction(vector x) {
    return _mm512_reduce_ps(x, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
}

/* p 2^floor(x), for p in [1, 2] and x in [-126, 127). */
VECTOR_INLINED vector v_times_power(vector p, vector x) {
    return _mm512_scalef_ps(p, x);
}

VECTOR_INLINED float v_sum(vector x) {
    return _mm512_reduce_add_ps(x);
}

VECTOR_INLINED float v_largest(vector x) {
    return _mm512_reduce_max_ps(x);
}

/* The bits of as many numbers. Operators work on them as on numbers without a sign. */
typedef uint32_t words __attribute__((vector_size(sizeof(vector))));

/* The larger of two words without a sign. */
VECTOR_INLINED words w_larger(words a, words b) {
    return (words)_mm512_max_epu32((__m512i)a, (__m512i)b);
}

/* Whole numbers, ties to even. */
VECTOR_INLINED words w_nearest(vector x) {
    return (words)_mm512_cvtps_epi32(x);
}

/* Numbers of whole ones, which have a sign. */
VECTOR_INLINED vector v_whole(words x) {
    return _mm512_cvtepi32_ps((__m512i)x);
}

/* Words of two int16 each: the product of the first ones plus that of the second ones. */
VECTOR_INLINED vector v_pair_products(vector a, vector b) {
    return (vector)_mm512_madd_epi16((__m512i)a, (__m512i)b);
}

/* The upper halves of the words of a, then of b, side by side. */
VECTOR_INLINED vector v_halves(words a, words b) {
    __m512i mixed = _mm512_packus_epi32((__m512i)(a >> 16), (__m512i)(b >> 16));
    const __m512i places = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi64(places, mixed));
}

/* Whole numbers with a sign, as int8, of a, b, c and d side by side. */
VECTOR_INLINED vector v_bytes(words a, words b, words c, words d) {
    __m512i low = _mm512_packs_epi32((__m512i)a, (__m512i)b);
    __m512i mixed = _mm512_packs_epi16(low, _mm512_packs_epi32((__m512i)c, (__m512i)d));
    const __m512i places = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_castsi512_ps(_mm512_permutexvar_epi32(places, mixed));
}

/* Vectors of f64, of half as many lanes. */
typedef __m512d vector_f64;

VECTOR_INLINED vector_f64 v_load_f64(const double *from) {
    return _mm512_loadu_pd(from);
}

VECTOR_INLINED void v_store_f64(double *to, vector_f64 x) {
    _mm512_storeu_pd(to, x);
}

VECTOR_INLINED vector_f64 v_spread_f64(double x) {
    return _mm512_set1_pd(x);
}

VECTOR_INLINED vector_f64 v_fma_f64(vector_f64 a, vector_f64 b, vector_f64 c) {
    return _mm512_fmadd_pd(a, b, c);
}

VECTOR_INLINED vector_f64 v_load_first_f64(const double *from, size_t count) {
    return _mm512_maskz_loadu_pd((__mmask8)first_lanes(count), from);
}

VECTOR_INLINED void v_store_first_f64(double *to, vector_f64 x, size_t count) {
    _mm512_mask_storeu_pd(to, (__mmask8)first_lanes(count), x);
}

/* rows[i][j] -> rows[j][i] */
VECTOR_INLINED void transpose_f64(vector_f64 rows[LANES / 2]) {
    vector_f64 woven[LANES / 2];
#pragma GCC unroll 4
    for (int i = 0; i < LANES / 2; i += 2) {
        woven[i] = _mm512_unpacklo_pd(rows[i], rows[i + 1]);
        woven[i + 1] = _mm512_unpackhi_pd(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        vector_f64 even[2] = {_mm512_shuffle_f64x2(woven[i], woven[i + 2], 0x88),
                              _mm512_shuffle_f64x2(woven[i + 4], woven[i + 6], 0x88)};
        vector_f64 odd[2] = {_mm512_shuffle_f64x2(woven[i], woven[i + 2], 0xdd),
                             _mm512_shuffle_f64x2(woven[i + 4], woven[i + 6], 0xdd)};
        rows[i] = _mm512_shuffle_f64x2(even[0], even[1], 0x88);
        rows[i + 4] = _mm512_shuffle_f64x2(even[0], even[1], 0xdd);
        rows[i + 2] = _mm512_shuffle_f64x2(odd[0], odd[1], 0x88);
        rows[i + 6] = _mm512_shuffle_f64x2(odd[0], odd[1], 0xdd);
    }
}

#endif
