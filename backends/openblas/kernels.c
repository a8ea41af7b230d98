/* See kernels.h. Loops over elements are left to the compiler's vectoriser; sums and maxima, whose order it
 * may not change, are written with vectors of a fixed length. */
#include "kernels.h"

#include <math.h>
#include <string.h>

/* Several versions of one function; the loader takes the best that the processor can run. Static, as clang 14
 * loses the name of others. */
#define VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))
#define INLINED    __attribute__((always_inline)) static inline

enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(4), may_alias));
typedef int32_t masks __attribute__((vector_size(LANES * sizeof(int32_t))));

static const float log2_e = 1.44269504f;
static const float ln_2_high = 0.693145752f, ln_2_low = 1.42860677e-6f; /* their sum is ln 2 */

/* exp(x) for |x| <= 87, relative error below 3e-7: x = n ln 2 + r with |r| <= ln 2 / 2, then the Taylor
 * polynomial of degree 7 for exp(r), times 2^n. Beyond 87 it stays at the border; NaN stays NaN. */
INLINED float exp_f32(float x) {
    const float rounder = 12582912.0f; /* 1.5 * 2^23: adding it leaves the nearest integer in the low bits */
    x = x < -87.0f ? -87.0f : x;
    x = x > 87.0f ? 87.0f : x;
    float shifted = x * log2_e + rounder, n = shifted - rounder;
    float r = x - n * ln_2_high - n * ln_2_low;
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    uint32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits << 23) + 0x3f800000u; /* 2^n */
    float scale;
    memcpy(&scale, &bits, sizeof scale);
    return p * scale;
}

/* x Phi(x), with the tail of the normal distribution from Abramowitz and Stegun, formula 7.1.26 (absolute
 * error of erf below 2e-7). */
INLINED float gelu(float x) {
    float u = fabsf(x) * 0.707106781f;
    float t = 1.0f / (1.0f + 0.3275911f * u);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    float tail = 0.5f * p * t * exp_f32(-u * u);
    return x * (x < 0.0f ? tail : 1.0f - tail);
}

INLINED float quick_gelu(float x) {
    return x / (1.0f + exp_f32(-1.702f * x));
}

/* x / (1 + exp(-2 y)) is x / 2 (1 + tanh(y)). */
INLINED float gelu_tanh(float x) {
    float y = 0.797884561f * (x + 0.044715f * x * x * x); /* root of 2 / pi */
    return x / (1.0f + exp_f32(-2.0f * y));
}

INLINED float silu(float x) {
    return x / (1.0f + exp_f32(-x));
}

VECTORISED static void gelu_row(float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] = gelu(x[i]);
}

VECTORISED static void quick_gelu_row(float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] = quick_gelu(x[i]);
}

VECTORISED static void gelu_tanh_row(float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] = gelu_tanh(x[i]);
}

VECTORISED static void silu_row(float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] = silu(x[i]);
}

VECTORISED static void relu_row(float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] = x[i] < 0.0f ? 0.0f : x[i];
}

void activate_row(hl_activation activation, float *x, size_t count) {
    static void (*const rows[])(float *x, size_t count) = {[HL_GELU] = gelu_row,
                                                           [HL_QUICK_GELU] = quick_gelu_row,
                                                           [HL_GELU_TANH] = gelu_tanh_row,
                                                           [HL_SILU] = silu_row,
                                                           [HL_RELU] = relu_row};
    if (activation != HL_IDENTITY) rows[activation](x, count);
}

VECTORISED static void add_rows(const float *a, const float *b, float *out, size_t count) {
    for (size_t i = 0; i < count; ++i) out[i] = a[i] + b[i];
}

void add_row(const float *x, float *out, size_t count) {
    add_rows(x, out, out, count);
}

void start_row(const float *bias, const float *residual, float *out, size_t count) {
    const float *only = bias ? bias : residual;
    if (bias && residual) {
        add_rows(bias, residual, out, count);
    } else if (!only) {
        memset(out, 0, count * sizeof *out);
    } else if (only != out) {
        memcpy(out, only, count * sizeof *out);
    }
}

VECTORISED static void multiply_rows(const float *a, const float *b, float *out, size_t count) {
    for (size_t i = 0; i < count; ++i) out[i] = a[i] * b[i];
}

