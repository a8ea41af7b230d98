/* See value_path.h. In double precision, on host memory. */
#include "value_path.h"

#include <stdlib.h>
#include <string.h>

static size_t width_of(const value_path *self) {
    return self->pool->shape->width;
}

static double summands(const value_path *self) {
    return 2 * (double)self->layers->layers + 1;
}

/* ---- loading ---- */

static hl_status take_numbers(double **out, size_t count, hl_error *error) {
    *out = calloc(count, sizeof **out);
    return *out ? HL_OK : hl_no_memory(error, "the pooling's value path");
}

/* matrix: W_V as it is stored, a row for each value. */
static void fold_norm(value_path *self, const float *matrix, const float *gain, const float *shift) {
    size_t width = width_of(self);
    for (size_t j = 0; j < width; ++j) {
        for (size_t i = 0; i < width; ++i) {
            double w = (double)matrix[j * width + i];
            self->values[i * width + j] = (double)gain[i] * w;
            self->shift[j] += (double)shift[i] * w;
        }
    }
}

static hl_status load_values(value_path *self, loader *from, const tensor_spec *gain,
                             const tensor_spec *shift) {
    size_t width = width_of(self);
    float *matrix = NULL, *bias = NULL, *gains = NULL, *shifts = NULL;
    hl_status status = take_numbers(&self->values, width * width, from->error);
    if (status == HL_OK) status = take_numbers(&self->shift, width, from->error);
    if (status == HL_OK) status = take_numbers(&self->bias, width, from->error);
    if (status == HL_OK) status = attention_pool_values(self->pool, &matrix, &bias, from->error);
    if (status == HL_OK) status = checkpoint_take(from->weights, gain, &gains, from->error);
    if (status == HL_OK) status = checkpoint_take(from->weights, shift, &shifts, from->error);
    if (status == HL_OK) fold_norm(self, matrix, gains, shifts);
    for (size_t i = 0; status == HL_OK && i < width; ++i) self->bias[i] = (double)bias[i];
    free(matrix);
    free(bias);
    free(gains);
    free(shifts);
    return status;
}

/* W_O V and b_O V of one layer. room: 2 x width x width. */
static hl_status load_layer(value_path *self, const loader *from, size_t layer, double *room) {
    const hl_compute *c = self->pool->compute;
    const tensor_spec matrix = layer_tensor(self->layers, layer, OUT_WEIGHT),
                      bias = layer_tensor(self->layers, layer, OUT_BIAS);
    size_t width = width_of(self), square = width * width;
    double *stored = room, *product = room + square;
    float *out = self->outs + layer * square;
    TRY(checkpoint_read(from->weights, &matrix, 0, square, out, from->error));
    checkpoint_done(from->weights, &matrix);
    for (size_t i = 0; i < square; ++i) stored[i] = (double)out[i];
    TRY(c->api->product_f64(c->backend, true, false, width, width, width, stored, width, self->values, width,
                            product, width, from->error));
    for (size_t i = 0; i < square; ++i) out[i] = (float)product[i];
    if (!bias.rank) return HL_OK;
    float *numbers = (float *)(void *)room;
    double *own = self->biases + layer * width;
    TRY(checkpoint_read(from->weights, &bias, 0, width, numbers, from->error));
    for (size_t i = 0; i < width; ++i) {
        for (size_t j = 0; j < width; ++j) own[j] += (double)numbers[i] * self->values[i * width + j];
    }
    return HL_OK;
}

hl_status value_path_load(value_path *self, loader *from, tensor_spec gain, tensor_spec shift) {
    const tensor_spec out = pool_tensor(self->pool->shape, POOL_OUT_WEIGHT);
    size_t width = width_of(self), layers = self->layers->layers;
    double *room;
    TRY(load_values(self, from, &gain, &shift));
    TRY(checkpoint_take(from->weights, &out, &self->pool_out, from->error));
    TRY(take_numbers(&self->biases, layers * width, from->error));
    self->outs = malloc(layers * width * width * sizeof *self->outs);
    if (!self->outs) return hl_no_memory(from->error, "the pooling's value path");
    TRY(take_numbers(&room, 2 * width * width, from->error));
    hl_status status = HL_OK;
    for (size_t i = 0; status == HL_OK && i < layers; ++i) status = load_layer(self, from, i, room);
    free(room);
    return status;
}

