/* An axis of a chart: numbers to places, ticks at round numbers, how these are written. Draws nothing. */
#ifndef AXIS_H
#define AXIS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct axis {
    double low, high; /* its ends: multiples of the step */
    double step;
    size_t ticks; /* low, low + step, ... high */
} axis;

/* Around the finite numbers low <= high, with some `want` steps. */
axis axis_make(double low, double high, int want);

/* Where a number lies, 0 at the low end, 1 at the high end; beyond the ends also beyond 0 and 1. */
double axis_place(const axis *self, double value);

double axis_tick(const axis *self, size_t index);

enum { AXIS_LABEL = 48 };

/* A tick as it is written, "0.25", "150M", "2e-5"; all ticks of an axis alike. */
void axis_label(const axis *self, size_t index, char out[AXIS_LABEL]);

#endif
