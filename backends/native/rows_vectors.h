/* The functions on rows, over vectors of any width: a file that includes vector_avx512.h or vector_avx2.h,
 * defines v_gelu, and then includes this, has `activate` and `layer_norm`. */
#include "elementary.h"
#include "kernels.h"

#include <math.h>

/* Each number for itself, so that nothing depends on its place. */
#define EACH(NAME, EXPRESSION)                                                                               \
    VECTOR_CODE static void NAME(float *at, size_t count) {                                                  \
        for (; count >= LANES; at += LANES, count -= LANES) {                                                \
            vector x = v_load(at);                                                                           \
            v_store(at, EXPRESSION);                                                                         \
        }                                                                                                    \
        vector x = v_load_first(at, count);                                                                  \
        if (count > 0) v_store_first(at, EXPRESSION, count);                                                 \
    }

EACH(gelu, v_gelu(x))
EACH(quick_gelu, x *v_sigmoid(v_spread(1.702f) * x))
EACH(gelu_tanh, v_gelu_tanh(x))
EACH(silu, x *v_sigmoid(x))
EACH(relu, v_larger(v_spread(0), x))

static void activate(hl_activation activation, float *x, size_t count) {
    static void (*const functions[])(float *x, size_t count) = {[HL_GELU] = gelu,
                                                                [HL_QUICK_GELU] = quick_gelu,
                                                                [HL_GELU_TANH] = gelu_tanh,
                                                                [HL_SILU] = silu,
                                                                [HL_RELU] = relu};
    if (activation != HL_IDENTITY) functions[activation](x, count);
}

/* Several sums at once, so that none waits for the addition before. */
enum { SUMS = 4 };

VECTOR_INLINED float sum_of(const float *x, size_t count) {
    vector sums[SUMS] = {v_spread(0), v_spread(0), v_spread(0), v_spread(0)};
    for (; count >= SUMS * LANES; x += SUMS * LANES, count -= SUMS * LANES) {
        for (size_t i = 0; i < SUMS; ++i) sums[i] += v_load(x + i * LANES);
    }
    for (; count >= LANES; x += LANES, count -= LANES) sums[0] += v_load(x);
    sums[1] += v_load_first(x, count);
    return v_sum(sums[0] + sums[1] + (sums[2] + sums[3]));
}

/* Sum and sum of squares of x - centre. */
VECTOR_INLINED void moments_of(const float *x, size_t count, vector centre, float *first, float *second) {
    vector sums[2] = {v_spread(0), v_spread(0)}, squares[2] = {v_spread(0), v_spread(0)};
    for (; count >= 2 * LANES; x += 2 * LANES, count -= 2 * LANES) {
        for (size_t i = 0; i < 2; ++i) {
            vector difference = v_load(x + i * LANES) - centre;
            sums[i] += difference;
            squares[i] = v_fma(difference, difference, squares[i]);
        }
    }
    for (; count > 0; x += LANES, count -= count < LANES ? count : LANES) {
        vector difference = v_first(v_load_first(x, count) - centre, count);
        sums[0] += difference;
        squares[0] = v_fma(difference, difference, squares[0]);
    }
    *first = v_sum(sums[0] + sums[1]);
    *second = v_sum(squares[0] + squares[1]);
}

/* The first pass finds a mean that is right to within rounding, the second what is missing from it. So a mean
 * far from zero costs no digits. */
VECTOR_CODE static void layer_norm(const float *x, const float *gain, const float *shift, float epsilon,
                                   size_t count, float *out, float statistics[2]) {
    float mean = sum_of(x, count) / (float)count, rest, squares;
    moments_of(x, count, v_spread(mean), &rest, &squares);
    rest /= (float)count;
    float deviation = sqrtf(squares / (float)count - rest * rest + epsilon);
    vector centre = v_spread(mean), missing = v_spread(rest), scale = v_spread(1 / deviation);
    size_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        vector normal = (v_load(x + i) - centre - missing) * scale;
        v_store(out + i, v_fma(normal, v_load(gain + i), v_load(shift + i)));
    }
    if (i < count) {
        size_t left = count - i;
        vector normal = (v_load_first(x + i, left) - centre - missing) * scale;
        v_store_first(out + i, v_fma(normal, v_load_first(gain + i, left), v_load_first(shift + i, left)),
                      left);
    }
    statistics[0] = mean + rest;
    statistics[1] = deviation;
}
