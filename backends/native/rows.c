/* Layer norm, row by row. */
#include "native.h"

typedef struct norm_job {
    const row_kernel *kernel;
    matrix x, gain, shift, out, statistics;
    float epsilon;
    size_t pieces;
} norm_job;

static void norm_piece(void *argument, size_t index) {
    const norm_job *job = argument;
    size_t end = piece_edge(job->x.rows, job->pieces, index + 1);
    for (size_t r = piece_edge(job->x.rows, job->pieces, index); r < end; ++r) {
        float unwanted[2], *statistics = row_of(job->statistics, r);
        job->kernel->layer_norm(row_of(job->x, r), job->gain.data, job->shift.data, job->epsilon, job->x.cols,
                                row_of(job->out, r), statistics ? statistics : unwanted);
    }
}

/* out (rows, cols), statistics (rows, 2) */
hl_status run_layer_norm(hl_backend *backend, const hl_layer_norm *operation, hl_error *error) {
    (void)error;
    enum { STEPS = 8 }; /* about as many multiply-adds an element */
    norm_job job = {backend->kernels.rows, view(operation->x),
                    view(operation->gain), view(operation->shift),
                    view(operation->out),  view(operation->statistics),
                    operation->epsilon,    pieces_of(backend, operation->x.rows, operation->x.cols * STEPS)};
    backend->host->parallel(backend->host, job.pieces, norm_piece, &job);
    return HL_OK;
}
