/* Attention: each thread takes one (image, head) pair after the other. */
#include "native.h"

/* A head with fewer numbers in its keys is left to the fine kernel. */
enum { FEW = 512 };

typedef struct attention_job {
    hl_backend *backend;
    const attention_kernel *kernel;
    const hl_attention *shape;
    matrix q, k, v, out, probabilities;
    size_t q_rows, k_rows, key_width, value_width;
    size_t pairs, pieces;
} attention_job;

/* The first element that belongs to image b and head h. */
static float *part(matrix of, size_t b, size_t rows, size_t h, size_t width) {
    return of.data + b * rows * of.stride + h * width;
}

static attention_task task_of(const attention_job *job, size_t pair) {
    size_t b = pair / job->shape->heads, h = pair % job->shape->heads;
    return (attention_task){.q = part(job->q, b, job->q_rows, h, job->key_width),
                            .k = part(job->k, b, job->k_rows, h, job->key_width),
                            .v = part(job->v, b, job->k_rows, h, job->value_width),
                            .out = part(job->out, b, job->q_rows, h, job->value_width),
                            .q_stride = job->q.stride,
                            .k_stride = job->k.stride,
                            .v_stride = job->v.stride,
                            .out_stride = job->out.stride,
                            .keys = job->k_rows,
                            .key_width = job->key_width,
                            .value_width = job->value_width,
                            .scale = job->shape->scale,
                            .mask = job->shape->mask};
}

static void attend_pair(const attention_job *job, size_t pair, void *scratch) {
    const attention_kernel *kernel = job->kernel;
    attention_task task = task_of(job, pair);
    kernel->pack(&task, scratch);
    for (; task.first < job->q_rows; task.first += kernel->query_rows) {
        task.count = smaller(kernel->query_rows, job->q_rows - task.first);
        kernel->attend(&task, scratch);
    }
    size_t probes = job->probabilities.data ? job->shape->probe_count : 0;
    for (size_t i = 0; i < probes; ++i) {
        float *out = row_of(job->probabilities, pair * probes + i);
        kernel->probe(&task, job->shape->probes[i], scratch, out);
    }
}

static hl_status attend_piece(void *argument, size_t index, hl_error *error) {
    const attention_job *job = argument;
    const attention_kernel *kernel = job->kernel;
    void *scratch =
        lend(&job->backend->memory, kernel->scratch_bytes(job->k_rows, job->key_width, job->value_width));
    if (!scratch) return hl_no_memory(error, "attention");
    if (kernel->begin) kernel->begin();
    size_t end = piece_edge(job->pairs, job->pieces, index + 1);
    for (size_t pair = piece_edge(job->pairs, job->pieces, index); pair < end; ++pair) {
        attend_pair(job, pair, scratch);
    }
    if (kernel->end) kernel->end();
    give_back(&job->backend->memory, scratch);
    return HL_OK;
}

/* q (batch * q_rows, heads * key_width), k (batch * k_rows, heads * key_width), v (batch * k_rows, heads *
 * value_width), out (batch * q_rows, heads * value_width), probabilities (batch * heads * probes, k_rows) */
hl_status run_attention(hl_backend *backend, const hl_attention *operation, hl_error *error) {
    attention_job job = {.backend = backend,
                         .shape = operation,
                         .q = view(operation->q),
                         .k = view(operation->k),
                         .v = view(operation->v),
                         .out = view(operation->out),
                         .probabilities = view(operation->probabilities)};
    job.q_rows = job.q.rows / operation->batch;
    job.k_rows = job.k.rows / operation->batch;
    job.key_width = job.q.cols / operation->heads;
    job.value_width = job.v.cols / operation->heads;
    bool few = job.k_rows * job.key_width < FEW;
    job.kernel = few ? backend->kernels.fine_attention : backend->kernels.attention;
    job.pairs = operation->batch * operation->heads;
    job.pieces = pieces_of(backend, job.pairs, job.q_rows * job.k_rows * (job.key_width + job.value_width));
    return hl_parallel(backend->host, job.pieces, attend_piece, &job, error);
}
