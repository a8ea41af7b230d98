/* See places.h. Resizing is that of open_clip (and of timm), torch.nn.functional.interpolate in mode bicubic
 * with antialias and without align_corners: along each side a place is the weighted mean of those under
 * Keys's cubic (1981, a = -1/2), which widens when the grid shrinks and whose weights sum to 1 where the
 * border cuts it. What lies before the grid, a class token's position, stays. */
#include "places.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_square(size_t cells, size_t *side) {
    *side = (size_t)(sqrt((double)cells) + 0.5);
    return cells > 0 && *side * *side == cells;
}

hl_status places_find(image_tower *self, hl_error *error) {
    const image_shape *shape = self->shape;
    size_t prefix = image_prefix(shape), side = 0;
    size_t rows = checkpoint_spec(self->weights, image_tensor(shape, IMAGE_POSITION)).shape[0];
    size_t cells = rows > prefix ? rows - prefix : 0;
    self->places_rows = shape->places_rows ? shape->places_rows : shape->grid_rows;
    self->places_cols = shape->places_cols ? shape->places_cols : shape->grid_cols;
    if (!self->weights->file) { /* random ones need not be resized */
        self->places_rows = shape->grid_rows;
        self->places_cols = shape->grid_cols;
        return HL_OK;
    }
    if (cells == self->places_rows * self->places_cols) return HL_OK;
    if (is_square(cells, &side)) {
        self->places_rows = self->places_cols = side;
        return HL_OK;
    }
    return hl_fail(error, HL_FAILED,
                   "%s: config disagrees with weights: %s has %zu positions, which is neither the grid that "
                   "the configuration says nor a square one%s: use the two files of one model",
                   self->weights->path, image_tensor(shape, IMAGE_POSITION).name, rows,
                   prefix ? " behind the class token's" : "");
}

static double cubic(double x) {
    x = fabs(x);
    if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* The weights of `from` places in place `to` of `count`; all others are 0. */
static void weigh_places(size_t from, size_t count, size_t to, double *weights) {
    double scale = (double)from / (double)count, width = scale > 1 ? scale : 1;
    double centre = scale * ((double)to + 0.5), sum = 0;
    memset(weights, 0, from * sizeof *weights);
    for (size_t i = 0; i < from; ++i) sum += weights[i] = cubic(((double)i + 0.5 - centre) / width);
    for (size_t i = 0; i < from; ++i) weights[i] /= sum;
}

/* One side of an array of outer x from x inner numbers, which becomes outer x count x inner. */
static hl_status resize_side(const double *in, size_t outer, size_t from, size_t count, size_t inner,
                             double *out, hl_error *error) {
    double *weights = malloc(from * sizeof *weights);
    if (!weights) return hl_no_memory(error, "positions");
    memset(out, 0, outer * count * inner * sizeof *out);
    for (size_t to = 0; to < count; ++to) {
        weigh_places(from, count, to, weights);
        for (size_t k = 0; k < outer * from; ++k) {
            double weight = weights[k % from], *sum = out + (k / from * count + to) * inner;
            for (size_t j = 0; weight != 0 && j < inner; ++j) sum[j] += weight * in[k * inner + j];
        }
    }
    free(weights);
    return HL_OK;
}

/* rows x cols x width -> grid_rows x grid_cols x width. */
static hl_status resize(const image_tower *self, const float *stored, float *out, hl_error *error) {
    const image_shape *shape = self->shape;
    size_t width = shape->layers.width, rows = self->places_rows, cols = self->places_cols;
    size_t cells = rows * cols * width, between = rows * shape->grid_cols * width;
    size_t made = image_cells(shape) * width;
    double *room = malloc((cells + between + made) * sizeof *room);
    if (!room) return hl_no_memory(error, "positions");
    double *wide = room + cells, *all = wide + between;
    for (size_t i = 0; i < cells; ++i) room[i] = stored[i];
    hl_status status = resize_side(room, rows, cols, shape->grid_cols, width, wide, error);
    if (status == HL_OK) {
        status = resize_side(wide, 1, rows, shape->grid_rows, shape->grid_cols * width, all, error);
    }
    for (size_t i = 0; status == HL_OK && i < made; ++i) out[i] = (float)all[i];
    free(room);
    return status;
}

static hl_status upload(image_tower *self, const float *numbers, hl_error *error) {
    const hl_compute *c = self->compute;
    size_t count = image_tokens(self->shape) * self->shape->layers.width;
    TRY(c->api->new_tensor(c->backend, count, &self->position, error));
    return c->api->upload(c->backend, numbers, (hl_matrix){self->position, 0, 1, count, count}, error);
}

static hl_status load_resized(image_tower *self, const float *stored, hl_error *error) {
    size_t width = self->shape->layers.width, before = image_prefix(self->shape) * width;
    float *numbers = malloc(image_tokens(self->shape) * width * sizeof *numbers);
    if (!numbers) return hl_no_memory(error, "positions");
    memcpy(numbers, stored, before * sizeof *numbers);
    hl_status status = resize(self, stored + before, numbers + before, error);
    if (status == HL_OK) status = upload(self, numbers, error);
    free(numbers);
    return status;
}

hl_status places_load(image_tower *self, loader *from) {
    const tensor_spec spec = checkpoint_spec(from->weights, image_tensor(self->shape, IMAGE_POSITION));
    float *stored = NULL;
    TRY(checkpoint_take(from->weights, &spec, &stored, from->error));
    hl_status status = image_tower_resizes_places(self) ? load_resized(self, stored, from->error)
                                                        : upload(self, stored, from->error);
    free(stored);
    return status;
}
