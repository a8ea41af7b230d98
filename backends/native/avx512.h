/* What the kernels with AVX-512 share. */
#ifndef AVX512_H
#define AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

#ifndef AVX512_BESIDES
#define AVX512_BESIDES "" /* what a file uses besides: ",avx512vnni" */
#endif
#define AVX512 __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl" AVX512_BESIDES)))
#define AVX512_INLINED                                                                                       \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl" AVX512_BESIDES), always_inline)) static inline

enum { LANES = 16 };

AVX512_INLINED __mmask16 first_lanes(size_t count) {
    return (__mmask16)(count < LANES ? (1u << count) - 1 : 0xffffu);
}

/* rows[i][j] -> rows[j][i]: pairs of rows are woven into pairs of numbers, those into quarters of vectors,
 * and the quarters are put in their places. */
AVX512_INLINED void transpose(__m512 rows[LANES]) {
    __m512d woven[LANES];
#pragma GCC unroll 8
    for (int i = 0; i < LANES; i += 2) {
        woven[i] = _mm512_castps_pd(_mm512_unpacklo_ps(rows[i], rows[i + 1]));
        woven[i + 1] = _mm512_castps_pd(_mm512_unpackhi_ps(rows[i], rows[i + 1]));
    }
#pragma GCC unroll 4
    for (int i = 0; i < LANES; i += 4) {
        rows[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(woven[i], woven[i + 2]));
        rows[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(woven[i], woven[i + 2]));
        rows[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(woven[i + 1], woven[i + 3]));
        rows[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(woven[i + 1], woven[i + 3]));
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
        __m512 even[2] = {_mm512_shuffle_f32x4(rows[i], rows[i + 4], 0x88),
                          _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0x88)};
        __m512 odd[2] = {_mm512_shuffle_f32x4(rows[i], rows[i + 4], 0xdd),
                         _mm512_shuffle_f32x4(rows[i + 8], rows[i + 12], 0xdd)};
        rows[i] = _mm512_shuffle_f32x4(even[0], even[1], 0x88);
        rows[i + 8] = _mm512_shuffle_f32x4(even[0], even[1], 0xdd);
        rows[i + 4] = _mm512_shuffle_f32x4(odd[0], odd[1], 0x88);
        rows[i + 12] = _mm512_shuffle_f32x4(odd[0], odd[1], 0xdd);
    }
}

#endif
