/* q = B v for all bases at once, without making one (bases.c has what they are). Since B = [W_O[h] G ; ...],
 * and G v is the same for all heads, a layer's heads together take one product of a vector with its output
 * projection, read once:
 *     g = G v;  p = W_O^T diag(layer scale) g;  of a head: [ p[h] ; b_O . g / H ; -gamma P v / (K H) ; ... ]
 */
#include "bases.h"

#include <stdlib.h>
#include <string.h>

typedef struct query_job {
    const image_tower *self;
    const double *projected; /* (G v), width numbers, then gamma P v and beta P v */
    float *out;
} query_job;

/* A layer's vectors; one that the model has not is 1 everywhere, a shift 0. */
typedef struct layer_vectors {
    float *bias, *scale, *gain, *shift;
} layer_vectors;

/* Room of one layer: the vectors, some rows of the matrix, and sums over its rows. */
typedef struct layer_room {
    layer_vectors vectors;
    float *rows;
    double *scaled, *sums; /* width numbers each */
    size_t most_rows;
} layer_room;

static hl_status room_open(const image_tower *self, const tensor_spec *matrix, layer_room *out,
                           hl_error *error) {
    enum { NEAR_BYTES = 1 << 18 }; /* of rows that stay in the second cache */
    size_t width = self->shape->layers.width, some = NEAR_BYTES / (width * sizeof(float)) + 1;
    out->most_rows = some < width && checkpoint_in_order(self->weights, matrix) ? some : width;
    out->scaled = malloc(2 * width * sizeof *out->scaled + (4 + out->most_rows) * width * sizeof(float));
    if (!out->scaled) return hl_no_memory(error, "queries");
    out->sums = out->scaled + width;
    float *numbers = (float *)(void *)(out->sums + width);
    out->vectors = (layer_vectors){numbers, numbers + width, numbers + 2 * width, numbers + 3 * width};
    out->rows = numbers + 4 * width;
    return HL_OK;
}

static hl_status read_vectors(const image_tower *self, size_t layer, const layer_vectors *to,
                              hl_error *error) {
    TRY(bases_read_vector(self, layer, OUT_BIAS, 0, to->bias, error));
    TRY(bases_read_vector(self, layer, OUT_SCALE, 1, to->scale, error));
    TRY(bases_read_vector(self, layer, HEADS_NORM_GAIN, 1, to->gain, error));
    return bases_read_vector(self, layer, HEADS_NORM_SHIFT, 0, to->shift, error);
}

/* sums = W^T scaled, by rows of W as they lie in the file. */
static hl_status multiply_matrix(const image_tower *self, const tensor_spec *matrix, const layer_room *room,
                                 hl_error *error) {
    size_t width = self->shape->layers.width;
    memset(room->sums, 0, width * sizeof *room->sums);
    for (size_t first = 0, count; first < width; first += count) {
        count = width - first < room->most_rows ? width - first : room->most_rows;
        TRY(checkpoint_read(self->weights, matrix, first * width, count * width, room->rows, error));
        for (size_t i = 0; i < count; ++i) {
            const float *row = room->rows + i * width;
            double factor = room->scaled[first + i];
            for (size_t k = 0; k < width; ++k) room->sums[k] += factor * (double)row[k];
        }
    }
    checkpoint_done(self->weights, matrix);
    return HL_OK;
}

/* ln_post's two constants, shared out; returns what comes behind them. */
static float *write_constants(const query_job *job, double shares, float *out) {
    const double *constants = job->projected + job->self->shape->layers.width;
    *out++ = (float)(-constants[0] / shares);
    *out++ = (float)(constants[1] / shares);
    return out;
}

/* `bias`: b_O . g, with its layer scale. */
static void write_head(const query_job *job, const layer_room *room, size_t head, double bias, float *out) {
    const tower_shape *shape = &job->self->shape->layers;
    size_t own = head_width(shape), first = head * own;
    const float *gain = room->vectors.gain + first, *shift = room->vectors.shift + first;
    const double *sums = room->sums + first;
    double mean = 0, added = 0;
    for (size_t k = 0; k < own; ++k) {
        double gained = (double)gain[k] * sums[k];
        *out++ = (float)gained;
        mean += gained;
        added += (double)shift[k] * sums[k];
    }
    if (has_inner_norms(shape)) *out++ = (float)-mean;
    *out++ = (float)(bias / (double)shape->heads + added);
    write_constants(job, summands(job->self) * (double)shape->heads, out);
}

static hl_status query_heads(const query_job *job, size_t layer, layer_room *room, hl_error *error) {
    const image_tower *self = job->self;
    const tower_shape *shape = &self->shape->layers;
    const tensor_spec matrix = layer_tensor(shape, layer, OUT_WEIGHT);
    size_t numbers = head_columns(shape) + 2;
    double bias = 0;
    TRY(room_open(self, &matrix, room, error));
    TRY(read_vectors(self, layer, &room->vectors, error));
    for (size_t i = 0; i < shape->width; ++i) {
        room->scaled[i] = (double)room->vectors.scale[i] * job->projected[i];
        bias += (double)room->vectors.bias[i] * room->scaled[i];
    }
    TRY(multiply_matrix(self, &matrix, room, error));
    for (size_t h = 0; h < shape->heads; ++h) {
        write_head(job, room, h, bias, job->out + (layer * shape->heads + h) * numbers);
    }
    return HL_OK;
}

static hl_status query_layer(void *argument, size_t layer, hl_error *error) {
    layer_room room = {0};
    hl_status status = query_heads(argument, layer, &room, error);
    free(room.scaled);
    return status;
}

/* What MLPs and the input share, and the remainder. */
static void query_others(const query_job *job, const float *vector, float *out) {
    const image_tower *self = job->self;
    size_t width = self->shape->layers.width;
    for (size_t i = 0; i < width; ++i) *out++ = (float)job->projected[i];
    out = write_constants(job, summands(self), out);
    double rest = 0;
    if (!self->projection_bias) return;
    for (size_t j = 0; j < self->shape->embed_dim; ++j) {
        rest += (double)self->projection_bias[j] * (double)vector[j];
    }
    *out = (float)rest;
}

/* out = projected v: width + 2 numbers. */
static void project_vector(const image_tower *self, const float *vector, double *out) {
    size_t dim = self->shape->embed_dim;
    for (size_t i = 0; i < self->shape->layers.width + 2; ++i) {
        const double *row = self->projected + i * dim;
        double sum = 0;
        for (size_t j = 0; j < dim; ++j) sum += row[j] * (double)vector[j];
        out[i] = sum;
    }
}

hl_status image_tower_queries(const image_tower *self, const float *vector, float *out, hl_error *error) {
    const tower_shape *shape = &self->shape->layers;
    double *projected = malloc((shape->width + 2) * sizeof *projected);
    if (!projected) return hl_no_memory(error, "queries");
    query_job job = {self, projected, out};
    project_vector(self, vector, projected);
    query_others(&job, vector, out + shape->layers * shape->heads * (head_columns(shape) + 2));
    hl_status status = hl_parallel(self->host, shape->layers, query_layer, &job, error);
    free(projected);
    return status;
}
