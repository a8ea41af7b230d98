/* compute/reference: the operations of compute.h in plain C, in double precision, without any library. Slow,
 * and right: what other backends are tested against, and what stands in for operations that they lack. */
#include "operations.h"

#include "headlight/plugin.h"
#include <string.h>

struct hl_backend {
    const hl_host *host;
    char description[64];
};

struct hl_tensor {
    float *data;
};

struct hl_weight {
    packed_weight packed;
};

static matrix view(hl_matrix m) {
    return (matrix){m.tensor ? m.tensor->data + m.offset : NULL, m.rows, m.cols, m.stride};
}

static int score(const hl_host *host) {
    (void)host;
    return 1;
}

static hl_status open_backend(const hl_host *host, const hl_value *const *values, hl_backend **out,
                              hl_error *error) {
    (void)values;
    hl_backend *backend = *out = host->allocate(host, 1, sizeof *backend);
    if (!backend) return hl_no_memory(error, "a compute backend");
    backend->host = host;
    unsigned threads = host->threads(host);
    snprintf(backend->description, sizeof backend->description, "plain C in double precision, %u thread%s",
             threads, threads == 1 ? "" : "s");
    return HL_OK;
}

static void close_backend(hl_backend *backend) {
    if (backend) backend->host->release(backend->host, backend);
}

static const char *describe(const hl_backend *backend) {
    return backend->description;
}

static const char *kernel(const hl_backend *backend) {
    (void)backend;
    return "C";
}

static const char *precision(const hl_backend *backend) {
    (void)backend;
    return "f32, sums in f64";
}

static double tolerance(const hl_backend *backend) {
    (void)backend;
    return 2e-5;
}

static void free_tensor(hl_backend *backend, hl_tensor *tensor) {
    if (tensor) backend->host->release(backend->host, tensor->data);
    backend->host->release(backend->host, tensor);
}

static hl_status new_tensor(hl_backend *backend, size_t count, hl_tensor **out, hl_error *error) {
    hl_tensor *tensor = *out = backend->host->allocate(backend->host, 1, sizeof *tensor);
    if (tensor) tensor->data = backend->host->allocate(backend->host, count, sizeof *tensor->data);
    if (tensor && tensor->data) return HL_OK;
    free_tensor(backend, tensor);
    *out = NULL;
    return hl_no_memory(error, "a tensor");
}

static hl_status upload(hl_backend *backend, const float *data, hl_matrix to, hl_error *error) {
    (void)backend, (void)error;
    for (size_t r = 0; r < to.rows; ++r) {
        memcpy(to.tensor->data + to.offset + r * to.stride, data + r * to.cols, to.cols * sizeof *data);
    }
    return HL_OK;
}

static hl_status download(hl_backend *backend, hl_matrix from, float *data, hl_error *error) {
    (void)backend, (void)error;
    copy_matrix(view(from), (matrix){data, from.rows, from.cols, from.cols});
    return HL_OK;
}

static hl_status prepare(hl_backend *backend, const hl_weight_source *source, hl_weight **out,
                         hl_error *error) {
    hl_weight *weight = *out = backend->host->allocate(backend->host, 1, sizeof *weight);
    if (!weight) return hl_no_memory(error, "a weight");
    hl_status status = pack_weight(backend->host, source, &weight->packed, error);
    if (status == HL_OK) return HL_OK;
    backend->host->release(backend->host, weight);
    *out = NULL;
    return status;
}

static void free_weight(hl_backend *backend, hl_weight *weight) {
    if (weight) release_weight(backend->host, &weight->packed);
    backend->host->release(backend->host, weight);
}

static hl_status check_activation(hl_activation activation, hl_error *error) {
    return activation <= HL_RELU
               ? HL_OK
               : hl_fail(error, HL_USAGE, "compute/reference does not know activation %d", (int)activation);
}

static hl_status run_linear(hl_backend *backend, const hl_linear *operation, hl_error *error) {
    hl_status status = check_activation(operation->activation, error);
    if (status != HL_OK) return status;
    linear(backend->host, view(operation->x), &operation->weight->packed, operation->activation,
           view(operation->residual), view(operation->out));
    return HL_OK;
}

