/* The bases, in double precision (Gandelsman, Efros and Steinhardt 2024, section 3; constants shared out over
 * the K = 2 layers + 1 summands of the residual stream):
 *     of a head:             [ W_O[h] G ; b_O G / H ; -gamma P / (K H) ; beta P / (K H) ]
 *     behind an inner norm:  [ diag(g) W_O[h] G ; -g W_O[h] G ; (s W_O[h] + b_O / H) G ; ... ]
 *     of MLPs and the input: [ G ; -gamma P / K ; beta P / K ]            with G = diag(gamma) P
 *     of the remainder:      [ b ]                                        the projection's bias
 * Only G, gamma P, beta P and b are kept; a layer's W_O is read from the file when it is asked for. */
#include "bases.h"

#include <stdlib.h>
#include <string.h>

static const double *gamma_row(const image_tower *self) {
    return self->projected + self->shape->layers.width * self->shape->embed_dim;
}

static const double *beta_row(const image_tower *self) {
    return gamma_row(self) + self->shape->embed_dim;
}

static double summands(const image_tower *self) {
    return 2 * (double)self->shape->layers.layers + 1;
}

/* projected: (width + 2) x embed_dim. */
static void project(const float *gain, const float *shift, const float *projection, size_t width, size_t dim,
                    double *projected) {
    double *gamma = projected + width * dim, *beta = gamma + dim;
    memset(gamma, 0, 2 * dim * sizeof *gamma);
    for (size_t i = 0; i < width; ++i) {
        for (size_t j = 0; j < dim; ++j) {
            double p = projection[i * dim + j];
            double g = (double)gain[i] * p;
            projected[i * dim + j] = g;
            gamma[j] += g;
            beta[j] += (double)shift[i] * p;
        }
    }
}

hl_status bases_prepare(image_tower *self, hl_error *error) {
    const image_shape *shape = self->shape;
    const tensor_spec specs[3] = {image_tensor(shape, LN_POST_GAIN), image_tensor(shape, LN_POST_SHIFT),
                                  image_tensor(shape, IMAGE_PROJECTION)};
    float *parts[3] = {NULL};
    size_t width = shape->layers.width, dim = shape->embed_dim;
    self->projected = malloc((width + 2) * dim * sizeof *self->projected);
    hl_status status = self->projected ? HL_OK : hl_no_memory(error, "the bases");
    for (int i = 0; status == HL_OK && i < 3; ++i) {
        status = checkpoint_take(self->weights, &specs[i], &parts[i], error);
    }
    if (status == HL_OK) project(parts[0], parts[1], parts[2], width, dim, self->projected);
    for (int i = 0; i < 3; ++i) free(parts[i]);
    tensor_spec bias = image_tensor(shape, PROJECTION_BIAS);
    if (status != HL_OK || !bias.rank) return status;
    return checkpoint_take(self->weights, &bias, &self->projection_bias, error);
}

/* The two rows that share ln_post's constants over `shares` components. */
static void constant_rows(const image_tower *self, double shares, float *out) {
    size_t dim = self->shape->embed_dim;
    for (size_t j = 0; j < dim; ++j) {
        out[j] = (float)(-gamma_row(self)[j] / shares);
        out[dim + j] = (float)(beta_row(self)[j] / shares);
    }
}

/* A vector of the layer; `missing` everywhere where the model has none. */
static hl_status read_vector(const image_tower *self, const tensor_spec *spec, size_t width, float missing,
                             float *row, hl_error *error) {
    for (size_t i = 0; i < width; ++i) row[i] = missing;
    if (!spec->rank) return HL_OK;
    TRY(checkpoint_read(self->weights, spec, 0, width, row, error));
    checkpoint_done(self->weights, spec);
    return HL_OK;
}

/* What an inner norm makes of a row of the head's output projection: each number times its gain, minus their
 * sum, which the mean is multiplied with. Returns what its shift adds. */
static double fold_norm(const float *gain, const float *shift, size_t own, double *row) {
    double mean = 0, added = 0;
    for (size_t j = 0; j < own; ++j) {
        added += (double)shift[j] * row[j];
        row[j] *= (double)gain[j];
        mean += row[j];
    }
    row[own] = -mean;
    return added;
}

