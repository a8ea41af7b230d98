/* Elementary functions on vectors; include vector_avx512.h or vector_avx2.h before. The polynomials are
 * minimax fits of the relative error, made for this file; NaN stays NaN. */
#ifndef ELEMENTARY_H
#define ELEMENTARY_H

#define LOG2_E 1.44269504f

/* 2^f for f in [0, 1]: relative error 2e-9 before rounding. */
VECTOR_INLINED vector v_power_of_fraction(vector f) {
    vector p = v_spread(2.17022492e-4f);
    p = v_fma(p, f, v_spread(1.24396897e-3f));
    p = v_fma(p, f, v_spread(9.6788408e-3f));
    p = v_fma(p, f, v_spread(5.54833421e-2f));
    p = v_fma(p, f, v_spread(2.40229836e-1f));
    p = v_fma(p, f, v_spread(6.93146984e-1f));
    return v_fma(p, f, v_spread(1));
}

/* The same within 7.5e-8, and within 7.5e-5. */
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

/* exp(x + rest), rest being tiny, for x up to 87; below -87 it stays there. The product x log2(e) is taken
 * exactly, in two parts. */
VECTOR_INLINED vector v_exp_sum(vector x, vector rest) {
    const vector log2_e = v_spread(LOG2_E), log2_e_rest = v_spread(1.92596299e-8f);
    x = v_larger(v_spread(-87), x);
    vector power = x * log2_e;
    vector low = v_fma(x, log2_e_rest, v_fma(x, log2_e, -power));
    vector f = v_fraction(power) + v_fma(rest, log2_e, low);
    return v_times_power(v_power_of_fraction(f), power);
}

/* 1 / (1 + exp(-x)), above 1e-38. */
VECTOR_INLINED vector v_sigmoid(vector x) {
    vector power = v_exp_sum(v_smaller(v_spread(87), -x), v_spread(0));
    return v_inverse(v_spread(1) + power);
}

/* x Phi(x). The normal distribution's tail beyond a = |x| is exp(-a^2 / 2) times what a polynomial in
 * 3 / (3 + a) tells within 2e-8 up to a = 15; so it is right to its last digits where it is small, too. */
VECTOR_INLINED vector v_gelu(vector x) {
    vector a = v_smaller(v_spread(15), v_absolute(x));
    vector t = v_spread(3) * v_inverse(v_spread(3) + a);
    vector p = v_spread(-2.69704283e-2f);
    p = v_fma(p, t, v_spread(1.50680124e-1f));
    p = v_fma(p, t, v_spread(-3.16652728e-1f));
    p = v_fma(p, t, v_spread(2.73812538e-1f));
    p = v_fma(p, t, v_spread(-9.43143815e-2f));
    p = v_fma(p, t, v_spread(1.39424118e-1f));
    p = v_fma(p, t, v_spread(1.06498559e-1f));
    p = v_fma(p, t, v_spread(1.34676146e-1f));
    p = v_fma(p, t, v_spread(1.32841076e-1f));
    p = v_fma(p, t, v_spread(4.98098042e-6f));
    vector half = v_spread(-0.5f) * a, square = half * a;
    vector tail = p * v_exp_sum(square, v_fma(half, a, -square));
    return x * v_by_sign(x, tail, v_spread(1) - tail);
}

/* x / (1 + exp(-2 y)) is x / 2 (1 + tanh(y)). */
VECTOR_INLINED vector v_gelu_tanh(vector x) {
    vector cube = x * x * x;
    vector y = v_spread(1.59576912f) * v_fma(v_spread(0.044715f), cube, x);
    return x * v_sigmoid(y);
}

#endif
