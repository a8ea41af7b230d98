/* compute/native: no library, code of its own for each kind of processor, in the precision that is asked for.
 */
#include "headlight/plugin.h"
#include "native.h"

#include <string.h>

enum { KERNEL, PRECISION }; /* rows of the table */

static const hl_option options[] = {
    [KERNEL] = {.name = "kernel",
                .type = HL_CHOICE,
                .fallback = "auto",
                .choices = kernel_words,
                .help = "whose instructions do the products; auto: the fastest that this machine has"},
    [PRECISION] = {.name = "precision",
                   .type = HL_CHOICE,
                   .fallback = "auto",
                   .choices = precision_words,
                   .help = "how products are made: in f32, from six, three or one product of bf16, or in "
                           "int8; auto: the fastest whose results count as f32"},
};

/* OpenBLAS says 50. With AVX2 it is as fast, and with less it is faster. */
static int score(const hl_host *host) {
    (void)host;
    processor machine = processor_of_this_machine();
    return machine.avx512 ? 60 : machine.avx2 ? 40 : 20;
}

static void close_backend(hl_backend *backend) {
    if (!backend) return;
    lender_close(&backend->memory);
    shelf_close(&backend->shelf);
    backend->host->release(backend->host, backend);
}

static void warn_of_plain(const hl_backend *backend, const char *kernel) {
    const product_kernel *chosen = backend->kernels.product;
    const product_kernel *better =
        strcmp(kernel, "auto") == 0 ? better_than(&backend->processor, chosen) : NULL;
    if (!better) return;
    backend->host->log(
        backend->host, HL_LOG_WARNING,
        "this processor has no instructions for `precision: %s`, which plain C takes dozens of "
        "times longer for; `precision: %s` runs in %s here, and is no less exact",
        precision_words[chosen->precision], precision_words[better->precision], better->name);
}

static hl_status open_backend(const hl_host *host, const hl_value *const *values, hl_backend **out,
                              hl_error *error) {
    hl_backend *backend = *out = host->allocate(host, 1, sizeof *backend);
    if (!backend) return hl_no_memory(error, "a compute backend");
    backend->host = host;
    backend->processor = processor_of_this_machine();
    hl_status status = choose_kernels(&backend->processor, values[KERNEL]->string,
                                      (precision)values[PRECISION]->integer, &backend->kernels, error);
    if (status == HL_OK && !(lender_open(&backend->memory, host) && shelf_open(&backend->shelf, host)))
        status = hl_no_memory(error, "a compute backend");
    if (status != HL_OK) {
        close_backend(backend);
        *out = NULL;
        return status;
    }
    warn_of_plain(backend, values[KERNEL]->string);
    unsigned threads = host->threads(host);
    snprintf(backend->description, sizeof backend->description,
             "native, kernel %s, precision %s, %u thread%s", backend->kernels.product->name,
             precision_words[backend->kernels.product->precision], threads, threads == 1 ? "" : "s");
    return HL_OK;
}

static const char *describe(const hl_backend *backend) {
    return backend->description;
}

static const char *kernel_name(const hl_backend *backend) {
    return backend->kernels.product->name;
}

static const char *precision_name(const hl_backend *backend) {
    return precision_words[backend->kernels.product->precision];
}

static double tolerance(const hl_backend *backend) {
    return backend->kernels.product->tolerance;
}

size_t pieces_of(const hl_backend *backend, size_t count, size_t cost) {
    enum {
        WORTH_A_THREAD = 1 << 19
    }; /* below so many multiply-adds waking a thread costs more than it saves */
    size_t worth = count * cost / WORTH_A_THREAD + 1;
    return smaller(smaller(backend->host->threads(backend->host), worth), count);
}

/* ---- tensors ---- */

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

typedef struct copy_job {
    matrix from, to;
    size_t pieces;
} copy_job;

static void copy_piece(void *argument, size_t index) {
    const copy_job *job = argument;
    size_t end = piece_edge(job->from.rows, job->pieces, index + 1);
    for (size_t r = piece_edge(job->from.rows, job->pieces, index); r < end; ++r) {
        memcpy(row_of(job->to, r), row_of(job->from, r), job->from.cols * sizeof(float));
    }
}

/* A number that is copied takes as long as some that are multiplied. */
static void copy_rows(const hl_backend *backend, matrix from, matrix to) {
    enum { COST = 8 };
    copy_job job = {from, to, pieces_of(backend, from.rows, from.cols * COST)};
    backend->host->parallel(backend->host, job.pieces, copy_piece, &job);
}

static hl_status upload(hl_backend *backend, const float *data, hl_matrix to, hl_error *error) {
    (void)backend, (void)error;
    for (size_t r = 0; r < to.rows; ++r) {
        memcpy(row_of(view(to), r), data + r * to.cols, to.cols * sizeof *data);
    }
    return HL_OK;
}

static hl_status download(hl_backend *backend, hl_matrix from, float *data, hl_error *error) {
    (void)error;
    copy_rows(backend, view(from), (matrix){data, from.rows, from.cols, from.cols});
    return HL_OK;
}

static hl_status copy(hl_backend *backend, const hl_copy *operation, hl_error *error) {
    (void)error;
    copy_rows(backend, view(operation->from), view(operation->to));
    return HL_OK;
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
    .prepare = prepare_weight,
    .prepare_rows = prepare_weight_rows,
    .free_weight = free_weight,
    .linear = run_linear,
    .patch_embedding = run_patch_embedding,
    .layer_norm = run_layer_norm,
    .attention = run_attention,
    .copy = copy,
    .product_f64 = run_product_f64,
    .symmetric_eigen_f64 = run_symmetric_eigen_f64,
    .kernel = kernel_name,
    .precision = precision_name,
    .tolerance = tolerance,
    .gate = run_gate,
    .rotary = run_rotary,
    .convolution = run_convolution,
    .average_pool = run_average_pool,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_COMPUTE, "native", "1.0.0", "code of its own for tiles and vectors, on all cores"),
    HL_OPTIONS(options),
    .api = &api,
};