void value_path_free(value_path *self) {
    free(self->values);
    free(self->shift);
    free(self->bias);
    free(self->biases);
    free(self->outs);
    free(self->pool_out);
    *self = (value_path){0};
}

/* ---- codes ---- */

void value_path_weigh(const value_path *self, const float *attention, const float *statistics, double length,
                      double *shares, float *scalars) {
    size_t heads = self->pool->shape->heads, tokens = self->pool->shape->tokens;
    for (size_t p = 0; p < heads; ++p) {
        double sum = 0, means = 0;
        for (size_t i = 0; i < tokens; ++i) {
            double share = (double)attention[p * tokens + i] / ((double)statistics[2 * i + 1] * length);
            shares[p * tokens + i] = share;
            sum += share;
            means += share * (double)statistics[2 * i];
        }
        scalars[p] = (float)sum;
        scalars[heads + p] = (float)means;
    }
    scalars[2 * heads] = (float)(1 / length);
}

/* gathered[p] = sum over tokens of shares[p] times rows: heads x width; behind it room for a row of sums.
 * free() it. */
static hl_status gather(const value_path *self, const double *shares, const float *rows, double **gathered,
                        hl_error *error) {
    const hl_compute *c = self->pool->compute;
    size_t heads = self->pool->shape->heads, tokens = self->pool->shape->tokens, width = width_of(self);
    double *wide;
    *gathered = NULL;
    TRY(take_numbers(&wide, tokens * width, error));
    hl_status status = take_numbers(gathered, (heads + 1) * width, error);
    for (size_t i = 0; status == HL_OK && i < tokens * width; ++i) wide[i] = (double)rows[i];
    if (status == HL_OK) {
        status = c->api->product_f64(c->backend, false, false, heads, width, tokens, shares, tokens, wide,
                                     width, *gathered, width, error);
    }
    free(wide);
    return status;
}

/* out[j] += row[k] * through[k][j], for columns [first, first + count). */
static void add_through(const double *row, const float *through, size_t rows, size_t stride, size_t first,
                        size_t count, double *out) {
    for (size_t k = 0; k < rows; ++k) {
        const float *from = through + k * stride + first;
        for (size_t j = 0; j < count; ++j) out[j] += row[k] * (double)from[j];
    }
}

hl_status value_path_heads(const value_path *self, size_t layer, const double *shares, const float *rows,
                           float *out, hl_error *error) {
    size_t heads = self->pool->shape->heads, width = width_of(self), own = head_width(self->layers);
    size_t values = pool_head_width(self->pool->shape);
    double *gathered;
    hl_status status = gather(self, shares, rows, &gathered, error);
    double *sums = status == HL_OK ? gathered + heads * width : NULL;
    for (size_t h = 0; status == HL_OK && h < self->layers->heads; ++h, out += width) {
        const float *through = self->outs + (layer * width + h * own) * width;
        memset(sums, 0, width * sizeof *sums);
        for (size_t p = 0; p < heads; ++p) {
            add_through(gathered + p * width + h * own, through, own, width, p * values, values,
                        sums + p * values);
        }
        for (size_t j = 0; j < width; ++j) out[j] = (float)sums[j];
    }
    free(gathered);
    return status;
}

