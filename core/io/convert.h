/* Stored numbers -> f32. The sources may lie at any address. */
#ifndef CONVERT_H
#define CONVERT_H

#include <stddef.h>
#include <stdint.h>

void convert_f16(const uint8_t *from, size_t count, float *out);  /* exact */
void convert_bf16(const uint8_t *from, size_t count, float *out); /* exact */
void convert_f64(const uint8_t *from, size_t count, float *out);  /* rounded to nearest */

#endif
