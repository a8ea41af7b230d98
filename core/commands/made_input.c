/* See made_input.h. */
#include "core/commands/made_input.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

/* A generator's state from a number; neighbours of it do not begin alike. */
static uint64_t begin(size_t number) {
    return (uint64_t)number * 0x9e3779b97f4a7c15u + 0x632be59bd9b4e019u;
}

/* From 0 to below 1 (splitmix64). */
static double next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

typedef struct wave {
    double down, across, phase; /* radians a picture, and at its corner */
    double colour[3];
} wave;

static wave make_wave(uint64_t *state) {
    static const double turn = 6.283185307179586, longest = 40;
    double direction = turn * next(state), length = turn * pow(longest, next(state));
    wave out = {sin(direction) * length, cos(direction) * length, turn * next(state), {0}};
    for (int plane = 0; plane < 3; ++plane) out.colour[plane] = 2 * next(state) - 1;
    return out;
}

void made_image(size_t number, size_t height, size_t width, float *pixels) {
    enum { WAVES = 6 };
    uint64_t state = begin(number);
    wave waves[WAVES];
    for (int i = 0; i < WAVES; ++i) waves[i] = make_wave(&state);
    for (size_t row = 0; row < height; ++row) {
        for (size_t column = 0; column < width; ++column) {
            double sums[3] = {0}, y = (double)row / (double)height, x = (double)column / (double)width;
            for (int i = 0; i < WAVES; ++i) {
                double value = sin(waves[i].down * y + waves[i].across * x + waves[i].phase);
                for (int plane = 0; plane < 3; ++plane) sums[plane] += value * waves[i].colour[plane];
            }
            for (size_t plane = 0; plane < 3; ++plane) {
                pixels[(plane * height + row) * width + column] = (float)sums[plane];
            }
        }
    }
}

void made_text(size_t number, char out[MADE_TEXT]) {
    static const char *const words[] = {"a",      "the",    "two",   "red",    "small", "old",   "photo",
                                        "of",     "dog",    "house", "with",   "blue",  "on",    "table",
                                        "street", "night",  "green", "person", "water", "under", "white",
                                        "bright", "window", "three", "birds",  "near",  "tree",  "wooden"};
    enum { WORDS = sizeof words / sizeof *words };
    uint64_t state = begin(number);
    size_t count = 3 + (size_t)(7 * next(&state)), used = 0;
    for (size_t i = 0; i < count; ++i) {
        const char *word = words[(size_t)(WORDS * next(&state))];
        if (i > 0) out[used++] = ' ';
        strcpy(out + used, word);
        used += strlen(word);
    }
}
