/* See axis.h. Differences are taken of halves, so that numbers as large as a double holds have a place too.
 */
#include "axis.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* The smallest of 1, 2, 5 and their multiples of ten that is not below. */
static double round_step(double least) {
    static const double steps[] = {1, 2, 5, 10};
    double power = pow(10, floor(log10(least)));
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        if (steps[i] * power >= least * (1 - 1e-9)) return steps[i] * power;
    }
    return 10 * power;
}

/* Numbers that a double cannot tell apart in its last places, or hardly from zero, are one number. */
static bool is_point(double low, double high) {
    double half = high / 2 - low / 2;
    return half <= 8 * DBL_EPSILON * fmax(fabs(low), fabs(high)) || half < DBL_MIN / DBL_EPSILON;
}

static void widen(double *low, double *high) {
    static const double around = 0.1;
    double by = fmax(fabs(*low), fabs(*high)) * around;
    if (by < DBL_MIN / DBL_EPSILON) by = 1;
    *low = fmax(*low - by, -DBL_MAX / 2);
    *high = fmin(*high + by, DBL_MAX / 2);
}

axis axis_make(double low, double high, int want) {
    static const double most = DBL_MAX / 16; /* so that ends can be rounded outwards */
    low = fmin(fmax(low, -most), most), high = fmin(fmax(high, -most), most);
    if (is_point(low, high)) widen(&low, &high);
    axis made = {.step = round_step((high - low) / want)};
    double first = floor(low / made.step + 1e-9), last = ceil(high / made.step - 1e-9);
    if (last <= first) last = first + 1;
    made.low = first * made.step;
    made.high = last * made.step;
    made.ticks = (size_t)(last - first) + 1;
    return made;
}

double axis_place(const axis *self, double value) {
    return (value / 2 - self->low / 2) / (self->high / 2 - self->low / 2);
}

double axis_tick(const axis *self, size_t index) {
    double tick = self->low + (double)index * self->step;
    return fabs(tick) < self->step / 2 ? 0 : tick;
}

static int exponent_of(double number) {
    return number > 0 ? (int)floor(log10(number) + 1e-9) : 0;
}

/* Not below zero; `room` bytes. */
static void write_label(const axis *self, double tick, char *out, size_t room) {
    static const char units[] = " kMGT";
    enum { LONG = 5, LONGER = 15, SHORT = -4 };
    int largest = exponent_of(fmax(fabs(self->low), fabs(self->high))), finest = exponent_of(self->step);
    if (tick == 0 && (largest >= LONG || finest < SHORT)) {
        snprintf(out, room, "0");
    } else if (largest >= LONGER || finest < SHORT) {
        int power = exponent_of(tick);
        snprintf(out, room, "%.*fe%d", power > finest ? power - finest : 0, tick / pow(10, power), power);
    } else {
        int unit = largest >= LONG ? largest / 3 : 0, decimals = 3 * unit - finest;
        snprintf(out, room, "%.*f", decimals > 0 ? decimals : 0, tick / pow(10, 3 * unit));
        if (unit) snprintf(out + strlen(out), room - strlen(out), "%c", units[unit]);
    }
}

/* The minus sign is as wide as a digit, a hyphen is not. */
void axis_label(const axis *self, size_t index, char out[AXIS_LABEL]) {
    static const char minus[] = "\xe2\x88\x92";
    double tick = axis_tick(self, index);
    size_t length = tick < 0 ? strlen(minus) : 0;
    memcpy(out, minus, length);
    write_label(self, fabs(tick), out + length, AXIS_LABEL - length);
}
