/* The colour map, computed: a cubic Bezier curve in OKLab (Ottosson 2020, "A perceptual color space for image
 * processing"), walked at constant speed.
 *
 * Distances in OKLab are distances for the eye, so equal steps of heat look equally large. A Bezier curve's
 * lightness rises all the way when that of its control points does, so the order of values can be read from
 * lightness alone: in gray print, and whatever colours a reader cannot tell apart. Knows nothing of heat. */
#include "core/report/colormap.h"

#include <math.h>
#include <stddef.h>

enum { CURVE_POINTS = 4096 };

typedef struct oklab {
    double lightness, a, b;
} oklab;

static const oklab controls[4] = {
    {0.18, 0.016, -0.089},
    {0.40, 0.172, -0.246},
    {0.66, 0.178, 0.161},
    {0.96, -0.023, 0.128},
};

static oklab curve(double t) {
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

static double distance(oklab p, oklab q) {
    double lightness = p.lightness - q.lightness, a = p.a - q.a, b = p.b - q.b;
    return sqrt(lightness * lightness + a * a + b * b);
}

/* A linear light intensity as an sRGB byte (IEC 61966-2-1). */
static uint8_t srgb_byte(double linear) {
    double x = fmin(fmax(linear, 0), 1);
    x = x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055;
    return (uint8_t)lround(255 * x);
}

static void to_srgb(oklab color, uint8_t rgb[3]) {
    double l = color.lightness + 0.3963377774 * color.a + 0.2158037573 * color.b;
    double m = color.lightness - 0.1055613458 * color.a - 0.0638541728 * color.b;
    double s = color.lightness - 0.0894841775 * color.a - 1.2914855480 * color.b;
    l = l * l * l, m = m * m * m, s = s * s * s;
    rgb[0] = srgb_byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    rgb[1] = srgb_byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    rgb[2] = srgb_byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}

static double curve_length(void) {
    double length = 0;
    for (int i = 1; i <= CURVE_POINTS; i++) {
        length += distance(curve((i - 1.0) / CURVE_POINTS), curve((double)i / CURVE_POINTS));
    }
    return length;
}

void colormap_make(colormap *map) {
    double step = curve_length() / (COLORMAP_STEPS - 1);
    double walked = 0;
    int point = 0;
    for (int i = 0; i < COLORMAP_STEPS; i++) {
        for (; walked < i * step && point < CURVE_POINTS; point++) {
            walked += distance(curve((double)point / CURVE_POINTS), curve((point + 1.0) / CURVE_POINTS));
        }
        to_srgb(curve((double)point / CURVE_POINTS), map->rgb[i]);
    }
}

const uint8_t *colormap_at(const colormap *map, double value) {
    double inside = fmin(fmax(value, 0), 1);
    return map->rgb[lround(inside * (COLORMAP_STEPS - 1))];
}
