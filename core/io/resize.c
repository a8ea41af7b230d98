/* Bicubic (Keys 1981, a = -0.5) and bilinear resizing, widened by the scale when an image shrinks, so that
 * every source pixel counts; and the nearest pixel. Pillow's arithmetic to the last bit, since a model's
 * pixels must be those that it was trained with: weights in double precision, rounded to 22 fraction bits,
 * one pass along the rows and one along the columns, each rounded to bytes. An axis that keeps its length
 * needs no special case: its weights are 0 and 1. */
#include "core/io/resize.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRACTION_BITS = 22,
    ONE = 1 << FRACTION_BITS,
    HALF = ONE / 2,
    CHANNELS = 3,
    SPAN = 256 /* columns summed up at once */
};

/* A filter, 0 from `support` on. */
typedef struct filter {
    double (*weight)(double x);
    double support;
} filter;

/* For each wanted output pixel: the first source pixel, how many, and their weights. */
typedef struct kernel {
    size_t room; /* weights kept for each pixel */
    size_t *first, *taps;
    int32_t *weights; /* pixels x room */
} kernel;

static double bicubic(double x) {
    const double a = -0.5;
    x = fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static double triangle(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static int32_t fixed_point(double weight) {
    return (int32_t)(weight < 0 ? weight * ONE - 0.5 : weight * ONE + 0.5);
}

static size_t clip_index(double index, size_t limit) {
    if (index < 0) return 0;
    return index > (double)limit ? limit : (size_t)index;
}

/* The weights of output pixel `to`; `exact` is room for them before rounding. */
static void fill_pixel(kernel *k, size_t pixel, size_t to, resize_axis axis, const filter *by,
                       double *exact) {
    double scale = (double)axis.from / (double)axis.to, widening = fmax(scale, 1);
    double centre = ((double)to + 0.5) * scale, support = by->support * widening, inverse = 1 / widening;
    size_t first = clip_index(centre - support + 0.5, axis.from);
    size_t taps = clip_index(centre + support + 0.5, axis.from) - first;
    double sum = 0;
    for (size_t i = 0; i < taps; ++i) {
        exact[i] = by->weight(((double)(i + first) - centre + 0.5) * inverse);
        sum += exact[i];
    }
    for (size_t i = 0; i < taps; ++i) k->weights[pixel * k->room + i] = fixed_point(exact[i] / sum);
    k->first[pixel] = first;
    k->taps[pixel] = taps;
}

static void free_kernel(kernel *k) {
    free(k->first);
    free(k->taps);
    free(k->weights);
}

static hl_status make_kernel(resize_axis axis, const filter *by, kernel *out, hl_error *error) {
    double support = by->support * fmax((double)axis.from / (double)axis.to, 1);
    size_t room = (size_t)ceil(support) * 2 + 1, total;
    kernel k = {.room = room < axis.from ? room : axis.from};
    if (__builtin_mul_overflow(axis.count, k.room, &total)) total = SIZE_MAX / sizeof *k.weights;
    k.first = calloc(axis.count, sizeof *k.first);
    k.taps = calloc(axis.count, sizeof *k.taps);
    k.weights = calloc(total, sizeof *k.weights);
    double *exact = calloc(k.room, sizeof *exact);
    bool complete = k.first && k.taps && k.weights && exact;
    for (size_t i = 0; complete && i < axis.count; ++i) fill_pixel(&k, i, axis.first + i, axis, by, exact);
    free(exact);
    if (!complete) {
        free_kernel(&k);
        return hl_no_memory(error, "the weights to resize an image");
    }
    *out = k;
    return HL_OK;
}

static uint8_t to_byte(int32_t sum) {
    int32_t value = sum >> FRACTION_BITS;
    return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value);
}

/* One row of the source -> one row of `count` pixels. */
static void resize_row(const uint8_t *row, const kernel *k, size_t count, uint8_t *out) {
    for (size_t x = 0; x < count; ++x) {
        const uint8_t *from = row + k->first[x] * CHANNELS;
        const int32_t *weights = k->weights + x * k->room;
        int32_t red = HALF, green = HALF, blue = HALF;
        for (size_t i = 0; i < k->taps[x]; ++i) {
            red += weights[i] * from[i * CHANNELS];
            green += weights[i] * from[i * CHANNELS + 1];
            blue += weights[i] * from[i * CHANNELS + 2];
        }
        out[x * CHANNELS] = to_byte(red);
        out[x * CHANNELS + 1] = to_byte(green);
        out[x * CHANNELS + 2] = to_byte(blue);
    }
}

/* The weighted sum of `taps` rows of `bytes` bytes. */
static void mix_rows(const uint8_t *rows, size_t bytes, const int32_t *weights, size_t taps, uint8_t *out) {
    for (size_t start = 0; start < bytes; start += SPAN) {
        size_t span = bytes - start < SPAN ? bytes - start : SPAN;
        int32_t sums[SPAN];
        for (size_t x = 0; x < span; ++x) sums[x] = HALF;
        for (size_t i = 0; i < taps; ++i) {
            const uint8_t *row = rows + i * bytes + start;
            for (size_t x = 0; x < span; ++x) sums[x] += weights[i] * row[x];
        }
        for (size_t x = 0; x < span; ++x) out[start + x] = to_byte(sums[x]);
    }
}

/* Both passes; the first one only over the rows that the second one reads. */
static hl_status resize_with(const uint8_t *rgb, resize_axis across, resize_axis down, const kernel *columns,
                             const kernel *rows, uint8_t *out, hl_error *error) {
    size_t first = rows->first[0], last = rows->first[down.count - 1] + rows->taps[down.count - 1];
    size_t bytes = across.count * CHANNELS;
    uint8_t *narrowed = calloc(last - first, bytes);
    if (!narrowed) return hl_no_memory(error, "the rows of an image");
    for (size_t y = first; y < last; ++y) {
        resize_row(rgb + y * across.from * CHANNELS, columns, across.count, narrowed + (y - first) * bytes);
    }
    for (size_t y = 0; y < down.count; ++y) {
        mix_rows(narrowed + (rows->first[y] - first) * bytes, bytes, rows->weights + y * rows->room,
                 rows->taps[y], out + y * bytes);
    }
    free(narrowed);
    return HL_OK;
}

static hl_status resize_filtered(const uint8_t *rgb, resize_axis across, resize_axis down, const filter *by,
                                 uint8_t *out, hl_error *error) {
    kernel columns, rows;
    hl_status status = make_kernel(across, by, &columns, error);
    if (status != HL_OK) return status;
    status = make_kernel(down, by, &rows, error);
    if (status == HL_OK) {
        status = resize_with(rgb, across, down, &columns, &rows, out, error);
        free_kernel(&rows);
    }
    free_kernel(&columns);
    return status;
}

/* The source pixels under the middles of the wanted ones. Pillow adds up the steps, and so do the roundings.
 */
static size_t *nearest_pixels(resize_axis axis) {
    size_t *out = calloc(axis.count, sizeof *out);
    double step = (double)axis.from / (double)axis.to, at = step * 0.5;
    for (size_t i = 0; out && i < axis.first + axis.count; ++i, at += step) {
        if (i >= axis.first) out[i - axis.first] = clip_index(at, axis.from - 1);
    }
    return out;
}

static hl_status resize_nearest(const uint8_t *rgb, resize_axis across, resize_axis down, uint8_t *out,
                                hl_error *error) {
    size_t *columns = nearest_pixels(across), *rows = nearest_pixels(down);
    bool complete = columns && rows;
    for (size_t y = 0; complete && y < down.count; ++y) {
        for (size_t x = 0; x < across.count; ++x, out += CHANNELS) {
            memcpy(out, rgb + (rows[y] * across.from + columns[x]) * CHANNELS, CHANNELS);
        }
    }
    free(columns);
    free(rows);
    return complete ? HL_OK : hl_no_memory(error, "the rows of an image");
}

hl_status resize_pixels(const uint8_t *rgb, resize_axis across, resize_axis down, hl_interpolation with,
                        uint8_t *out, hl_error *error) {
    static const filter cubic = {bicubic, 2}, linear = {triangle, 1};
    if (with == HL_NEAREST) return resize_nearest(rgb, across, down, out, error);
    return resize_filtered(rgb, across, down, with == HL_BILINEAR ? &linear : &cubic, out, error);
}
