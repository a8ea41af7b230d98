/* The operations of compute.h, the plain way. See operations.h. */
#include "operations.h"

#include <math.h>
#include <string.h>

/* Several versions of one function, for several vector widths. The C code fixes the order of every sum, so
 * they all compute the same bits. */
#define VECTORISED __attribute__((target_clones("default", "avx2", "avx512f")))

/* Rows that go through a panel together, so that each element of the weight is read once for all of them. */
enum { TILE = 4 };

typedef double lanes __attribute__((vector_size(64)));
typedef float narrow_lanes __attribute__((vector_size(32)));
enum { LANES = 8 };

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

/* ---- weights and linear ---- */

hl_status pack_weight(const hl_host *host, const hl_weight_source *source, packed_weight *weight,
                      hl_error *error) {
    size_t panels = (source->out + PANEL - 1) / PANEL;
    *weight = (packed_weight){.out = source->out, .in = source->in};
    weight->panels = host->allocate(host, panels * PANEL, source->in * sizeof *weight->panels);
    if (source->bias) weight->bias = host->allocate(host, source->out, sizeof *weight->bias);
    if (!weight->panels || (source->bias && !weight->bias)) {
        release_weight(host, weight);
        return hl_no_memory(error, "a weight");
    }
    for (size_t o = 0; o < source->out; ++o) {
        float *column = weight->panels + o / PANEL * PANEL * source->in + o % PANEL;
        for (size_t i = 0; i < source->in; ++i) column[i * PANEL] = source->data[o * source->in + i];
    }
    if (source->bias) memcpy(weight->bias, source->bias, source->out * sizeof *source->bias);
    return HL_OK;
}

void release_weight(const hl_host *host, packed_weight *weight) {
    host->release(host, weight->panels);
    host->release(host, weight->bias);
    *weight = (packed_weight){0};
}

static double activate(hl_activation activation, double x) {
    switch (activation) {
    case HL_GELU:
        return 0.5 * x * (1.0 + erf(x / sqrt(2.0)));
    case HL_QUICK_GELU:
        return x / (1.0 + exp(-1.702 * x));
    case HL_GELU_TANH:
        return 0.5 * x * (1.0 + tanh(sqrt(2.0 / M_PI) * (x + 0.044715 * x * x * x)));
    case HL_SILU:
        return x / (1.0 + exp(-x));
    case HL_RELU:
        return fmax(x, 0.0);
    default:
        return x;
    }
}

/* Inlined, because a version for wide vectors must not call one for narrow ones. */
__attribute__((always_inline)) static inline void load(const float *from, lanes *to) {
    narrow_lanes narrow;
    memcpy(&narrow, from, sizeof narrow);
    *to = __builtin_convertvector(narrow, lanes);
}

/* sums (TILE, PANEL) = rows (TILE, in) panel (in, PANEL) */
VECTORISED static void multiply_panel(const float *const rows[TILE], const float *panel, size_t in,
                                      double sums[TILE][PANEL]) {
    lanes low[TILE] = {0}, high[TILE] = {0};
    for (size_t i = 0; i < in; ++i) {
        lanes left, right;
        load(panel + i * PANEL, &left);
        load(panel + i * PANEL + LANES, &right);
        for (size_t r = 0; r < TILE; ++r) {
            low[r] += (double)rows[r][i] * left;
            high[r] += (double)rows[r][i] * right;
        }
    }
    for (size_t r = 0; r < TILE; ++r) {
        memcpy(sums[r], &low[r], sizeof low[r]);
        memcpy(sums[r] + LANES, &high[r], sizeof high[r]);
    }
}

typedef struct linear_job {
    matrix x, residual, out;
    const packed_weight *weight;
    hl_activation activation;
    bool residual_first; /* inside the activation */
} linear_job;

static void store_row(const linear_job *job, size_t row, size_t first, const double *sums) {
    const float *bias = job->weight->bias;
    float *out = job->out.data + row * job->out.stride;
    const float *residual = job->residual.data ? job->residual.data + row * job->residual.stride : NULL;
    for (size_t o = first; o < least(first + PANEL, job->weight->out); ++o) {
        double added = residual ? (double)residual[o] : 0.0;
        double value = sums[o - first] + (bias ? (double)bias[o] : 0.0);
        out[o] = (float)(job->residual_first ? activate(job->activation, value + added)
                                             : activate(job->activation, value) + added);
    }
}

