/* Vectors of f32 with AVX2 and FMA. See vector_avx512.h. */
#ifndef VECTOR_AVX2_H
#define VECTOR_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#ifndef AVX2_BESIDES
#define AVX2_BESIDES "" /* what a file uses besides: ",avxvnni" */
#endif
#define VECTOR_CODE    __attribute__((target("avx2,fma" AVX2_BESIDES)))
#define VECTOR_INLINED __attribute__((target("avx2,fma" AVX2_BESIDES), always_inline)) static inline

enum { LANES = 8 };
typedef __m256 vector;

VECTOR_INLINED vector v_load(const float *from) {
    return _mm256_loadu_ps(from);
}

VECTOR_INLINED void v_store(float *to, vector x) {
    _mm256_storeu_ps(to, x);
}

VECTOR_INLINED __m256i v_lanes_below(size_t count) {
    int end = count < LANES ? (int)count : LANES;
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(end), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

VECTOR_INLINED vector v_load_first(const float *from, size_t count) {
    return _mm256_maskload_ps(from, v_lanes_below(count));
}

VECTOR_INLINED void v_store_first(float *to, vector x, size_t count) {
    _mm256_maskstore_ps(to, v_lanes_below(count), x);
}

VECTOR_INLINED vector v_first(vector x, size_t count) {
    return _mm256_and_ps(x, _mm256_castsi256_ps(v_lanes_below(count)));
}

VECTOR_INLINED vector v_spread(float x) {
    return _mm256_set1_ps(x);
}

VECTOR_INLINED vector v_fma(vector a, vector b, vector c) {
    return _mm256_fmadd_ps(a, b, c);
}

VECTOR_INLINED vector v_larger(vector a, vector b) {
    return _mm256_max_ps(a, b);
}

VECTOR_INLINED vector v_smaller(vector a, vector b) {
    return _mm256_min_ps(a, b);
}

VECTOR_INLINED vector v_absolute(vector x) {
    return _mm256_andnot_ps(v_spread(-0.0f), x);
}

VECTOR_INLINED vector v_by_sign(vector x, vector a, vector b) {
    return _mm256_blendv_ps(b, a, x);
}

VECTOR_INLINED vector v_inverse(vector x) {
    return _mm256_div_ps(v_spread(1), x);
}

VECTOR_INLINED vector v_fraction(vector x) {
    return _mm256_sub_ps(x, _mm256_floor_ps(x));
}

VECTOR_INLINED vector v_times_power(vector p, vector x) {
    __m256i power = _mm256_cvtps_epi32(_mm256_floor_ps(x));
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(p), _mm256_slli_epi32(power, 23)));
}

VECTOR_INLINED float v_sum(vector x) {
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(four, _mm_movehdup_ps(four)));
}

VECTOR_INLINED float v_largest(vector x) {
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    four = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(four, _mm_movehdup_ps(four)));
}

/* rows[i][j] -> rows[j][i] */
VECTOR_INLINED void transpose(vector rows[LANES]) {
    vector woven[LANES];
#pragma GCC unroll 4
    for (int i = 0; i < LANES; i += 2) {
        woven[i] = _mm256_unpacklo_ps(rows[i], rows[i + 1]);
        woven[i + 1] = _mm256_unpackhi_ps(rows[i], rows[i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < LANES; i += 4) {
        rows[i] = _mm256_shuffle_ps(woven[i], woven[i + 2], 0x44);
        rows[i + 1] = _mm256_shuffle_ps(woven[i], woven[i + 2], 0xee);
        rows[i + 2] = _mm256_shuffle_ps(woven[i + 1], woven[i + 3], 0x44);
        rows[i + 3] = _mm256_shuffle_ps(woven[i + 1], woven[i + 3], 0xee);
    }
#pragma GCC unroll 4
    for (int i = 0; i < LANES / 2; ++i) {
        vector low = rows[i], high = rows[i + LANES / 2];
        rows[i] = _mm256_permute2f128_ps(low, high, 0x20);
        rows[i + LANES / 2] = _mm256_permute2f128_ps(low, high, 0x31);
    }
}

typedef uint32_t words __attribute__((vector_size(sizeof(vector))));

/* The larger of two words without a sign. */
VECTOR_INLINED words w_larger(words a, words b) {
    return (words)_mm256_max_epu32((__m256i)a, (__m256i)b);
}

VECTOR_INLINED words w_nearest(vector x) {
    return (words)_mm256_cvtps_epi32(x);
}

VECTOR_INLINED vector v_whole(words x) {
    return _mm256_cvtepi32_ps((__m256i)x);
}

VECTOR_INLINED vector v_pair_products(vector a, vector b) {
    return (vector)_mm256_madd_epi16((__m256i)a, (__m256i)b);
}

VECTOR_INLINED vector v_halves(words a, words b) {
    __m256i mixed = _mm256_packus_epi32((__m256i)(a >> 16), (__m256i)(b >> 16));
    return _mm256_castsi256_ps(_mm256_permute4x64_epi64(mixed, 0xd8));
}

VECTOR_INLINED vector v_bytes(words a, words b, words c, words d) {
    __m256i low = _mm256_packs_epi32((__m256i)a, (__m256i)b);
    __m256i mixed = _mm256_packs_epi16(low, _mm256_packs_epi32((__m256i)c, (__m256i)d));
    const __m256i places = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    return _mm256_castsi256_ps(_mm256_permutevar8x32_epi32(mixed, places));
}

/* Vectors of f64, of half as many lanes. */
typedef __m256d vector_f64;

VECTOR_INLINED vector_f64 v_load_f64(const double *from) {
    return _mm256_loadu_pd(from);
}

VECTOR_INLINED void v_store_f64(double *to, vector_f64 x) {
    _mm256_storeu_pd(to, x);
}

VECTOR_INLINED vector_f64 v_spread_f64(double x) {
    return _mm256_set1_pd(x);
}

VECTOR_INLINED vector_f64 v_fma_f64(vector_f64 a, vector_f64 b, vector_f64 c) {
    return _mm256_fmadd_pd(a, b, c);
}

VECTOR_INLINED __m256i v_lanes_below_f64(size_t count) {
    long long end = count < LANES / 2 ? (long long)count : LANES / 2;
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(end), _mm256_setr_epi64x(0, 1, 2, 3));
}

VECTOR_INLINED vector_f64 v_load_first_f64(const double *from, size_t count) {
    return _mm256_maskload_pd(from, v_lanes_below_f64(count));
}

VECTOR_INLINED void v_store_first_f64(double *to, vector_f64 x, size_t count) {
    _mm256_maskstore_pd(to, v_lanes_below_f64(count), x);
}

/* rows[i][j] -> rows[j][i] */
VECTOR_INLINED void transpose_f64(vector_f64 rows[LANES / 2]) {
    vector_f64 low[2] = {_mm256_unpacklo_pd(rows[0], rows[1]), _mm256_unpackhi_pd(rows[0], rows[1])};
    vector_f64 high[2] = {_mm256_unpacklo_pd(rows[2], rows[3]), _mm256_unpackhi_pd(rows[2], rows[3])};
#pragma GCC unroll 2
    for (int i = 0; i < 2; ++i) {
        rows[i] = _mm256_permute2f128_pd(low[i], high[i], 0x20);
        rows[i + 2] = _mm256_permute2f128_pd(low[i], high[i], 0x31);
    }
}

#endif
