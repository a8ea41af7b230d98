/* See series.h. The series' colours were searched in OKLab: the smallest distance between two of them, as
 * eyes with all cones and eyes without one kind of them see it, is 0.15 on paper and 0.13 on the dark ground;
 * the first few are furthest apart. Lightness of a cell is its amount in either case. */
#include "series.h"
#include "oklab.h"

#include <math.h>

typedef struct polar {
    double lightness, chroma, degrees;
} polar;

static void to_rgb(polar color, uint8_t rgb[3]) {
    double hue = color.degrees * M_PI / 180;
    oklab_to_srgb((oklab){color.lightness, color.chroma * cos(hue), color.chroma * sin(hue)}, rgb);
}

void series_color(size_t index, bool dark, uint8_t rgb[3]) {
    static const polar on_paper[SERIES_COLORS] = {
        {0.41, 0.20, 273}, {0.58, 0.16, 45}, {0.28, 0.10, 312}, {0.58, 0.09, 194},
        {0.46, 0.05, 7},   {0.71, 0.14, 85}, {0.70, 0.16, 242}, {0.33, 0.13, 28},
    };
    static const polar on_dark[SERIES_COLORS] = {
        {0.57, 0.18, 265}, {0.73, 0.16, 63}, {0.93, 0.04, 303}, {0.73, 0.04, 154},
        {0.62, 0.20, 351}, {0.84, 0.17, 92}, {0.79, 0.13, 230}, {0.57, 0.09, 60},
    };
    to_rgb((dark ? on_dark : on_paper)[index % SERIES_COLORS], rgb);
}

/* From the ground's side to the other, by the share of the way. */
static polar between(polar from, polar to, double share) {
    return (polar){from.lightness + share * (to.lightness - from.lightness),
                   from.chroma + share * (to.chroma - from.chroma),
                   from.degrees + share * (to.degrees - from.degrees)};
}

void level_color(size_t level, bool is_signed, bool dark, uint8_t rgb[3]) {
    static const polar paper = {0.965, 0.015, 280}, ink = {0.33, 0.17, 280};
    static const polar night = {0.25, 0.03, 280}, light = {0.90, 0.09, 250};
    static const polar less_paper = {0.97, 0, 255}, less_ink = {0.42, 0.16, 255};
    static const polar more_paper = {0.97, 0, 48}, more_ink = {0.50, 0.15, 40};
    static const polar less_night = {0.25, 0, 245}, less_light = {0.84, 0.11, 235};
    static const polar more_night = {0.25, 0, 55}, more_light = {0.86, 0.12, 75};
    double place = (double)level / (LEVELS - 1), away = fabs(2 * place - 1);
    if (!is_signed) {
        to_rgb(dark ? between(night, light, place) : between(paper, ink, place), rgb);
    } else if (place < 0.5) {
        to_rgb(dark ? between(less_night, less_light, away) : between(less_paper, less_ink, away), rgb);
    } else {
        to_rgb(dark ? between(more_night, more_light, away) : between(more_paper, more_ink, away), rgb);
    }
}

size_t level_at(double place) {
    return (size_t)lround(fmin(fmax(place, 0), 1) * (LEVELS - 1));
}
