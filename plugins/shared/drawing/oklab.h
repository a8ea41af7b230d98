/* Colours by how they look: OKLab (Ottosson 2020, "A perceptual color space for image processing"), in which
 * distances are distances for the eye. */
#ifndef OKLAB_H
#define OKLAB_H

#include <stdint.h>

typedef struct oklab {
    double lightness, a, b;
} oklab;

double oklab_distance(oklab p, oklab q);

/* The nearest sRGB bytes; what no screen can show is cut off channel by channel. */
void oklab_to_srgb(oklab color, uint8_t rgb[3]);

#endif
