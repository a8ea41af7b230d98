/* The middle of some measurements, which one slow run does not move. */
#ifndef MEDIAN_H
#define MEDIAN_H

#include <stddef.h>

/* Sorts the numbers; of an even count, the mean of the two in the middle. count > 0. */
double median(double *numbers, size_t count);

#endif