static hl_status run_patch_embedding(hl_backend *backend, const hl_patch_embedding *operation,
                                     hl_error *error) {
    return patch_embedding(backend->host, operation, view(operation->pixels), &operation->weight->packed,
                           view(operation->prefix), view(operation->position), view(operation->out), error);
}

static hl_status run_layer_norm(hl_backend *backend, const hl_layer_norm *operation, hl_error *error) {
    (void)error;
    layer_norm(backend->host, view(operation->x), view(operation->gain).data, view(operation->shift).data,
               operation->epsilon, view(operation->out), view(operation->statistics));
    return HL_OK;
}

static hl_status run_attention(hl_backend *backend, const hl_attention *operation, hl_error *error) {
    return attention(backend->host, operation, view(operation->q), view(operation->k), view(operation->v),
                     view(operation->out), view(operation->probabilities), error);
}

static hl_status run_copy(hl_backend *backend, const hl_copy *operation, hl_error *error) {
    (void)backend, (void)error;
    copy_matrix(view(operation->from), view(operation->to));
    return HL_OK;
}

static hl_status run_gate(hl_backend *backend, const hl_gate *operation, hl_error *error) {
    hl_status status = check_activation(operation->activation, error);
    if (status != HL_OK) return status;
    gate(backend->host, view(operation->a), view(operation->b), operation->activation, view(operation->out));
    return HL_OK;
}

static hl_status run_rotary(hl_backend *backend, const hl_rotary *operation, hl_error *error) {
    if (operation->pairs != HL_PAIR_NEIGHBOURS && operation->pairs != HL_PAIR_HALVES) {
        return hl_fail(error, HL_USAGE, "compute/reference does not know rotary pairs of kind %d",
                       (int)operation->pairs);
    }
    rotary(backend->host, operation, view(operation->x), view(operation->cosines), view(operation->sines));
    return HL_OK;
}

static hl_status run_convolution(hl_backend *backend, const hl_convolution *operation, hl_error *error) {
    hl_status status = check_activation(operation->activation, error);
    if (status != HL_OK) return status;
    return convolution(backend->host, operation, view(operation->x), &operation->weight->packed,
                       view(operation->residual), view(operation->out), error);
}

static hl_status run_average_pool(hl_backend *backend, const hl_average_pool *operation, hl_error *error) {
    (void)error;
    average_pool(backend->host, operation, view(operation->x), view(operation->out));
    return HL_OK;
}

static hl_status run_product_f64(hl_backend *backend, bool transpose_a, bool transpose_b, size_t m, size_t n,
                                 size_t k, const double *a, size_t lda, const double *b, size_t ldb,
                                 double *c, size_t ldc, hl_error *error) {
    (void)error;
    product_f64(backend->host, transpose_a, transpose_b, m, n, k, a, lda, b, ldb, c, ldc);
    return HL_OK;
}

static hl_status run_symmetric_eigen_f64(hl_backend *backend, size_t n, double *a, double *eigenvalues,
                                         hl_error *error) {
    return symmetric_eigen_f64(backend->host, n, a, eigenvalues, error);
}

static const hl_compute_api api = {
    .size = sizeof(hl_compute_api),
    .score = score,
    .open = open_backend,
    .close = close_backend,
    .describe = describe,
    .new_tensor = new_tensor,
    .free_tensor = free_tensor,
    .upload = upload,
    .download = download,
    .prepare = prepare,
    .free_weight = free_weight,
    .linear = run_linear,
    .patch_embedding = run_patch_embedding,
    .layer_norm = run_layer_norm,
    .attention = run_attention,
    .copy = run_copy,
    .gate = run_gate,
    .rotary = run_rotary,
    .convolution = run_convolution,
    .average_pool = run_average_pool,
    .product_f64 = run_product_f64,
    .symmetric_eigen_f64 = run_symmetric_eigen_f64,
    .kernel = kernel,
    .precision = precision,
    .tolerance = tolerance,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_COMPUTE, "reference", "1.0.0", "plain C in double precision: slow, and the judge of others"),
    .api = &api,
};
