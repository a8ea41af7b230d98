/* Convolution and pooling of maps. */
#include "backend.h"
#include "kernels.h"

#include <string.h>

/* ---- convolution: what the kernel covers is laid out in rows, some at a time, and multiplied ---- */

enum { WINDOW_NUMBERS = 1 << 20 }; /* in rows that are laid out at once: 4 MiB */

typedef struct window_job {
    const hl_convolution *shape;
    const hl_weight *weight;
    matrix x, residual, out;
    size_t across, down; /* cells of the output */
    size_t first, rows;  /* of the output, that are laid out now */
    float *windows;      /* (rows, in); NULL: a window is a row of x as it lies there */
    size_t pieces;
} window_job;

/* One line of the kernel at cell (y, left), where either may lie beyond the map by the padding. */
static void gather_line(const window_job *job, const float *map, size_t y, size_t left, float *to) {
    const hl_convolution *shape = job->shape;
    size_t channels = shape->channels, width = shape->width, padding = shape->padding;
    for (size_t x = left; x < left + shape->kernel; ++x, to += channels) {
        if (y < padding || y - padding >= shape->height || x < padding || x - padding >= width) {
            memset(to, 0, channels * sizeof *to);
        } else {
            size_t cell = (y - padding) * width + x - padding;
            memcpy(to, map + cell * job->x.stride, channels * sizeof *to);
        }
    }
}

/* The window of one row of the output. */
static void gather_window(const window_job *job, size_t row, float *to) {
    const hl_convolution *shape = job->shape;
    size_t image = row / (job->across * job->down), cell = row % (job->across * job->down);
    size_t top = cell / job->across * shape->stride, left = cell % job->across * shape->stride;
    const float *map = row_of(job->x, image * shape->height * shape->width);
    for (size_t y = 0; y < shape->kernel; ++y, to += shape->kernel * shape->channels) {
        gather_line(job, map, top + y, left, to);
    }
}

/* Lays out some windows and starts their rows of the output. */
static void gather_piece(void *argument, size_t index) {
    const window_job *job = argument;
    size_t end = piece_edge(job->rows, job->pieces, index + 1, 1);
    for (size_t i = piece_edge(job->rows, job->pieces, index, 1); i < end; ++i) {
        size_t row = job->first + i;
        if (job->windows) gather_window(job, row, job->windows + i * job->weight->in);
        start_row(job->weight->bias, row_of(job->residual, row), row_of(job->out, row), job->weight->out);
    }
}

/* Rows from job->first on. */
static hl_status convolve_rows(hl_backend *backend, window_job *job, hl_error *error) {
    size_t in = job->weight->in;
    job->pieces = pieces_of(backend, job->rows, in + job->weight->out);
    backend->host->parallel(backend->host, job->pieces, gather_piece, job);
    matrix out = {row_of(job->out, job->first), job->rows, job->out.cols, job->out.stride};
    matrix windows = {job->windows, job->rows, in, in};
    if (!job->windows) windows = (matrix){row_of(job->x, job->first), job->rows, in, job->x.stride};
    return add_product(backend, job->weight, windows, out, job->shape->activation, error);
}

/* out (batch * out_height * out_width, out) = act(W windows + bias + residual) */
hl_status run_convolution(hl_backend *backend, const hl_convolution *operation, hl_error *error) {
    const hl_host *host = backend->host;
    hl_status status = check_activation(operation->activation, error);
    if (status != HL_OK) return status;
    size_t beyond = 2 * operation->padding - operation->kernel, stride = operation->stride;
    window_job job = {.shape = operation,
                      .weight = operation->weight,
                      .x = view(operation->x),
                      .residual = view(operation->residual),
                      .out = view(operation->out),
                      .across = (operation->width + beyond) / stride + 1,
                      .down = (operation->height + beyond) / stride + 1};
    size_t in = job.weight->in, most = job.out.rows;
    if (operation->kernel > 1 || stride > 1 || operation->padding > 0) {
        if (most > WINDOW_NUMBERS / in + 1) most = WINDOW_NUMBERS / in + 1;
        job.windows = host->allocate(host, most, in * sizeof *job.windows);
        if (!job.windows) return hl_no_memory(error, "the windows of a convolution");
    }
    for (; job.first < job.out.rows && status == HL_OK; job.first += job.rows) {
        job.rows = most < job.out.rows - job.first ? most : job.out.rows - job.first;
        status = convolve_rows(backend, &job, error);
    }
    host->release(host, job.windows);
    return status;
}

/* ---- pooling ---- */

typedef struct pool_job {
    const hl_average_pool *shape;
    matrix x, out;
    size_t x_rows, across, down, pieces;
} pool_job;

static void pool_cell(const pool_job *job, size_t row) {
    const hl_average_pool *shape = job->shape;
    size_t top = row / job->across % job->down * shape->stride, left = row % job->across * shape->stride;
    size_t first = row / (job->across * job->down) * job->x_rows + top * shape->width + left;
    float *out = row_of(job->out, row);
    memset(out, 0, job->x.cols * sizeof *out);
    for (size_t y = 0; y < shape->kernel_height; ++y)
        for (size_t x = 0; x < shape->kernel_width; ++x) {
            add_row(row_of(job->x, first + y * shape->width + x), out, job->x.cols);
        }
    scale_row(1.0f / (float)(shape->kernel_height * shape->kernel_width), out, job->x.cols);
}

static void pool_piece(void *argument, size_t index) {
    const pool_job *job = argument;
    size_t end = piece_edge(job->out.rows, job->pieces, index + 1, 1);
    for (size_t row = piece_edge(job->out.rows, job->pieces, index, 1); row < end; ++row) pool_cell(job, row);
}

/* out (batch * out_height * out_width, cols): means of x (batch * x_rows, cols) */
hl_status run_average_pool(hl_backend *backend, const hl_average_pool *operation, hl_error *error) {
    (void)error;
    pool_job job = {.shape = operation,
                    .x = view(operation->x),
                    .out = view(operation->out),
                    .x_rows = operation->x_rows ? operation->x_rows : operation->height * operation->width,
                    .across = (operation->width - operation->kernel_width) / operation->stride + 1,
                    .down = (operation->height - operation->kernel_height) / operation->stride + 1};
    size_t window = operation->kernel_height * operation->kernel_width;
    job.pieces = pieces_of(backend, job.out.rows, window * job.x.cols);
    backend->host->parallel(backend->host, job.pieces, pool_piece, &job);
    return HL_OK;
}
