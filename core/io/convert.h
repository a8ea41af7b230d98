/* Stored numbers -> f32, and f32 -> f16. Stored numbers may lie at any address. */
#ifndef CONVERT_H
#define CONVERT_H

#include <stddef.h>
#include <stdint.h>

void convert_f16(const uint8_t *from, size_t count, float *out);  /* exact */
void convert_bf16(const uint8_t *from, size_t count, float *out); /* exact */
void convert_f64(const uint8_t *from, size_t count, float *out);  /* rounded to nearest */

/* Rounded to nearest, ties to even. Returns how many it converted: fewer than `count` when the next one is
 * beyond f16's range or no number. */
size_t convert_to_f16(const float *from, size_t count, uint8_t *out);

#endif
