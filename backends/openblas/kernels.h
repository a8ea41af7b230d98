/* What a transformer does between its products, on one row at a time, in f32 and with vectors. Knows neither
 * matrices nor threads. */
#ifndef OPENBLAS_KERNELS_H
#define OPENBLAS_KERNELS_H

#include "headlight/compute.h"

/* x = exp(x - max x) / sum */
void softmax_row(float *x, size_t count);

/* x = act(x); nothing for HL_IDENTITY */
void activate_row(hl_activation activation, float *x, size_t count);

/* out = bias + residual; either may be NULL and then counts as zeros; residual may be out. */
void start_row(const float *bias, const float *residual, float *out, size_t count);

/* out += x */
void add_row(const float *x, float *out, size_t count);

/* out = a * b; out may be a. */
void multiply_row(const float *a, const float *b, float *out, size_t count);

/* x *= factor */
void scale_row(float factor, float *x, size_t count);

/* The pairs of one head in place: (a, b) -> (a c - b s, b c + a s). `pairs` numbers of c and s. */
void rotate_neighbours(float *x, const float *cosines, const float *sines, size_t pairs);
void rotate_halves(float *x, const float *cosines, const float *sines, size_t pairs);

/* out = (x - mean) / deviation * gain + shift; out may be x. statistics, unless NULL, gets mean and
 * deviation = sqrt(variance + epsilon). */
void layer_norm_row(const float *x, size_t count, const float *gain, const float *shift, float epsilon,
                    float *out, float *statistics);

#endif
