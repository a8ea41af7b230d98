/* compute/openblas: products by OpenBLAS, the rest by vector code of its own, both spread over the host's
 * threads. */
#include "headlight/plugin.h"
#include "backend.h"
#include "kernels.h"

#include <limits.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

static void describe_library(hl_backend *backend, unsigned threads) {
    const char *config = backend->blas->config(), *space = strchr(config, ' ');
    const char *end = space ? strchr(space + 1, ' ') : NULL; /* the first two words: name and version */
    snprintf(backend->description, sizeof backend->description, "%.*s, kernel %s, %u thread%s",
             end ? (int)(end - config) : 40, config, backend->blas->core_name(), threads,
             threads == 1 ? "" : "s");
}

/* Once in a process: it opens backends as often as it has models. */
static void warn_once(const hl_host *host, const char *advice) {
    static atomic_flag warned = ATOMIC_FLAG_INIT;
    if (advice[0] && !atomic_flag_test_and_set(&warned)) host->log(host, HL_LOG_WARNING, "%s", advice);
}

/* Whoever names a library wants it, even where another backend would be faster. */
static bool is_wanted(void) {
    const char *wanted = secure_getenv("HEADLIGHT_OPENBLAS");
    return wanted && *wanted;
}

static int score_at_most(const hl_host *host) {
    enum { USUAL = 50, WANTED = 90 };
    (void)host;
    return is_wanted() ? WANTED : USUAL;
}

static int score(const hl_host *host) {
    const blas_functions *found;
    hl_error why;
    if (blas_open(host->threads(host), &found, &why) == HL_OK) return score_at_most(host);
    if (is_wanted()) warn_once(host, why.message);
    return 0;
}

static hl_status open_backend(const hl_host *host, const hl_value *const *values, hl_backend **out,
                              hl_error *error) {
    (void)values;
    *out = NULL;
    const blas_functions *found;
    unsigned threads = host->threads(host);
    hl_status status = blas_open(threads, &found, error);
    if (status != HL_OK) return status;
    hl_backend *backend = *out = host->allocate(host, 1, sizeof *backend);
    if (!backend) return hl_no_memory(error, "a compute backend");
    backend->host = host;
    backend->blas = found;
    describe_library(backend, threads);
    warn_once(host, found->advice);
    return HL_OK;
}

static void close_backend(hl_backend *backend) {
    if (backend) backend->host->release(backend->host, backend);
}

static const char *describe(const hl_backend *backend) {
    return backend->description;
}

static const char *kernel(const hl_backend *backend) {
    return backend->blas->core_name();
}

static const char *precision(const hl_backend *backend) {
    (void)backend;
    return "f32";
}

