/* Products of bf16 over vectors of any width: see product_vectors.h. A word holds two numbers, the first in
 * its lower half; spread they are f32. */
enum { GROUP = 2 };

/* In the upper half of each word the nearest bf16, ties to even; NaN stays one. */
VECTOR_INLINED words nearest_bf16(vector x) {
    words bits = (words)x, none = (words)(x != x);
    words rounded = bits + 0x7fff + (bits >> 16 & 1);
    return (none & (bits | 0x400000)) | (~none & rounded);
}

VECTOR_INLINED vector narrow(const float *x, size_t count, float factor) {
    (void)factor;
    vector first = v_load_first(x, count), second = v_spread(0);
    if (count > LANES) second = v_load_first(x + LANES, count - LANES);
    return v_halves(nearest_bf16(first), nearest_bf16(second));
}

VECTOR_INLINED vector part_of(vector word, size_t part) {
    if (PARTS == 1) return word;
    return (vector)(part == 0 ? (words)word << 16 : (words)word & 0xffff0000u);
}

#include "sums_vectors.h"