void multiply_row(const float *a, const float *b, float *out, size_t count) {
    multiply_rows(a, b, out, count);
}

VECTORISED static void scale_numbers(float factor, float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] *= factor;
}

void scale_row(float factor, float *x, size_t count) {
    scale_numbers(factor, x, count);
}

VECTORISED static void turn_neighbours(float *restrict x, const float *restrict cosines,
                                       const float *restrict sines, size_t pairs) {
    for (size_t i = 0; i < pairs; ++i) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
}

void rotate_neighbours(float *x, const float *cosines, const float *sines, size_t pairs) {
    turn_neighbours(x, cosines, sines, pairs);
}

VECTORISED static void turn_halves(float *restrict first, float *restrict second,
                                   const float *restrict cosines, const float *restrict sines, size_t pairs) {
    for (size_t i = 0; i < pairs; ++i) {
        float a = first[i], b = second[i];
        first[i] = a * cosines[i] - b * sines[i];
        second[i] = b * cosines[i] + a * sines[i];
    }
}

void rotate_halves(float *x, const float *cosines, const float *sines, size_t pairs) {
    turn_halves(x, x + pairs, cosines, sines, pairs);
}

INLINED float sum_lanes(const lanes *v) {
    float a[LANES];
    memcpy(a, v, sizeof a);
    for (size_t step = LANES / 2; step > 0; step /= 2)
        for (size_t i = 0; i < step; ++i) a[i] += a[i + step];
    return a[0];
}

INLINED float sum(const float *x, size_t count) {
    lanes sums = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) sums += *(const lanes *)(x + i);
    float total = sum_lanes(&sums);
    for (; i < count; ++i) total += x[i];
    return total;
}

/* Sum and sum of squares of x - centre. */
INLINED void moments(const float *x, size_t count, float centre, float *first, float *second) {
    lanes sums = {0}, squares = {0};
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        lanes difference = *(const lanes *)(x + i) - centre;
        sums += difference;
        squares += difference * difference;
    }
    *first = sum_lanes(&sums);
    *second = sum_lanes(&squares);
    for (; i < count; ++i) {
        *first += x[i] - centre;
        *second += (x[i] - centre) * (x[i] - centre);
    }
}

VECTORISED static float largest(const float *x, size_t count) {
    float most = x[0];
    size_t i = 0;
    if (count >= LANES) {
        lanes best = *(const lanes *)x;
        for (i = LANES; i + LANES <= count; i += LANES) {
            lanes next = *(const lanes *)(x + i);
            masks greater = next > best;
            best = (lanes)((greater & (masks)next) | (~greater & (masks)best));
        }
        for (size_t l = 0; l < LANES; ++l) most = best[l] > most ? best[l] : most;
    }
    for (; i < count; ++i) most = x[i] > most ? x[i] : most;
    return most;
}

VECTORISED static void exp_row(float *x, size_t count, float shift) {
    for (size_t i = 0; i < count; ++i) x[i] = exp_f32(x[i] - shift);
}

VECTORISED static void scale_to_one(float *x, size_t count) {
    float scale = 1.0f / sum(x, count);
    for (size_t i = 0; i < count; ++i) x[i] *= scale;
}

void softmax_row(float *x, size_t count) {
    exp_row(x, count, largest(x, count));
    scale_to_one(x, count);
}

/* Two passes over the row, which is in the cache: the first finds a mean that is right to within rounding,
 * the second what is missing from it. So a mean far from zero costs no digits. */
VECTORISED static void layer_norm(const float *x, size_t count, const float *gain, const float *shift,
                                  float epsilon, float *out, float *statistics) {
    float mean = sum(x, count) / (float)count, rest, squares;
    moments(x, count, mean, &rest, &squares);
    rest /= (float)count;
    float deviation = sqrtf(squares / (float)count - rest * rest + epsilon);
    float scale = 1.0f / deviation;
    for (size_t i = 0; i < count; ++i) out[i] = (x[i] - mean - rest) * scale * gain[i] + shift[i];
    if (statistics) {
        statistics[0] = mean + rest;
        statistics[1] = deviation;
    }
}

void layer_norm_row(const float *x, size_t count, const float *gain, const float *shift, float epsilon,
                    float *out, float *statistics) {
    layer_norm(x, count, gain, shift, epsilon, out, statistics);
}
