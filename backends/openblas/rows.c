/* Gates and rotary positions: a row at a time, spread over the threads. */
#include "backend.h"
#include "kernels.h"

#include <string.h>

typedef struct gate_job {
    matrix a, b, out;
    hl_activation activation;
    size_t pieces;
} gate_job;

static void gate_piece(void *argument, size_t index) {
    const gate_job *job = argument;
    size_t end = piece_edge(job->out.rows, job->pieces, index + 1, 1), cols = job->out.cols;
    for (size_t r = piece_edge(job->out.rows, job->pieces, index, 1); r < end; ++r) {
        const float *a = row_of(job->a, r);
        float *out = row_of(job->out, r);
        if (a != out) memcpy(out, a, cols * sizeof *out);
        activate_row(job->activation, out, cols);
        multiply_row(out, row_of(job->b, r), out, cols);
    }
}

/* out (rows, cols) = act(a) * b */
hl_status run_gate(hl_backend *backend, const hl_gate *operation, hl_error *error) {
    enum { STEPS = 12 }; /* about as many multiply-adds an element */
    hl_status status = check_activation(operation->activation, error);
    if (status != HL_OK) return status;
    gate_job job = {view(operation->a), view(operation->b), view(operation->out), operation->activation,
                    pieces_of(backend, operation->out.rows, operation->out.cols * STEPS)};
    backend->host->parallel(backend->host, job.pieces, gate_piece, &job);
    return HL_OK;
}

typedef struct rotary_job {
    matrix x, cosines, sines;
    void (*rotate)(float *x, const float *cosines, const float *sines, size_t pairs);
    size_t heads, pieces;
} rotary_job;

static void rotate_piece(void *argument, size_t index) {
    const rotary_job *job = argument;
    size_t end = piece_edge(job->x.rows, job->pieces, index + 1, 1), pairs = job->cosines.cols;
    for (size_t r = piece_edge(job->x.rows, job->pieces, index, 1); r < end; ++r) {
        const float *cosines = row_of(job->cosines, r % job->cosines.rows);
        const float *sines = row_of(job->sines, r % job->sines.rows);
        for (size_t h = 0; h < job->heads; ++h) {
            job->rotate(row_of(job->x, r) + h * 2 * pairs, cosines, sines, pairs);
        }
    }
}

/* x (rows, heads * 2 * pairs), cosines and sines (tokens, pairs); row r is of token r modulo tokens */
hl_status run_rotary(hl_backend *backend, const hl_rotary *operation, hl_error *error) {
    enum { STEPS = 4 };
    if (operation->pairs != HL_PAIR_NEIGHBOURS && operation->pairs != HL_PAIR_HALVES) {
        return hl_fail(error, HL_USAGE, "compute/openblas does not know rotary pairs of kind %d",
                       (int)operation->pairs);
    }
    rotary_job job = {
        view(operation->x),     view(operation->cosines),
        view(operation->sines), operation->pairs == HL_PAIR_HALVES ? rotate_halves : rotate_neighbours,
        operation->heads,       pieces_of(backend, operation->x.rows, operation->x.cols * STEPS)};
    backend->host->parallel(backend->host, job.pieces, rotate_piece, &job);
    return HL_OK;
}