void value_path_token(const value_path *self, size_t layer, size_t head, const double *shares, size_t token,
                      const float *row, float *out) {
    size_t width = width_of(self), own = head_width(self->layers);
    size_t values = pool_head_width(self->pool->shape), tokens = self->pool->shape->tokens;
    const float *through = self->outs + (layer * width + head * own) * width;
    memset(out, 0, width * sizeof *out);
    for (size_t k = 0; k < own; ++k, through += width) {
        for (size_t j = 0; j < width; ++j) out[j] += row[head * own + k] * through[j];
    }
    for (size_t j = 0; j < width; ++j) out[j] = (float)((double)out[j] * shares[j / values * tokens + token]);
}

hl_status value_path_rows(const value_path *self, const double *shares, const float *rows, float *out,
                          hl_error *error) {
    size_t width = width_of(self);
    size_t values = pool_head_width(self->pool->shape);
    double *gathered;
    hl_status status = gather(self, shares, rows, &gathered, error);
    for (size_t j = 0; status == HL_OK && j < width; ++j) {
        const double *row = gathered + j / values * width;
        double sum = 0;
        for (size_t k = 0; k < width; ++k) sum += row[k] * self->values[k * width + j];
        out[j] = (float)sum;
    }
    free(gathered);
    return status;
}

/* ---- bases ---- */

/* out[i] += factor * sum of row[j] W_O[j][i], j in [first, first + count). */
static void write_out(const value_path *self, const double *row, size_t first, size_t count, double factor,
                      float *out) {
    size_t width = width_of(self);
    for (size_t i = 0; i < self->pool->shape->embed_dim; ++i) {
        double sum = 0;
        for (size_t j = first; j < first + count; ++j) sum += row[j] * (double)self->pool_out[i * width + j];
        out[i] = (float)(factor * sum);
    }
}

/* A row for each pooling head: what its part of `row` writes. */
static float *write_each(const value_path *self, const double *row, double factor, float *out) {
    size_t values = pool_head_width(self->pool->shape);
    for (size_t p = 0; p < self->pool->shape->heads; ++p, out += self->pool->shape->embed_dim)
        write_out(self, row, p * values, values, factor, out);
    return out;
}

static float *write_values(const value_path *self, float *out) {
    size_t width = width_of(self), dim = self->pool->shape->embed_dim;
    for (size_t j = 0; j < width; ++j) {
        for (size_t i = 0; i < dim; ++i) *out++ = self->pool_out[i * width + j];
    }
    return out;
}

/* What means take off and the norm's shift adds, for a summand that bears the part `share`. */
static hl_status write_shares(const value_path *self, double share, float *out, hl_error *error) {
    size_t width = width_of(self);
    double *ones;
    TRY(take_numbers(&ones, width, error));
    for (size_t i = 0; i < width; ++i) {
        for (size_t j = 0; j < width; ++j) ones[j] += self->values[i * width + j];
    }
    out = write_each(self, ones, -share, out);
    write_out(self, self->shift, 0, width, share, out);
    free(ones);
    return HL_OK;
}

hl_status value_path_head_basis(const value_path *self, size_t layer, float *out, hl_error *error) {
    double heads = (double)self->layers->heads;
    out = write_values(self, out);
    out = write_each(self, self->biases + layer * width_of(self), 1 / heads, out);
    return write_shares(self, 1 / (summands(self) * heads), out, error);
}

hl_status value_path_row_basis(const value_path *self, float *out, hl_error *error) {
    out = write_values(self, out);
    return write_shares(self, 1 / summands(self), out, error);
}

hl_status value_path_remainder(const value_path *self, float *out, hl_error *error) {
    const tensor_spec bias = pool_tensor(self->pool->shape, POOL_OUT_BIAS);
    size_t dim = self->pool->shape->embed_dim;
    float *own = NULL;
    write_out(self, self->bias, 0, width_of(self), 1, out);
    if (!bias.rank) return HL_OK;
    TRY(checkpoint_take(self->pool->weights, &bias, &own, error));
    for (size_t i = 0; i < dim; ++i) out[i] += own[i];
    free(own);
    return HL_OK;
}
