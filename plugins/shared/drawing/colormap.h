/* From a number between 0 and 1 to a colour, and colours for things that have no order. */
#ifndef COLORMAP_H
#define COLORMAP_H

#include "oklab.h"
#include <stddef.h>
#include <stdint.h>

enum { COLORMAP_STEPS = 256 };

typedef struct colormap {
    uint8_t rgb[COLORMAP_STEPS][3];
} colormap;

/* For amounts: dark violet over rose to pale yellow. */
void colormap_make(colormap *map);

/* For differences: the middle is a dark gray, the same way up to light blue at 0 and to light orange at 1. */
void colormap_make_diverging(colormap *map);

/* The colour of `value`; what lies below 0 or above 1 gets the colour of that end. */
const uint8_t *colormap_at(const colormap *map, double value);

/* Colour number `index` of `count` that differ in hue alone: none is lighter or stronger than another. */
void colormap_category(size_t index, size_t count, double lightness, double chroma, uint8_t rgb[3]);

#endif
