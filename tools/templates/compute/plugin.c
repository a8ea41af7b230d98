/* @NAME@: a backend in plain C. It has what a backend must have; what may be missing (layer norm, attention,
 * copy, double precision) is missing, so that the host runs it on compute/reference. */
#include <headlight/compute.h>
#include <headlight/plugin.h>

#include <math.h>
#include <string.h>

struct hl_backend {
    const hl_host *host;
};

struct hl_tensor {
    float *elements;
};

struct hl_weight {
    size_t out, in;
    float *data, *bias; /* bias NULL: none */
};

/* ---- the backend, its tensors and weights ---- */

static int score(const hl_host *host) {
    (void)host;
    return 1; /* as compute/reference: `auto` prefers what is faster */
}

static hl_status open_backend(const hl_host *host, const hl_value *const *values, hl_backend **backend,
                              hl_error *error) {
    (void)values;
    *backend = host->allocate(host, 1, sizeof **backend);
    if (!*backend) return hl_no_memory(error, "a backend");
    (*backend)->host = host;
    return HL_OK;
}

static void close_backend(hl_backend *backend) {
    if (backend) backend->host->release(backend->host, backend);
}

static const char *describe(const hl_backend *backend) {
    (void)backend;
    return "plain C";
}

static void free_tensor(hl_backend *backend, hl_tensor *tensor) {
    if (!tensor) return;
    backend->host->release(backend->host, tensor->elements);
    backend->host->release(backend->host, tensor);
}

static hl_status new_tensor(hl_backend *backend, size_t count, hl_tensor **tensor, hl_error *error) {
    const hl_host *host = backend->host;
    *tensor = host->allocate(host, 1, sizeof **tensor);
    if (*tensor) (*tensor)->elements = host->allocate(host, count, sizeof(float));
    if (*tensor && (*tensor)->elements) return HL_OK;
    free_tensor(backend, *tensor);
    *tensor = NULL;
    return hl_no_memory(error, "a tensor");
}

static float *row_of(hl_matrix matrix, size_t row) {
    return matrix.tensor->elements + matrix.offset + row * matrix.stride;
}

static hl_status upload(hl_backend *backend, const float *data, hl_matrix to, hl_error *error) {
    (void)backend;
    (void)error;
    for (size_t r = 0; r < to.rows; ++r) memcpy(row_of(to, r), data + r * to.cols, to.cols * sizeof *data);
    return HL_OK;
}

static hl_status download(hl_backend *backend, hl_matrix from, float *data, hl_error *error) {
    (void)backend;
    (void)error;
    for (size_t r = 0; r < from.rows; ++r) {
        memcpy(data + r * from.cols, row_of(from, r), from.cols * sizeof *data);
    }
    return HL_OK;
}

static void free_weight(hl_backend *backend, hl_weight *weight) {
    if (!weight) return;
    backend->host->release(backend->host, weight->data);
    backend->host->release(backend->host, weight->bias);
    backend->host->release(backend->host, weight);
}

static float *copy_of(const hl_host *host, const float *numbers, size_t count) {
    float *copy = host->allocate(host, count, sizeof *copy);
    if (copy) memcpy(copy, numbers, count * sizeof *copy);
    return copy;
}

static hl_status prepare(hl_backend *backend, const hl_weight_source *source, hl_weight **weight,
                         hl_error *error) {
    const hl_host *host = backend->host;
    hl_weight *made = *weight = host->allocate(host, 1, sizeof *made);
    if (!made) return hl_no_memory(error, "a weight");
    *made = (hl_weight){.out = source->out, .in = source->in};
    made->data = copy_of(host, source->data, source->out * source->in);
    if (source->bias) made->bias = copy_of(host, source->bias, source->out);
    if (made->data && (made->bias || !source->bias)) return HL_OK;
    free_weight(backend, made);
    *weight = NULL;
    return hl_no_memory(error, "a weight");
}

/* ---- arithmetic ---- */

static double activated(hl_activation activation, double x) {
    switch (activation) {
    case HL_GELU:
        return x * erfc(-x / sqrt(2)) / 2;
    case HL_QUICK_GELU:
        return x / (1 + exp(-1.702 * x));
    case HL_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
    case HL_SILU:
        return x / (1 + exp(-x));
    case HL_RELU:
        return x > 0 ? x : 0;
    default:
        return x;
    }
}

/* Output number `output` of a row of inputs. */
static double product(const hl_weight *weight, size_t output, const float *x) {
    double sum = weight->bias ? (double)weight->bias[output] : 0;
    const float *w = weight->data + output * weight->in;
    for (size_t i = 0; i < weight->in; ++i) sum += (double)w[i] * (double)x[i];
    return sum;
}

static void linear_row(void *argument, size_t r) {
    const hl_linear *operation = argument;
    const float *x = row_of(operation->x, r);
    const float *residual = operation->residual.tensor ? row_of(operation->residual, r) : NULL;
    float *out = row_of(operation->out, r);
    for (size_t o = 0; o < operation->out.cols; ++o) {
        double value = activated(operation->activation, product(operation->weight, o, x));
        out[o] = (float)(value + (residual ? (double)residual[o] : 0));
    }
}

static hl_status linear(hl_backend *backend, const hl_linear *operation, hl_error *error) {
    hl_linear job = *operation;
    (void)error;
    backend->host->parallel(backend->host, job.out.rows, linear_row, &job);
    return HL_OK;
}

/* The pixels of patch (y, x) of an image, in the order of the weight's inputs. */
static void gather(const hl_patch_embedding *job, const float *image, size_t y, size_t x, float *patch) {
    for (size_t c = 0; c < job->channels; ++c) {
        for (size_t i = 0; i < job->patch; ++i) {
            const float *from = image + (c * job->height + y * job->patch + i) * job->width + x * job->patch;
            memcpy(patch, from, job->patch * sizeof *patch);
            patch += job->patch;
        }
    }
}

static void embed_token(const hl_patch_embedding *job, size_t image, size_t token, float *patch) {
    size_t prefix = job->prefix.tensor ? job->prefix.rows : 0, across = job->width / job->patch;
    size_t tokens = prefix + job->height / job->patch * across;
    float *out = row_of(job->out, image * tokens + token);
    const float *position = job->position.tensor ? row_of(job->position, token) : NULL;
    if (token >= prefix) {
        size_t cell = token - prefix;
        gather(job, row_of(job->pixels, image), cell / across, cell % across, patch);
    }
    for (size_t o = 0; o < job->out.cols; ++o) {
        double value =
            token < prefix ? (double)row_of(job->prefix, token)[o] : product(job->weight, o, patch);
        out[o] = (float)(value + (position ? (double)position[o] : 0));
    }
}

static hl_status patch_embedding(hl_backend *backend, const hl_patch_embedding *job, hl_error *error) {
    const hl_host *host = backend->host;
    size_t prefix = job->prefix.tensor ? job->prefix.rows : 0;
    size_t tokens = prefix + job->height / job->patch * (job->width / job->patch);
    float *patch = host->allocate(host, job->channels * job->patch * job->patch, sizeof *patch);
    if (!patch) return hl_no_memory(error, "a patch");
    for (size_t b = 0; b < job->batch; ++b) {
        for (size_t token = 0; token < tokens; ++token) embed_token(job, b, token, patch);
    }
    host->release(host, patch);
    return HL_OK;
}

static const hl_compute_api api = {
    .size = sizeof api,
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
    .linear = linear,
    .patch_embedding = patch_embedding,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_COMPUTE, "@NAME@", "0.1.0", "products in plain C"),
    .api = &api,
};