/* Columns of the output projection that belong to the head, what an inner norm adds to them, and the head's
 * share of the bias as one more, as a layer scale leaves them: width x `columns`. `room`: 2 * width numbers.
 */
static hl_status read_output(const image_tower *self, size_t layer, size_t head, size_t columns, float *room,
                             double *out, hl_error *error) {
    const tower_shape *shape = &self->shape->layers;
    size_t own = head_width(shape), width = shape->width;
    float *row = room, *shift = room + width;
    const tensor_spec matrix = layer_tensor(shape, layer, OUT_WEIGHT),
                      bias = layer_tensor(shape, layer, OUT_BIAS),
                      scale = layer_tensor(shape, layer, OUT_SCALE),
                      norm_gain = layer_tensor(shape, layer, HEADS_NORM_GAIN),
                      norm_shift = layer_tensor(shape, layer, HEADS_NORM_SHIFT);
    for (size_t i = 0; i < width; ++i) {
        TRY(checkpoint_read(self->weights, &matrix, i * width + head * own, own, row, error));
        for (size_t j = 0; j < own; ++j) out[i * columns + j] = row[j];
    }
    checkpoint_done(self->weights, &matrix);
    TRY(read_vector(self, &bias, width, 0, row, error));
    for (size_t i = 0; i < width; ++i) out[(i + 1) * columns - 1] = (double)row[i] / (double)shape->heads;
    if (norm_gain.rank) {
        TRY(read_vector(self, &norm_gain, width, 1, row, error));
        TRY(read_vector(self, &norm_shift, width, 0, shift, error));
    }
    for (size_t i = 0; norm_gain.rank && i < width; ++i) {
        out[(i + 1) * columns - 1] += fold_norm(row + head * own, shift + head * own, own, out + i * columns);
    }
    TRY(read_vector(self, &scale, width, 1, row, error));
    for (size_t i = 0; i < width * columns; ++i) out[i] *= (double)row[i / columns];
    return HL_OK;
}

static hl_status head_basis(const image_tower *self, size_t layer, size_t head, float *out, hl_error *error) {
    const hl_compute *c = self->compute;
    const tower_shape *shape = &self->shape->layers;
    size_t width = shape->width, dim = self->shape->embed_dim;
    size_t rows = head_width(shape) + (has_inner_norms(shape) ? 2 : 1);
    float *room = malloc(2 * width * sizeof *room);
    double *output = malloc(width * rows * sizeof *output), *product = malloc(rows * dim * sizeof *product);
    hl_status status = room && output && product ? HL_OK : hl_no_memory(error, "a basis");
    if (status == HL_OK) status = read_output(self, layer, head, rows, room, output, error);
    if (status == HL_OK) {
        status = c->api->product_f64(c->backend, true, false, rows, dim, width, output, rows, self->projected,
                                     dim, product, dim, error);
    }
    for (size_t i = 0; status == HL_OK && i < rows * dim; ++i) out[i] = (float)product[i];
    if (status == HL_OK) constant_rows(self, summands(self) * (double)shape->heads, out + rows * dim);
    free(room);
    free(output);
    free(product);
    return status;
}

hl_status image_tower_basis(const image_tower *self, uint32_t basis, float *out, hl_error *error) {
    size_t heads = self->shape->layers.heads, width = self->shape->layers.width, dim = self->shape->embed_dim;
    if (basis >= self->components.basis_count) {
        return hl_fail(error, HL_USAGE, "%s: basis %u does not exist, there are %u", self->plugin, basis,
                       self->components.basis_count);
    }
    uint32_t whole = whole_basis(&self->shape->layers);
    if (basis < whole) return head_basis(self, basis / heads, basis % heads, out, error);
    if (basis > whole) {
        memcpy(out, self->projection_bias, dim * sizeof *out);
        return HL_OK;
    }
    for (size_t i = 0; i < width * dim; ++i) out[i] = (float)self->projected[i];
    constant_rows(self, summands(self), out + width * dim);
    return HL_OK;
}