/* One panel of outputs for all rows. */
static void linear_panel(void *argument, size_t panel) {
    const linear_job *job = argument;
    const float *weight = job->weight->panels + panel * PANEL * job->weight->in;
    for (size_t first = 0; first < job->x.rows; first += TILE) {
        const float *rows[TILE]; /* past the last row: the last row again, not stored */
        for (size_t r = 0; r < TILE; ++r) {
            rows[r] = job->x.data + least(first + r, job->x.rows - 1) * job->x.stride;
        }
        double sums[TILE][PANEL];
        multiply_panel(rows, weight, job->weight->in, sums);
        for (size_t r = 0; r < TILE && first + r < job->x.rows; ++r) {
            store_row(job, first + r, panel * PANEL, sums[r]);
        }
    }
}

static void run_panels(const hl_host *host, linear_job *job) {
    host->parallel(host, (job->weight->out + PANEL - 1) / PANEL, linear_panel, job);
}

/* out (rows, out) = act(x (rows, in) W^T (in, out) + bias (out)) + residual (rows, out) */
void linear(const hl_host *host, matrix x, const packed_weight *weight, hl_activation activation,
            matrix residual, matrix out) {
    run_panels(host, &(linear_job){x, residual, out, weight, activation, false});
}

/* ---- patch embedding ---- */

/* patches (height / patch * width / patch, channels * patch * patch) of one image (channels, height, width)
 */
static void gather_patches(const hl_patch_embedding *shape, const float *image, float *patches) {
    size_t patch = shape->patch, height = shape->height, width = shape->width;
    for (size_t row = 0; row < height / patch; ++row)
        for (size_t column = 0; column < width / patch; ++column)
            for (size_t channel = 0; channel < shape->channels; ++channel)
                for (size_t y = 0; y < patch; ++y, patches += patch) {
                    const float *line = image + (channel * height + row * patch + y) * width;
                    memcpy(patches, line + column * patch, patch * sizeof *patches);
                }
}

static void add_prefix(matrix prefix, matrix position, matrix out) {
    for (size_t r = 0; r < prefix.rows; ++r)
        for (size_t c = 0; c < prefix.cols; ++c) {
            float place = position.data ? position.data[r * position.stride + c] : 0.0f;
            out.data[r * out.stride + c] = prefix.data[r * prefix.stride + c] + place;
        }
}

static matrix rows_of(matrix of, size_t first, size_t count) {
    return (matrix){of.data ? of.data + first * of.stride : NULL, count, of.cols, of.stride};
}

/* out (batch * (prefix + patches), width): W patch + bias + position, prefix + position */
hl_status patch_embedding(const hl_host *host, const hl_patch_embedding *shape, matrix pixels,
                          const packed_weight *weight, matrix prefix, matrix position, matrix out,
                          hl_error *error) {
    size_t before = prefix.data ? prefix.rows : 0;
    size_t patches = shape->height / shape->patch * (shape->width / shape->patch);
    size_t image = shape->channels * shape->height * shape->width;
    float *gathered = host->allocate(host, image, sizeof *gathered);
    if (!gathered) return hl_no_memory(error, "the patches of an image");
    matrix x = {gathered, patches, weight->in, weight->in};
    for (size_t b = 0; b < shape->batch; ++b) {
        matrix rows = rows_of(out, b * (before + patches), before + patches);
        gather_patches(shape, rows_of(pixels, b, 1).data, gathered);
        linear(host, x, weight, HL_IDENTITY, rows_of(position, before, patches),
               rows_of(rows, before, patches));
        if (before) add_prefix(prefix, position, rows);
    }
    host->release(host, gathered);
    return HL_OK;
}

/* ---- layer norm ---- */

typedef struct norm_job {
    matrix x, out, statistics;
    const float *gain, *shift;
    double epsilon;
} norm_job;

