/* The bases, in double precision (Gandelsman, Efros and Steinhardt 2024, section 3; constants shared out over
 * the K = 2 layers + 1 summands of the residual stream):
 *     of a head:             [ W_O[h] G ; b_O G / H ; -gamma P / (K H) ; beta P / (K H) ]
 *     behind an inner norm:  [ diag(g) W_O[h] G ; -g W_O[h] G ; (s W_O[h] + b_O / H) G ; ... ]
 *     of MLPs and the input: [ G ; -gamma P / K ; beta P / K ]            with G = diag(gamma) P
 *     of the remainder:      [ b ]                                        the projection's bias
 * Only G, gamma P, beta P and b are kept; a layer's W_O is read from the file when it is asked for. */
#include "bases.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Who asks for one head asks for its neighbours next: the layer that was asked for last is kept. */
struct recent_bases {
    pthread_mutex_t lock;
    size_t layer;
    float *heads; /* one basis after the other; NULL: none yet */
};

static const double *gamma_row(const image_tower *self) {
    return self->projected + self->shape->layers.width * self->shape->embed_dim;
}

static const double *beta_row(const image_tower *self) {
    return gamma_row(self) + self->shape->embed_dim;
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

static hl_status open_recent(image_tower *self, hl_error *error) {
    self->recent = calloc(1, sizeof *self->recent);
    if (!self->recent) return hl_no_memory(error, "the bases");
    pthread_mutex_init(&self->recent->lock, NULL);
    return HL_OK;
}

void bases_free(image_tower *self) {
    free(self->projected);
    free(self->projection_bias);
    if (!self->recent) return;
    pthread_mutex_destroy(&self->recent->lock);
    free(self->recent->heads);
    free(self->recent);
}

hl_status bases_prepare(image_tower *self, hl_error *error) {
    const image_shape *shape = self->shape;
    const tensor_spec specs[3] = {image_tensor(shape, LN_POST_GAIN), image_tensor(shape, LN_POST_SHIFT),
                                  image_tensor(shape, IMAGE_PROJECTION)};
    float *parts[3] = {NULL};
    size_t width = shape->layers.width, dim = shape->embed_dim;
    self->projected = malloc((width + 2) * dim * sizeof *self->projected);
    hl_status status = self->projected ? open_recent(self, error) : hl_no_memory(error, "the bases");
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

hl_status bases_read_vector(const image_tower *self, size_t layer, layer_slot slot, float missing, float *out,
                            hl_error *error) {
    const tower_shape *shape = &self->shape->layers;
    const tensor_spec spec = layer_tensor(shape, layer, slot);
    for (size_t i = 0; i < shape->width; ++i) out[i] = missing;
    if (!spec.rank) return HL_OK;
    TRY(checkpoint_read(self->weights, &spec, 0, shape->width, out, error));
    checkpoint_done(self->weights, &spec);
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

/* What a layer's inner norm adds to each head's columns. `room`: 2 * width numbers. */
static hl_status fold_norms(const image_tower *self, size_t layer, float *room, double *out,
                            hl_error *error) {
    const tower_shape *shape = &self->shape->layers;
    size_t own = head_width(shape), width = shape->width, columns = head_columns(shape);
    float *gain = room, *shift = room + width;
    TRY(bases_read_vector(self, layer, HEADS_NORM_GAIN, 1, gain, error));
    TRY(bases_read_vector(self, layer, HEADS_NORM_SHIFT, 0, shift, error));
    for (size_t i = 0; i < width; ++i) {
        for (size_t h = 0; h < shape->heads; ++h) {
            double *row = out + (i * shape->heads + h) * columns;
            row[columns - 1] += fold_norm(gain + h * own, shift + h * own, own, row);
        }
    }
    return HL_OK;
}

/* For each head its columns of the output projection, what an inner norm adds to them, and its share of the
 * bias as one more, as a layer scale leaves them: width x heads * columns. `room`: (width + 2) * width
 * numbers. */
static hl_status read_output(const image_tower *self, size_t layer, float *room, double *out,
                             hl_error *error) {
    const tower_shape *shape = &self->shape->layers;
    size_t own = head_width(shape), heads = shape->heads, width = shape->width, columns = head_columns(shape);
    float *vector = room + width * width;
    const tensor_spec matrix = layer_tensor(shape, layer, OUT_WEIGHT),
                      scale = layer_tensor(shape, layer, OUT_SCALE);
    TRY(checkpoint_read(self->weights, &matrix, 0, width * width, room, error));
    checkpoint_done(self->weights, &matrix);
    TRY(bases_read_vector(self, layer, OUT_BIAS, 0, vector, error));
    for (size_t i = 0; i < width; ++i) {
        double share = (double)vector[i] / (double)heads;
        for (size_t h = 0; h < heads; ++h) {
            const float *stored = room + i * width + h * own;
            double *row = out + (i * heads + h) * columns;
            for (size_t j = 0; j < own; ++j) row[j] = stored[j];
            row[columns - 1] = share;
        }
    }
    if (has_inner_norms(shape)) TRY(fold_norms(self, layer, vector, out, error));
    TRY(bases_read_vector(self, layer, OUT_SCALE, 1, vector, error));
    for (size_t i = 0; scale.rank && i < width; ++i) {
        double *row = out + i * heads * columns;
        for (size_t j = 0; j < heads * columns; ++j) row[j] *= (double)vector[i];
    }
    return HL_OK;
}

/* The bases of all heads of a layer, which cost together little more than the matrix that they are columns
 * of. */
static hl_status layer_bases(const image_tower *self, size_t layer, float *out, hl_error *error) {
    const hl_compute *c = self->compute;
    const tower_shape *shape = &self->shape->layers;
    size_t width = shape->width, dim = self->shape->embed_dim, columns = head_columns(shape);
    size_t all = shape->heads * columns;
    size_t read = (width + 2) * width;
    double *output = malloc((width * all + all * dim) * sizeof *output + read * sizeof(float));
    if (!output) return hl_no_memory(error, "a basis");
    double *product = output + width * all;
    hl_status status = read_output(self, layer, (float *)(void *)(product + all * dim), output, error);
    if (status == HL_OK) {
        status = c->api->product_f64(c->backend, true, false, all, dim, width, output, all, self->projected,
                                     dim, product, dim, error);
    }
    for (size_t h = 0; status == HL_OK && h < shape->heads; ++h, out += (columns + 2) * dim) {
        for (size_t i = 0; i < columns * dim; ++i) out[i] = (float)product[h * columns * dim + i];
        constant_rows(self, summands(self) * (double)shape->heads, out + columns * dim);
    }
    free(output);
    return status;
}

static hl_status make_recent(const image_tower *self, size_t layer, hl_error *error) {
    const tower_shape *shape = &self->shape->layers;
    recent_bases *recent = self->recent;
    if (recent->heads && recent->layer == layer) return HL_OK;
    size_t numbers = shape->heads * (head_columns(shape) + 2) * self->shape->embed_dim;
    if (!recent->heads) recent->heads = malloc(numbers * sizeof *recent->heads);
    if (!recent->heads) return hl_no_memory(error, "a basis");
    hl_status status = layer_bases(self, layer, recent->heads, error);
    recent->layer = layer;
    if (status == HL_OK) return HL_OK;
    free(recent->heads);
    recent->heads = NULL;
    return status;
}

static hl_status head_basis(const image_tower *self, size_t layer, size_t head, float *out, hl_error *error) {
    size_t numbers = (head_columns(&self->shape->layers) + 2) * self->shape->embed_dim;
    pthread_mutex_lock(&self->recent->lock);
    hl_status status = make_recent(self, layer, error);
    if (status == HL_OK) memcpy(out, self->recent->heads + head * numbers, numbers * sizeof *out);
    pthread_mutex_unlock(&self->recent->lock);
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
