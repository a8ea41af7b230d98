/* OKLab and sRGB, nothing else. */
#include "oklab.h"

#include <math.h>

double oklab_distance(oklab p, oklab q) {
    double lightness = p.lightness - q.lightness, a = p.a - q.a, b = p.b - q.b;
    return sqrt(lightness * lightness + a * a + b * b);
}

/* A linear light intensity as an sRGB byte (IEC 61966-2-1). */
static uint8_t srgb_byte(double linear) {
    double x = fmin(fmax(linear, 0), 1);
    x = x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055;
    return (uint8_t)lround(255 * x);
}

void oklab_to_srgb(oklab color, uint8_t rgb[3]) {
    double l = color.lightness + 0.3963377774 * color.a + 0.2158037573 * color.b;
    double m = color.lightness - 0.1055613458 * color.a - 0.0638541728 * color.b;
    double s = color.lightness - 0.0894841775 * color.a - 1.2914855480 * color.b;
    l = l * l * l, m = m * m * m, s = s * s * s;
    rgb[0] = srgb_byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s);
    rgb[1] = srgb_byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s);
    rgb[2] = srgb_byte(-0.0041960863 * l - 0.7034186147 * m + 1.7076147010 * s);
}
