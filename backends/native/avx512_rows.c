/* Functions on rows with AVX-512. */
#if defined __x86_64__

#include "vector_avx512.h"

/* The normal distribution's tail beyond a number near i / 4, for i from 0 to 31, as a polynomial in the
 * distance from there: minimax fits of the relative error, made for this file. Coefficients of one power
 * together. */
enum { DEGREE = 4, PLACES = 2 * LANES };
static const float tails[DEGREE + 1][PLACES] = {
    {0.5f,
     0.401293665f,
     0.308537543f,
     0.22662735f,
     0.158655256f,
     0.105649777f,
     0.066807203f,
     0.0400591604f,
     0.0227501336f,
     0.0122244731f,
     0.00620966498f,
     0.00297976239f,
     0.00134989724f,
     0.000577024359f,
     0.000232628619f,
     8.84170004e-05f,
     3.16710866e-05f,
     1.06884472e-05f,
     3.39763687e-06f,
     1.01706792e-06f,
     2.86645616e-07f,
     7.60474634e-08f,
     1.89888496e-08f,
     4.46195259e-09f,
     9.8652464e-10f,
     2.05209585e-10f,
     4.01558578e-11f,
     7.39130111e-12f,
     1.27960706e-12f,
     2.08344653e-13f,
     3.19012259e-14f,
     4.59328603e-15f},
    {-0.398941517f,    -0.38666746f,     -0.352064967f,    -0.301137447f,    -0.241971031f,
     -0.182649538f,    -0.129518032f,    -0.0862776414f,   -0.0539911352f,   -0.0317396857f,
     -0.0175282527f,   -0.00909348112f,  -0.00443176785f,  -0.00202898541f,  -0.000872641045f,
     -0.000352571224f, -0.000133817302f, -4.77124413e-05f, -1.59810224e-05f, -5.02841112e-06f,
     -1.48631182e-06f, -4.12706925e-07f, -1.07652951e-07f, -2.63792312e-08f, -6.07225648e-09f,
     -1.31307498e-09f, -2.66735106e-10f, -5.09004644e-11f, -9.12460558e-12f, -1.5365864e-12f,
     -2.43080567e-13f, -3.61238275e-14f},
    {9.68359018e-07f, 0.0483341254f,   0.088016361f,    0.112926006f,    0.120984219f,    0.114154309f,
     0.0971369445f,   0.075491786f,    0.0539905876f,   0.0357071571f,   0.0219107047f,   0.0125040868f,
     0.00664819079f,  0.00329753291f,  0.00152742106f,  0.00066125521f,  0.000267736701f, 0.000101440353f,
     3.59809856e-05f, 1.19524957e-05f, 3.71968576e-06f, 1.08476252e-06f, 2.96514628e-07f, 7.59852767e-08f,
     1.8258385e-08f,  4.11446299e-09f, 8.69645689e-10f, 1.72426365e-10f, 3.20734238e-11f, 5.5977098e-12f,
     9.16722536e-13f, 1.40884483e-13f},
    {0.0662960783f,    0.0602518618f,    0.0439187959f,    0.0219603144f,    7.81641502e-05f,
     -0.017007187f,    -0.0268689524f,   -0.0295741614f,   -0.026951775f,    -0.021481324f,
     -0.0153499888f,   -0.00996763911f,  -0.00593040651f,  -0.00325040356f,  -0.00164736889f,
     -0.000774174288f, -0.00033804882f,  -0.000137375042f, -5.20204158e-05f, -1.83747034e-05f,
     -6.05912783e-06f, -1.86656939e-06f, -5.37495907e-07f, -1.44749691e-07f, -3.64716257e-08f,
     -8.60094218e-09f, -1.89901339e-09f, -3.92664457e-10f, -7.6055863e-11f,  -1.38024158e-11f,
     -2.34731917e-12f, -3.74160799e-13f},
    {-6.19720959e-05f, -0.0118424976f,  -0.0201272909f,  -0.022858467f,   -0.0200612433f,  -0.0135785276f,
     -0.00600047223f,  0.000429727865f, 0.00450394442f,  0.00611944171f,  0.00590536837f,  0.00472403318f,
     0.00329857785f,   0.00205946132f,  0.00116524589f,  0.000602471351f, 0.000286242488f, 0.000125466147f,
     5.08838966e-05f,  1.91364561e-05f, 6.68538542e-06f, 2.17260299e-06f, 6.57530961e-07f, 1.85499076e-07f,
     4.88201017e-08f,  1.1994346e-08f,  2.75247425e-09f, 5.90272775e-10f, 1.18345361e-10f, 2.21912506e-11f,
     3.89303477e-12f,  6.39143252e-13f},
};

/* The tail beyond `a` in [0, 7.75], within 3e-8. What is looked up is a permutation of two registers. */
VECTOR_INLINED vector normal_tail(vector a) {
    const vector rounder =
        v_spread(3145728); /* 1.5 * 2^21: adding it leaves the nearest place in the low bits */
    vector shifted = a + rounder, distance = a - (shifted - rounder), tail = v_spread(0);
#pragma GCC unroll 8
    for (int power = DEGREE; power >= 0; --power) {
        vector c = _mm512_permutex2var_ps(v_load(tails[power]), _mm512_castps_si512(shifted),
                                          v_load(tails[power] + LANES));
        tail = v_fma(tail, distance, c);
    }
    return tail;
}

/* x Phi(x) */
VECTOR_INLINED vector v_gelu(vector x) {
    vector a = v_smaller(v_spread(7.75f), v_absolute(x));
    return v_fma(-a, normal_tail(a), v_larger(v_spread(0), x));
}

#include "rows_vectors.h"

static bool runs_on(const processor *machine) {
    return machine->avx512;
}

const row_kernel avx512_rows = {
    .name = "avx512",
    .runs_on = runs_on,
    .activate = activate,
    .layer_norm = layer_norm,
};

#endif
