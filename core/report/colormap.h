/* From a number between 0 and 1 to a colour: one sequential map, dark violet over rose to pale yellow. */
#ifndef COLORMAP_H
#define COLORMAP_H

#include <stdint.h>

enum { COLORMAP_STEPS = 256 };

typedef struct colormap {
    uint8_t rgb[COLORMAP_STEPS][3];
} colormap;

void colormap_make(colormap *map);

/* The colour of `value`; what lies below 0 or above 1 gets the colour of that end. */
const uint8_t *colormap_at(const colormap *map, double value);

#endif
