/* The colour maps, computed: cubic Bezier curves in OKLab, walked at constant speed.
 *
 * Equal steps of heat look equally large, because distances in OKLab are distances for the eye. A Bezier
 * curve's lightness rises all the way when that of its control points does, so the order of values can be
 * read from lightness alone: in gray print, and whatever colours a reader cannot tell apart. Of a difference
 * lightness is the amount; its sign is blue or orange, which nearly everybody can tell apart. Knows nothing
 * of heat. */
#include "colormap.h"

#include <math.h>

enum { CURVE_POINTS = 4096, HALF = COLORMAP_STEPS / 2 };

static const oklab amounts[4] = {
    {0.18, 0.016, -0.089},
    {0.40, 0.172, -0.246},
    {0.66, 0.178, 0.161},
    {0.96, -0.023, 0.128},
};

/* The middle is as dark as the lowest amount, so that under both maps a picture shows where heat is missing
 * in the same way. */
static const oklab less[4] = {
    {0.22, 0, 0},
    {0.40, -0.005, -0.09},
    {0.62, -0.05, -0.18},
    {0.86, -0.075, -0.075},
};
static const oklab more[4] = {
    {0.22, 0, 0},
    {0.40, 0.07, 0.06},
    {0.62, 0.13, 0.17},
    {0.86, 0.03, 0.15},
};

static oklab curve(const oklab controls[4], double t) {
    double s = 1 - t;
    double share[4] = {s * s * s, 3 * s * s * t, 3 * s * t * t, t * t * t};
    oklab at = {0, 0, 0};
    for (size_t i = 0; i < 4; i++) {
        at.lightness += share[i] * controls[i].lightness;
        at.a += share[i] * controls[i].a;
        at.b += share[i] * controls[i].b;
    }
    return at;
}

/* From point `point` of the curve to the next. */
static double stride(const oklab controls[4], int point) {
    return oklab_distance(curve(controls, (double)point / CURVE_POINTS),
                          curve(controls, (point + 1.0) / CURVE_POINTS));
}

/* `count` colours, equally far apart, from the curve's start to its end. */
static void walk(const oklab controls[4], int count, uint8_t rgb[][3]) {
    double length = 0, walked = 0;
    for (int i = 0; i < CURVE_POINTS; i++) length += stride(controls, i);
    int point = 0;
    for (int i = 0; i < count; i++) {
        for (; walked < i * length / (count - 1) && point < CURVE_POINTS; point++) {
            walked += stride(controls, point);
        }
        oklab_to_srgb(curve(controls, (double)point / CURVE_POINTS), rgb[i]);
    }
}

void colormap_make(colormap *map) {
    walk(amounts, COLORMAP_STEPS, map->rgb);
}

void colormap_make_diverging(colormap *map) {
    uint8_t down[HALF][3];
    walk(less, HALF, down);
    for (int i = 0; i < HALF; i++) {
        for (int k = 0; k < 3; k++) map->rgb[HALF - 1 - i][k] = down[i][k];
    }
    walk(more, HALF, map->rgb + HALF);
}

const uint8_t *colormap_at(const colormap *map, double value) {
    double inside = fmin(fmax(value, 0), 1);
    return map->rgb[(size_t)(inside * (COLORMAP_STEPS - 1) + 0.5)];
}

void colormap_category(size_t index, size_t count, double lightness, double chroma, uint8_t rgb[3]) {
    static const double first = 0.6; /* of the circle's 6.28: a red that is rather orange */
    double hue = first + 2 * M_PI * (double)index / (double)count;
    oklab_to_srgb((oklab){lightness, chroma * cos(hue), chroma * sin(hue)}, rgb);
}