static void norm_row(void *argument, size_t row) {
    const norm_job *job = argument;
    const float *x = job->x.data + row * job->x.stride;
    float *out = job->out.data + row * job->out.stride;
    double mean = 0, variance = 0, count = (double)job->x.cols;
    for (size_t c = 0; c < job->x.cols; ++c) mean += x[c];
    mean /= count;
    for (size_t c = 0; c < job->x.cols; ++c) variance += (x[c] - mean) * (x[c] - mean);
    double deviation = sqrt(variance / count + job->epsilon);
    for (size_t c = 0; c < job->x.cols; ++c) {
        out[c] = (float)((x[c] - mean) / deviation * job->gain[c] + job->shift[c]);
    }
    if (job->statistics.data) {
        job->statistics.data[row * job->statistics.stride] = (float)mean;
        job->statistics.data[row * job->statistics.stride + 1] = (float)deviation;
    }
}

/* out (rows, cols) = (x - mean) / sqrt(var + eps) * gain (cols) + shift (cols) */
void layer_norm(const hl_host *host, matrix x, const float *gain, const float *shift, float epsilon,
                matrix out, matrix statistics) {
    norm_job job = {x, out, statistics, gain, shift, (double)epsilon};
    host->parallel(host, x.rows, norm_row, &job);
}

/* ---- attention ---- */

typedef struct attention_job {
    const hl_host *host;
    const hl_attention *shape;
    matrix q, k, v, out, probabilities;
    size_t q_rows, k_rows, key_width, value_width;
} attention_job;

/* scores (k_rows) = scale * q (key_width) keys (key_width, k_rows) */
VECTORISED static void score_keys(const float *q, const double *restrict keys, size_t key_width,
                                  size_t k_rows, double scale, double *restrict scores) {
    for (size_t j = 0; j < k_rows; ++j) scores[j] = 0;
    for (size_t c = 0; c < key_width; ++c)
        for (size_t j = 0; j < k_rows; ++j) scores[j] += (double)q[c] * keys[c * k_rows + j];
    for (size_t j = 0; j < k_rows; ++j) scores[j] *= scale;
}

static void softmax(double *scores, size_t count) {
    double largest = scores[0], sum = 0;
    for (size_t j = 1; j < count; ++j) largest = fmax(largest, scores[j]);
    for (size_t j = 0; j < count; ++j) sum += scores[j] = exp(scores[j] - largest);
    for (size_t j = 0; j < count; ++j) scores[j] /= sum;
}

/* sums (width) = p (count) v (count, width) */
VECTORISED static void mix_values(const double *p, size_t count, const float *restrict v, size_t stride,
                                  size_t width, double *restrict sums) {
    for (size_t c = 0; c < width; ++c) sums[c] = 0;
    for (size_t j = 0; j < count; ++j)
        for (size_t c = 0; c < width; ++c) sums[c] += p[j] * (double)v[j * stride + c];
}

/* All query rows of one head of one image. keys: (key_width, k_rows); scores: k_rows; sums: value_width */
static void attend(const attention_job *job, size_t b, size_t h, const double *keys, double *scores,
                   double *sums) {
    const hl_attention *shape = job->shape;
    const float *v = job->v.data + b * job->k_rows * job->v.stride + h * job->value_width;
    for (size_t i = 0; i < job->q_rows; ++i) {
        const float *q = job->q.data + (b * job->q_rows + i) * job->q.stride + h * job->key_width;
        float *out = job->out.data + (b * job->q_rows + i) * job->out.stride + h * job->value_width;
        size_t seen = shape->mask == HL_MASK_CAUSAL ? least(i + 1, job->k_rows) : job->k_rows;
        score_keys(q, keys, job->key_width, job->k_rows, (double)shape->scale, scores);
        softmax(scores, seen);
        for (size_t j = seen; j < job->k_rows; ++j) scores[j] = 0;
        mix_values(scores, seen, v, job->v.stride, job->value_width, sums);
        for (size_t c = 0; c < job->value_width; ++c) out[c] = (float)sums[c];
        for (size_t t = 0; job->probabilities.data && t < shape->probe_count; ++t) {
            if (shape->probes[t] != i) continue;
            size_t row = (b * shape->heads + h) * shape->probe_count + t;
            float *to = job->probabilities.data + row * job->probabilities.stride;
            for (size_t j = 0; j < job->k_rows; ++j) to[j] = (float)scores[j];
        }
    }
}

