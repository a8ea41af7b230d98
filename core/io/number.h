/* Numbers in text, whatever the program's locale calls the decimal point. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole of `text` as a decimal number with or without a sign, digits on at least one side of the point
 * and, for a real number, an exponent: what the core schema of YAML 1.2 takes. False when it is none, or too
 * large. */
bool number_whole(const char *text, int64_t *out);
bool number_real(const char *text, double *out);

/* Writes a number with as many significant digits as it needs, at most `digits`. */
void number_print(double number, int digits, char *out, size_t size);

#endif
