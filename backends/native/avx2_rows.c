/* Functions on rows with AVX2. */
#if defined __x86_64__

#include "vector_avx2.h"

#include "elementary.h"

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

#include "rows_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx2;
}

const row_kernel avx2_rows = {
    .name = "avx2",
    .runs_on = runs_on,
    .activate = activate,
    .layer_norm = layer_norm,
};

#endif
