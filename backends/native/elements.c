/* Gates, rotary positions and pooling: rows of numbers, spread over the threads. Each number is rounded alike
 * in all widths of vectors. */
#include "native.h"

#include <string.h>

/* ---- gate ---- */

typedef struct gate_job {
    void (*activate)(hl_activation activation, float *x, size_t count);
    hl_activation activation;
    matrix a, b, out;
    size_t pieces;
} gate_job;

VECTORISED static void multiply_numbers(const float *by, float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] *= by[i];
}

static void gate_piece(void *argument, size_t index) {
    const gate_job *job = argument;
    size_t end = piece_edge(job->out.rows, job->pieces, index + 1), cols = job->out.cols;
    for (size_t r = piece_edge(job->out.rows, job->pieces, index); r < end; ++r) {
        const float *a = row_of(job->a, r);
        float *out = row_of(job->out, r);
        if (a != out) memcpy(out, a, cols * sizeof *out);
        if (job->activation != HL_IDENTITY) job->activate(job->activation, out, cols);
        multiply_numbers(row_of(job->b, r), out, cols);
    }
}

/* out (rows, cols) = act(a) * b */
hl_status run_gate(hl_backend *backend, const hl_gate *operation, hl_error *error) {
    enum { STEPS = 12 }; /* about as many multiply-adds an element */
    (void)error;
    gate_job job = {backend->kernels.rows->activate,
                    operation->activation,
                    view(operation->a),
                    view(operation->b),
                    view(operation->out),
                    pieces_of(backend, operation->out.rows, operation->out.cols * STEPS)};
    backend->host->parallel(backend->host, job.pieces, gate_piece, &job);
    return HL_OK;
}

/* ---- rotary positions ---- */

typedef struct rotary_job {
    matrix x, cosines, sines;
    void (*turn)(float *restrict x, const float *restrict cosines, const float *restrict sines, size_t pairs);
    size_t heads, pieces;
} rotary_job;

VECTORISED static void turn_neighbours(float *restrict x, const float *restrict cosines,
                                       const float *restrict sines, size_t pairs) {
    for (size_t i = 0; i < pairs; ++i) {
        float a = x[2 * i], b = x[2 * i + 1];
        x[2 * i] = a * cosines[i] - b * sines[i];
        x[2 * i + 1] = b * cosines[i] + a * sines[i];
    }
}

VECTORISED static void turn_halves(float *restrict x, const float *restrict cosines,
                                   const float *restrict sines, size_t pairs) {
    for (size_t i = 0; i < pairs; ++i) {
        float a = x[i], b = x[i + pairs];
        x[i] = a * cosines[i] - b * sines[i];
        x[i + pairs] = b * cosines[i] + a * sines[i];
    }
}

static void turn_piece(void *argument, size_t index) {
    const rotary_job *job = argument;
    size_t end = piece_edge(job->x.rows, job->pieces, index + 1), pairs = job->cosines.cols;
    for (size_t r = piece_edge(job->x.rows, job->pieces, index); r < end; ++r) {
        size_t token = r % job->cosines.rows;
        for (size_t h = 0; h < job->heads; ++h) {
            job->turn(row_of(job->x, r) + h * 2 * pairs, row_of(job->cosines, token),
                      row_of(job->sines, token), pairs);
        }
    }
}

/* x (rows, heads * 2 * pairs); cosines, sines (tokens, pairs) */
hl_status run_rotary(hl_backend *backend, const hl_rotary *operation, hl_error *error) {
    enum { STEPS = 4 };
    bool halves = operation->pairs == HL_PAIR_HALVES;
    if (!halves && operation->pairs != HL_PAIR_NEIGHBOURS) {
        return hl_fail(error, HL_USAGE, "compute/native does not know rotary pairs of kind %d",
                       (int)operation->pairs);
    }
    rotary_job job = {
        view(operation->x),     view(operation->cosines),
        view(operation->sines), halves ? turn_halves : turn_neighbours,
        operation->heads,       pieces_of(backend, operation->x.rows, operation->x.cols * STEPS)};
    backend->host->parallel(backend->host, job.pieces, turn_piece, &job);
    return HL_OK;
}

/* ---- pooling ---- */

typedef struct pool_job {
    const hl_average_pool *shape;
    matrix x, out;
    size_t image_rows, down, across, pieces;
} pool_job;

VECTORISED static void add_numbers(const float *more, float *sums, size_t count) {
    for (size_t i = 0; i < count; ++i) sums[i] += more[i];
}

VECTORISED static void divide_numbers(float by, float *x, size_t count) {
    for (size_t i = 0; i < count; ++i) x[i] /= by;
}

static void pool_window(const pool_job *job, size_t row) {
    const hl_average_pool *shape = job->shape;
    size_t image = row / (job->down * job->across);
    size_t top = row / job->across % job->down * shape->stride, left = row % job->across * shape->stride;
    float *out = row_of(job->out, row);
    memset(out, 0, job->x.cols * sizeof *out);
    for (size_t y = top; y < top + shape->kernel_height; ++y)
        for (size_t x = left; x < left + shape->kernel_width; ++x) {
            add_numbers(row_of(job->x, image * job->image_rows + y * shape->width + x), out, job->x.cols);
        }
    divide_numbers((float)(shape->kernel_height * shape->kernel_width), out, job->x.cols);
}

static void pool_piece(void *argument, size_t index) {
    const pool_job *job = argument;
    size_t end = piece_edge(job->out.rows, job->pieces, index + 1);
    for (size_t r = piece_edge(job->out.rows, job->pieces, index); r < end; ++r) pool_window(job, r);
}

/* out (batch * out_height * out_width, cols), x (batch * x_rows, cols) */
hl_status run_average_pool(hl_backend *backend, const hl_average_pool *operation, hl_error *error) {
    (void)error;
    pool_job job = {.shape = operation,
                    .x = view(operation->x),
                    .out = view(operation->out),
                    .image_rows =
                        operation->x_rows ? operation->x_rows : operation->height * operation->width,
                    .down = (operation->height - operation->kernel_height) / operation->stride + 1,
                    .across = (operation->width - operation->kernel_width) / operation->stride + 1};
    job.pieces =
        pieces_of(backend, job.out.rows, operation->kernel_height * operation->kernel_width * job.x.cols);
    backend->host->parallel(backend->host, job.pieces, pool_piece, &job);
    return HL_OK;
}
