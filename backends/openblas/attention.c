/* Attention: each thread takes some of the (image, head) pairs and forms their scores, probabilities and
 * mixed values in a scratch matrix of its own that stays in the cache. */
#include "backend.h"
#include "kernels.h"

#include <string.h>

typedef struct attention_job {
    const hl_backend *backend;
    const hl_attention *shape;
    matrix q, k, v, out, probabilities;
    size_t q_rows, k_rows, key_width, value_width;
    size_t pairs, pieces;
    float *scores; /* (pieces, q_rows, k_rows) */
} attention_job;

/* The part of a matrix that belongs to image b and head h. */
static matrix part(matrix of, size_t b, size_t rows, size_t h, size_t width) {
    return (matrix){of.data + b * rows * of.stride + h * width, rows, width, of.stride};
}

/* out (rows, cols) = scale * a (rows, inner) b, where b is (inner, cols) or, transposed, (cols, inner) */
static void multiply(const blas_functions *blas, float scale, matrix a, matrix b, bool transposed,
                     matrix out) {
    int way = transposed ? BLAS_TRANSPOSED : BLAS_AS_IS;
    if (out.rows > 1) {
        blas->sgemm(BLAS_ROW_MAJOR, BLAS_AS_IS, way, (int)out.rows, (int)out.cols, (int)a.cols, scale, a.data,
                    (int)a.stride, b.data, (int)b.stride, 0.0f, out.data, (int)out.stride);
    } else {
        way = transposed ? BLAS_AS_IS : BLAS_TRANSPOSED;
        blas->sgemv(BLAS_ROW_MAJOR, way, (int)b.rows, (int)b.cols, scale, b.data, (int)b.stride, a.data, 1,
                    0.0f, out.data, 1);
    }
}

static void normalise(const attention_job *job, matrix scores) {
    for (size_t i = 0; i < scores.rows; ++i) {
        size_t seen = scores.cols;
        if (job->shape->mask == HL_MASK_CAUSAL && i + 1 < seen) seen = i + 1;
        float *row = row_of(scores, i);
        softmax_row(row, seen);
        memset(row + seen, 0, (scores.cols - seen) * sizeof *row);
    }
}

static void keep_probes(const attention_job *job, size_t pair, matrix scores) {
    const hl_attention *shape = job->shape;
    for (size_t t = 0; t < shape->probe_count; ++t) {
        memcpy(row_of(job->probabilities, pair * shape->probe_count + t), row_of(scores, shape->probes[t]),
               scores.cols * sizeof *scores.data);
    }
}

static void attend(void *argument, size_t index) {
    const attention_job *job = argument;
    const blas_functions *blas = job->backend->blas;
    float *scratch = job->scores + index * job->q_rows * job->k_rows;
    matrix scores = {scratch, job->q_rows, job->k_rows, job->k_rows};
    size_t end = piece_edge(job->pairs, job->pieces, index + 1, 1);
    int before = blas_begin(blas);
    for (size_t pair = piece_edge(job->pairs, job->pieces, index, 1); pair < end; ++pair) {
        size_t b = pair / job->shape->heads, h = pair % job->shape->heads;
        multiply(blas, job->shape->scale, part(job->q, b, job->q_rows, h, job->key_width),
                 part(job->k, b, job->k_rows, h, job->key_width), true, scores);
        normalise(job, scores);
        multiply(blas, 1.0f, scores, part(job->v, b, job->k_rows, h, job->value_width), false,
                 part(job->out, b, job->q_rows, h, job->value_width));
        if (job->probabilities.data) keep_probes(job, pair, scores);
    }
    blas_end(blas, before);
}

static hl_status check(const attention_job *job, hl_error *error) {
    const matrix all[] = {job->q, job->k, job->v, job->out};
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof all / sizeof *all && status == HL_OK; ++i) {
        status = check_sizes(all[i].rows, all[i].stride, error);
    }
    return status;
}

/* q (batch * q_rows, heads * key_width), k (batch * k_rows, heads * key_width), v (batch * k_rows, heads *
 * value_width), out (batch * q_rows, heads * value_width), probabilities (batch * heads * probes, k_rows) */
hl_status run_attention(hl_backend *backend, const hl_attention *operation, hl_error *error) {
    const hl_host *host = backend->host;
    attention_job job = {.backend = backend,
                         .shape = operation,
                         .q = view(operation->q),
                         .k = view(operation->k),
                         .v = view(operation->v),
                         .out = view(operation->out),
                         .probabilities = view(operation->probabilities)};
    hl_status status = check(&job, error);
    if (status != HL_OK) return status;
    job.q_rows = job.q.rows / operation->batch;
    job.k_rows = job.k.rows / operation->batch;
    job.key_width = job.q.cols / operation->heads;
    job.value_width = job.v.cols / operation->heads;
    job.pairs = operation->batch * operation->heads;
    job.pieces = pieces_of(backend, job.pairs, job.q_rows * job.k_rows * (job.key_width + job.value_width));
    job.scores = host->allocate(host, job.pieces * job.q_rows * job.k_rows, sizeof *job.scores);
    if (!job.scores) return hl_no_memory(error, "the scores of attention");
    host->parallel(host, job.pieces, attend, &job);
    host->release(host, job.scores);
    return HL_OK;
}