static hl_status attend_head(void *argument, size_t index, hl_error *error) {
    const attention_job *job = argument;
    size_t b = index / job->shape->heads, h = index % job->shape->heads;
    size_t keys = job->key_width * job->k_rows;
    double *scratch = job->host->allocate(job->host, keys + job->k_rows + job->value_width, sizeof *scratch);
    if (!scratch) return hl_no_memory(error, "attention");
    for (size_t j = 0; j < job->k_rows; ++j) {
        const float *k = job->k.data + (b * job->k_rows + j) * job->k.stride + h * job->key_width;
        for (size_t c = 0; c < job->key_width; ++c) scratch[c * job->k_rows + j] = k[c];
    }
    attend(job, b, h, scratch, scratch + keys, scratch + keys + job->k_rows);
    job->host->release(job->host, scratch);
    return HL_OK;
}

/* q (batch * q_rows, heads * key_width), k (batch * k_rows, heads * key_width), v (batch * k_rows, heads *
 * value_width), out (batch * q_rows, heads * value_width), probabilities (batch * heads * probes, k_rows) */
hl_status attention(const hl_host *host, const hl_attention *shape, matrix q, matrix k, matrix v, matrix out,
                    matrix probabilities, hl_error *error) {
    attention_job job = {.host = host,
                         .shape = shape,
                         .q = q,
                         .k = k,
                         .v = v,
                         .out = out,
                         .probabilities = probabilities,
                         .q_rows = q.rows / shape->batch,
                         .k_rows = k.rows / shape->batch,
                         .key_width = q.cols / shape->heads,
                         .value_width = v.cols / shape->heads};
    return hl_parallel(host, shape->batch * shape->heads, attend_head, &job, error);
}

/* ---- gate and rotary positions ---- */

typedef struct gate_job {
    matrix a, b, out;
    hl_activation activation;
} gate_job;

static void gate_row(void *argument, size_t row) {
    const gate_job *job = argument;
    const float *a = job->a.data + row * job->a.stride, *b = job->b.data + row * job->b.stride;
    float *out = job->out.data + row * job->out.stride;
    for (size_t c = 0; c < job->out.cols; ++c) {
        out[c] = (float)(activate(job->activation, a[c]) * (double)b[c]);
    }
}

/* out (rows, cols) = act(a) * b */
void gate(const hl_host *host, matrix a, matrix b, hl_activation activation, matrix out) {
    gate_job job = {a, b, out, activation};
    host->parallel(host, out.rows, gate_row, &job);
}

typedef struct rotary_job {
    const hl_rotary *shape;
    matrix x, cosines, sines;
} rotary_job;

static void rotate_row(void *argument, size_t row) {
    const rotary_job *job = argument;
    size_t token = row % job->cosines.rows, pairs = job->cosines.cols;
    bool halves = job->shape->pairs == HL_PAIR_HALVES;
    const float *cosines = job->cosines.data + token * job->cosines.stride;
    const float *sines = job->sines.data + token * job->sines.stride;
    for (size_t h = 0; h < job->shape->heads; ++h) {
        float *head = job->x.data + row * job->x.stride + h * 2 * pairs;
        for (size_t i = 0; i < pairs; ++i) {
            float *first = head + (halves ? i : 2 * i), *second = halves ? first + pairs : first + 1;
            double a = *first, b = *second, c = cosines[i], s = sines[i];
            *first = (float)(a * c - b * s);
            *second = (float)(b * c + a * s);
        }
    }
}

/* x (rows, heads * 2 * pairs), cosines and sines (tokens, pairs); row r is of token r modulo tokens */
void rotary(const hl_host *host, const hl_rotary *shape, matrix x, matrix cosines, matrix sines) {
    rotary_job job = {shape, x, cosines, sines};
    host->parallel(host, x.rows, rotate_row, &job);
}

/* ---- convolution and pooling ---- */

/* What the kernel covers at cell (row, column) of the output: kernel * kernel * channels numbers, zeros
 * beyond the map. */
static void gather_window(const hl_convolution *shape, matrix map, size_t row, size_t column, float *to) {
    for (size_t y = row * shape->stride; y < row * shape->stride + shape->kernel; ++y)
        for (size_t x = column * shape->stride; x < column * shape->stride + shape->kernel; ++x) {
            bool inside = y >= shape->padding && y - shape->padding < shape->height && x >= shape->padding &&
                          x - shape->padding < shape->width;
            size_t cell = inside ? (y - shape->padding) * shape->width + x - shape->padding : 0;
            for (size_t c = 0; c < shape->channels; ++c) {
                *to++ = inside ? map.data[cell * map.stride + c] : 0.0f;
            }
        }
}

