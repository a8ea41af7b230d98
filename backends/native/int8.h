/* Rows as int8, alike in every kernel: number = scale * q, q in [-127, 127], the largest of a row at an end.
 * So sums of products of q, which are whole, are the same whoever adds them. */
#ifndef INT8_H
#define INT8_H

#include <stdint.h>
#include <string.h>

/* A row has a scale for each so many numbers. */
enum { INT8_DEPTH = 1024 };

/* `largest`: of the bits of all |x|, which order as the numbers do, with NaN above all. What is too small to
 * be divided by counts as zero; a row with NaN or infinity becomes NaN, by its scale. */
static inline float int8_scale(uint32_t largest, float *inverse) {
    float most;
    memcpy(&most, &largest, sizeof most);
    float scale = most < 1e-35f ? 0 : most / 127;
    *inverse = scale > 0 ? 1 / scale : 0;
    return most <= 3.4e38f ? scale : most - most; /* NaN */
}

/* A product's number from its sum. */
static inline float int8_product(int32_t sum, float row_scale, float weight_scale) {
    return (float)sum * (row_scale * weight_scale);
}

#endif
