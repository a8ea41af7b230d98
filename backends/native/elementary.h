/* Elementary functions on vectors; include vector_avx512.h or vector_avx2.h before. The polynomials are
 * minimax fits of the relative error, made for this file; NaN stays NaN. */
#ifndef ELEMENTARY_H
#define ELEMENTARY_H

#define LOG2_E 1.44269504f

/* 2^f for f in [0, 1]: relative error 7.5e-8, and 7.5e-5. */
VECTOR_INLINED vector v_power_of_fraction_f32(vector f) {
    vector p = v_spread(1.87757594e-3f);
    p = v_fma(p, f, v_spread(8.98934187e-3f));
    p = v_fma(p, f, v_spread(5.58263166e-2f));
    p = v_fma(p, f, v_spread(2.40153618e-1f));
    p = v_fma(p, f, v_spread(6.93153073e-1f));
    return v_fma(p, f, v_spread(0.999999925f));
}

VECTOR_INLINED vector v_power_of_fraction_bf16(vector f) {
    vector p = v_spread(7.80244585e-2f);
    p = v_fma(p, f, v_spread(2.26067247e-1f));
    p = v_fma(p, f, v_spread(6.95833509e-1f));
    return v_fma(p, f, v_spread(0.99992522f));
}

/* 1 / (1 + exp(-x)), above 1e-38. */
VECTOR_INLINED vector v_sigmoid(vector x) {
    vector power = v_larger(v_spread(-126), v_smaller(v_spread(126), x * v_spread(-LOG2_E)));
    return v_inverse(v_spread(1) + v_times_power(v_power_of_fraction_f32(v_fraction(power)), power));
}

/* x / (1 + exp(-2 y)) is x / 2 (1 + tanh(y)). */
VECTOR_INLINED vector v_gelu_tanh(vector x) {
    vector y = v_spread(1.59576912f) * v_fma(v_spread(0.044715f), x * x * x, x);
    return x * v_sigmoid(y);
}

#endif
