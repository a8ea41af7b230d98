/* Colours of a chart's series, and of numbers in a table's or a map's cells, on paper and on a dark ground.
 */
#ifndef SERIES_H
#define SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    SERIES_COLORS = 8,
    LEVELS = 33 /* of a cell: odd, so that a difference has a middle */
};

/* Of series number `index`, beyond the last from the first on again. Whoever sees no red, no green or no blue
 * can tell any two of them apart. */
void series_color(size_t index, bool dark, uint8_t rgb[3]);

/* Of level `level` of an amount, or of a difference whose middle is zero: little is as the ground, much
 * stands out. */
void level_color(size_t level, bool is_signed, bool dark, uint8_t rgb[3]);

/* The level of `place`, 0 to 1. */
size_t level_at(double place);

#endif