/* out (batch * out_height * out_width, out) = act(W windows + bias + residual), one line of cells after the
 * other */
hl_status convolution(const hl_host *host, const hl_convolution *shape, matrix x, const packed_weight *weight,
                      matrix residual, matrix out, hl_error *error) {
    size_t across = (shape->width + 2 * shape->padding - shape->kernel) / shape->stride + 1;
    size_t lines = out.rows / shape->batch / across, cells = shape->height * shape->width;
    float *windows = host->allocate(host, across, weight->in * sizeof *windows);
    if (!windows) return hl_no_memory(error, "the windows of a convolution");
    for (size_t line = 0; line < shape->batch * lines; ++line) {
        matrix map = rows_of(x, line / lines * cells, cells);
        for (size_t column = 0; column < across; ++column) {
            gather_window(shape, map, line % lines, column, windows + column * weight->in);
        }
        linear_job job = {{windows, across, weight->in, weight->in},
                          rows_of(residual, line * across, across),
                          rows_of(out, line * across, across),
                          weight,
                          shape->activation,
                          true};
        run_panels(host, &job);
    }
    host->release(host, windows);
    return HL_OK;
}

typedef struct pool_job {
    const hl_average_pool *shape;
    matrix x, out;
    size_t x_rows, across, down;
} pool_job;

static void pool_cell(void *argument, size_t row) {
    const pool_job *job = argument;
    const hl_average_pool *shape = job->shape;
    size_t top = row / job->across % job->down * shape->stride, left = row % job->across * shape->stride;
    size_t first = row / (job->across * job->down) * job->x_rows + top * shape->width + left;
    double count = (double)(shape->kernel_height * shape->kernel_width);
    for (size_t c = 0; c < job->x.cols; ++c) {
        double sum = 0;
        for (size_t y = 0; y < shape->kernel_height; ++y)
            for (size_t x = 0; x < shape->kernel_width; ++x) {
                sum += job->x.data[(first + y * shape->width + x) * job->x.stride + c];
            }
        job->out.data[row * job->out.stride + c] = (float)(sum / count);
    }
}

/* out (batch * out_height * out_width, cols): means of x (batch * x_rows, cols) */
void average_pool(const hl_host *host, const hl_average_pool *shape, matrix x, matrix out) {
    pool_job job = {shape,
                    x,
                    out,
                    .x_rows = shape->x_rows ? shape->x_rows : shape->height * shape->width,
                    .across = (shape->width - shape->kernel_width) / shape->stride + 1,
                    .down = (shape->height - shape->kernel_height) / shape->stride + 1};
    host->parallel(host, out.rows, pool_cell, &job);
}

/* ---- copy and products in double ---- */

void copy_matrix(matrix from, matrix to) {
    for (size_t r = 0; r < from.rows; ++r) {
        memcpy(to.data + r * to.stride, from.data + r * from.stride, from.cols * sizeof *to.data);
    }
}

typedef struct product_job {
    size_t n, k, lda, ldb, ldc;
    const double *a, *b;
    double *c;
    bool transpose_a, transpose_b;
} product_job;

/* c (n) += a * b (n) */
VECTORISED static void add_scaled(double a, const double *restrict b, size_t n, double *restrict c) {
    for (size_t j = 0; j < n; ++j) c[j] += a * b[j];
}

static void product_row(void *argument, size_t row) {
    const product_job *job = argument;
    double *c = job->c + row * job->ldc;
    for (size_t j = 0; j < job->n; ++j) c[j] = 0;
    for (size_t i = 0; i < job->k; ++i) {
        double a = job->transpose_a ? job->a[i * job->lda + row] : job->a[row * job->lda + i];
        if (!job->transpose_b) {
            add_scaled(a, job->b + i * job->ldb, job->n, c);
        } else {
            for (size_t j = 0; j < job->n; ++j) c[j] += a * job->b[j * job->ldb + i];
        }
    }
}

void product_f64(const hl_host *host, bool transpose_a, bool transpose_b, size_t m, size_t n, size_t k,
                 const double *a, size_t lda, const double *b, size_t ldb, double *c, size_t ldc) {
    product_job job = {n, k, lda, ldb, ldc, a, b, c, transpose_a, transpose_b};
    host->parallel(host, m, product_row, &job);
}