static double tolerance(const hl_backend *backend) {
    (void)backend;
    return 1e-4;
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

static hl_status copy(hl_backend *backend, const hl_copy *operation, hl_error *error) {
    (void)backend, (void)error;
    hl_matrix from = operation->from, to = operation->to;
    for (size_t r = 0; r < from.rows; ++r) {
        memcpy(row_of(view(to), r), row_of(view(from), r), from.cols * sizeof(float));
    }
    return HL_OK;
}

static hl_status upload(hl_backend *backend, const float *data, hl_matrix to, hl_error *error) {
    (void)backend, (void)error;
    for (size_t r = 0; r < to.rows; ++r) {
        memcpy(row_of(view(to), r), data + r * to.cols, to.cols * sizeof *data);
    }
    return HL_OK;
}

static hl_status download(hl_backend *backend, hl_matrix from, float *data, hl_error *error) {
    (void)backend, (void)error;
    for (size_t r = 0; r < from.rows; ++r) {
        memcpy(data + r * from.cols, row_of(view(from), r), from.cols * sizeof *data);
    }
    return HL_OK;
}

/* ---- layer norm ---- */

typedef struct norm_job {
    matrix x, gain, shift, out, statistics;
    float epsilon;
    size_t pieces;
} norm_job;

static void norm_piece(void *argument, size_t index) {
    const norm_job *job = argument;
    size_t end = piece_edge(job->x.rows, job->pieces, index + 1, 1);
    for (size_t r = piece_edge(job->x.rows, job->pieces, index, 1); r < end; ++r) {
        layer_norm_row(row_of(job->x, r), job->x.cols, job->gain.data, job->shift.data, job->epsilon,
                       row_of(job->out, r), row_of(job->statistics, r));
    }
}

/* out (rows, cols), statistics (rows, 2) */
static hl_status layer_norm(hl_backend *backend, const hl_layer_norm *operation, hl_error *error) {
    (void)error;
    enum { STEPS = 8 }; /* about as many multiply-adds an element */
    norm_job job = {view(operation->x),
                    view(operation->gain),
                    view(operation->shift),
                    view(operation->out),
                    view(operation->statistics),
                    operation->epsilon,
                    pieces_of(backend, operation->x.rows, operation->x.cols * STEPS)};
    backend->host->parallel(backend->host, job.pieces, norm_piece, &job);
    return HL_OK;
}

/* ---- double precision ---- */

typedef struct product_job {
    const blas_functions *blas;
    bool transpose_a, transpose_b;
    size_t m, n, k, lda, ldb, ldc, pieces;
    const double *a, *b;
    double *c;
} product_job;

static void product_piece(void *argument, size_t index) {
    const product_job *job = argument;
    size_t first = piece_edge(job->m, job->pieces, index, 1);
    size_t rows = piece_edge(job->m, job->pieces, index + 1, 1) - first;
    int before = blas_begin(job->blas);
    job->blas->dgemm(BLAS_ROW_MAJOR, job->transpose_a ? BLAS_TRANSPOSED : BLAS_AS_IS,
                     job->transpose_b ? BLAS_TRANSPOSED : BLAS_AS_IS, (int)rows, (int)job->n, (int)job->k,
                     1.0, job->a + first * (job->transpose_a ? 1 : job->lda), (int)job->lda, job->b,
                     (int)job->ldb, 0.0, job->c + first * job->ldc, (int)job->ldc);
    blas_end(job->blas, before);
}

/* c (m, n) = op(a) (m, k) op(b) (k, n) */
static hl_status product_f64(hl_backend *backend, bool transpose_a, bool transpose_b, size_t m, size_t n,
                             size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                             size_t ldc, hl_error *error) {
    hl_status status = check_sizes(m, n, error);
    if (status == HL_OK) status = check_sizes(k, lda, error);
    if (status == HL_OK) status = check_sizes(ldb, ldc, error);
    if (status != HL_OK) return status;
    product_job job = {backend->blas,
                       transpose_a,
                       transpose_b,
                       m,
                       n,
                       k,
                       lda,
                       ldb,
                       ldc,
                       pieces_of(backend, m, n * k),
                       a,
                       b,
                       c};
    backend->host->parallel(backend->host, job.pieces, product_piece, &job);
    return HL_OK;
}

/* Makes the first of the largest components positive. Those that differ by rounding alone count as equal. */
static void orient(double *vector, size_t n) {
    double largest = 0;
    for (size_t i = 0; i < n; ++i) largest = fmax(largest, fabs(vector[i]));
    size_t first = 0;
    while (first + 1 < n && fabs(vector[first]) < largest * (1 - 1e-10)) ++first;
    if (vector[first] >= 0) return;
    for (size_t i = 0; i < n; ++i) vector[i] = -vector[i];
}

/* a (n, n) -> eigenvectors in rows: LAPACK's columns, seen row by row */
static hl_status symmetric_eigen_f64(hl_backend *backend, size_t n, double *a, double *eigenvalues,
                                     hl_error *error) {
    if (n > INT_MAX / 64) return check_sizes(SIZE_MAX, n, error);
    int order = (int)n, room = 34 * order, info = 0; /* (block + 2) n, with a block of 32 */
    double *work = backend->host->allocate(backend->host, (size_t)room, sizeof *work);
    if (!work) return hl_no_memory(error, "eigenvectors");
    int before = blas_begin(backend->blas);
    backend->blas->dsyev("V", "L", &order, a, &order, eigenvalues, work, &room, &info, 1, 1);
    blas_end(backend->blas, before);
    backend->host->release(backend->host, work);
    if (info != 0 || !isfinite(eigenvalues[n - 1])) {
        return hl_fail(
            error, HL_FAILED,
            "eigenvalues of a %zu x %zu matrix: LAPACK's dsyev says %d; does the matrix hold infinite "
            "or undefined numbers?",
            n, n, info);
    }
    for (size_t i = 0; i < n; ++i) orient(a + i * n, n);
    return HL_OK;
}

static const hl_compute_api api = {
    .size = sizeof(hl_compute_api),
    .score = score,
    .score_at_most = score_at_most,
    .open = open_backend,
    .close = close_backend,
    .describe = describe,
    .new_tensor = new_tensor,
    .free_tensor = free_tensor,
    .upload = upload,
    .download = download,
    .prepare = prepare_weight,
    .free_weight = free_weight,
    .linear = run_linear,
    .patch_embedding = run_patch_embedding,
    .layer_norm = layer_norm,
    .attention = run_attention,
    .copy = copy,
    .gate = run_gate,
    .rotary = run_rotary,
    .convolution = run_convolution,
    .average_pool = run_average_pool,
    .product_f64 = product_f64,
    .symmetric_eigen_f64 = symmetric_eigen_f64,
    .kernel = kernel,
    .precision = precision,
    .tolerance = tolerance,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_COMPUTE, "openblas", "1.0.0", "products by OpenBLAS, on all cores"),
    .api = &api,
};
