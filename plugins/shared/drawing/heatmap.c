/* Heat over pixels: enlarges the grid smoothly, colours it, blends it in, outlines what the model saw, or
 * cuts it at a threshold. Never knows what the heat means or where it came from.
 *
 * Enlarging has half-pixel centres and clamped edges: at the middle of a grid cell the picture shows exactly
 * the cell's value. For the eye it is cubic (Catmull-Rom: Keys 1981, a = -0.5), which shows no edges of cells
 * that are not in the data. For masks it is bilinear, as everybody measures segmentations who enlarges a heat
 * to the size of its image: a mask is then what such a measurement judges. */
#include "heatmap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One pixel's share of the grid along one axis: four neighbouring cells and their weights. */
typedef struct tap {
    bool inside; /* within the grid */
    size_t cell[4];
    double weight[4];
} tap;

/* The weights of the cells at -1, 0, 1 and 2 when the pixel lies at t in [0, 1). */
static void bilinear_weights(double t, double weight[4]) {
    weight[0] = weight[3] = 0;
    weight[1] = 1 - t;
    weight[2] = t;
}

static void cubic_weights(double t, double weight[4]) {
    weight[0] = ((-0.5 * t + 1) * t - 0.5) * t;
    weight[1] = (1.5 * t - 2.5) * t * t + 1;
    weight[2] = ((-1.5 * t + 2) * t + 0.5) * t;
    weight[3] = (0.5 * t - 0.5) * t * t;
}

static size_t clamp_cell(double cell, size_t cells) {
    if (cell < 0) return 0;
    return cell >= (double)cells ? cells - 1 : (size_t)cell;
}

typedef void kernel(double t, double weight[4]); /* either of the two */

/* The taps of `pixels` pixels when `cells` cells cover [start, start + length). NULL: no memory. */
static tap *make_taps(kernel *weights, size_t pixels, size_t cells, double start, double length) {
    tap *taps = calloc(pixels, sizeof *taps);
    for (size_t i = 0; taps && i < pixels; i++) {
        double middle = (double)i + 0.5 - start;
        taps[i].inside = middle >= 0 && middle < length;
        double at = middle / length * (double)cells - 0.5;
        for (int k = 0; k < 4; k++) {
            taps[i].cell[k] = clamp_cell(floor(at) - 1 + k, cells);
        }
        weights(at - floor(at), taps[i].weight);
    }
    return taps;
}

static double sample(const heatmap *heat, const tap *row, const tap *column) {
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        const float *values = heat->values + row->cell[i] * heat->cols;
        double across = 0;
        for (int k = 0; k < 4; k++) across += column->weight[k] * (double)values[column->cell[k]];
        sum += row->weight[i] * across;
    }
    return sum;
}

/* The more heat, the grayer the picture under it (its luma, ITU-R BT.709): otherwise a blue object would turn
 * the heat's yellow into a colour that the scale does not have. */
static void blend(uint8_t *pixel, const uint8_t *color, double opacity) {
    double luma = 0.2126 * pixel[0] + 0.7152 * pixel[1] + 0.0722 * pixel[2];
    for (int i = 0; i < 3; i++) {
        double under = (1 - opacity) * pixel[i] + opacity * luma;
        pixel[i] = (uint8_t)((1 - opacity) * under + opacity * color[i] + 0.5);
    }
}

static void color_pixels(const heatmap *heat, const colormap *map, const tap *rows, const tap *columns,
                         drawing *image) {
    double range = heat->high - heat->low;
    for (size_t y = 0; y < image->height; y++) {
        for (size_t x = 0; rows[y].inside && x < image->width; x++) {
            if (!columns[x].inside) continue;
            double value = sample(heat, &rows[y], &columns[x]);
            /* A heat that is the same everywhere has no range: it shows as the lowest colour. */
            double place = range > 0 ? (value - heat->low) / range : 0;
            blend(image->rgb + 3 * (y * image->width + x), colormap_at(map, place), heat->opacity);
        }
    }
}

/* Fills the part of [left, right) x [top, bottom) that lies in the picture with one gray. */
static void fill(drawing *image, long left, long top, long right, long bottom, int gray) {
    long width = (long)image->width, height = (long)image->height;
    if (left < 0) left = 0;
    if (top < 0) top = 0;
    if (right > width) right = width;
    if (bottom > height) bottom = height;
    for (long y = top; y < bottom && left < right; y++) {
        memset(image->rgb + 3 * (y * width + left), gray, 3 * (size_t)(right - left));
    }
}

/* The four sides of a frame, `thick` pixels wide, just outside of [left, right) x [top, bottom). */
static void frame_around(drawing *image, const long box[4], long away, long thick, int gray) {
    long left = box[0] - away, top = box[1] - away, right = box[2] + away, bottom = box[3] + away;
    fill(image, left - thick, top - thick, right + thick, top, gray);
    fill(image, left - thick, bottom, right + thick, bottom + thick, gray);
    fill(image, left - thick, top, left, bottom, gray);
    fill(image, right, top, right + thick, bottom, gray);
}

/* A light line with a dark one around it, so that it shows on any picture. It lies outside of the crop, where
 * no heat is hidden by it; a crop that fills the picture leaves no room for it, and needs none. */
static void outline(drawing *image, const drawing_frame *crop) {
    long box[4] = {lround(crop->left), lround(crop->top), lround(crop->left + crop->width),
                   lround(crop->top + crop->height)};
    size_t shorter = image->width < image->height ? image->width : image->height;
    long thick = 1 + (long)(shorter / 400);
    frame_around(image, box, 0, thick, 255);
    frame_around(image, box, thick, thick, 32);
}

/* The taps of a whole picture. */
typedef struct enlarging {
    tap *rows, *columns;
} enlarging;

static hl_status enlarge(const heatmap *heat, kernel *weights, const drawing_frame *covered,
                         const drawing *image, enlarging *out, hl_error *error) {
    out->rows = make_taps(weights, image->height, heat->rows, covered->top, covered->height);
    out->columns = make_taps(weights, image->width, heat->cols, covered->left, covered->width);
    return out->rows && out->columns ? HL_OK : hl_no_memory(error, "a heatmap");
}

static void forget(enlarging *self) {
    free(self->rows);
    free(self->columns);
}

hl_status heatmap_draw(const heatmap *heat, const colormap *map, const drawing_frame *crop,
                       const drawing_frame *covered, drawing *image, hl_error *error) {
    enlarging by;
    hl_status status = enlarge(heat, cubic_weights, covered, image, &by, error);
    if (status == HL_OK) {
        color_pixels(heat, map, by.rows, by.columns, image);
        outline(image, crop);
    }
    forget(&by);
    return status;
}

hl_status heatmap_mask(const heatmap *heat, double threshold, const drawing_frame *covered, drawing *image,
                       hl_error *error) {
    enlarging by;
    hl_status status = enlarge(heat, bilinear_weights, covered, image, &by, error);
    for (size_t y = 0; y < image->height && status == HL_OK; y++) {
        for (size_t x = 0; x < image->width; x++) {
            bool inside = by.rows[y].inside && by.columns[x].inside;
            bool above = inside && sample(heat, &by.rows[y], &by.columns[x]) > threshold;
            memset(image->rgb + 3 * (y * image->width + x), above ? 255 : 0, 3);
        }
    }
    forget(&by);
    return status;
}
