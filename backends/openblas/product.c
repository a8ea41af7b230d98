/* Products with a weight: linear and patch embedding.
 *
 * The output is cut into one rectangle for each thread. What is added to the product (bias, residual,
 * position) is written to the output first, and OpenBLAS adds the product to it, so it costs no pass of its
 * own. */
#include "backend.h"
#include "kernels.h"

#include <limits.h>
#include <string.h>

/* Below this many multiply-adds waking a thread costs more than it saves. */
enum { WORTH_A_THREAD = 1 << 19 };

size_t pieces_of(const hl_backend *backend, size_t count, size_t cost) {
    size_t pieces = backend->host->threads(backend->host), worth = count * cost / WORTH_A_THREAD + 1;
    if (pieces > worth) pieces = worth;
    return pieces < count ? pieces : count;
}

size_t piece_edge(size_t count, size_t pieces, size_t index, size_t unit) {
    return index == pieces ? count : count * index / pieces / unit * unit;
}

hl_status check_sizes(size_t rows, size_t stride, hl_error *error) {
    if (rows <= INT_MAX && stride <= INT_MAX) return HL_OK;
    return hl_fail(
        error, HL_FAILED,
        "a matrix of %zu rows with %zu elements from row to row is beyond OpenBLAS's sizes (%d): use "
        "a smaller batch",
        rows, stride, INT_MAX);
}

/* ---- weights ---- */

typedef struct transpose_job {
    const hl_weight_source *from;
    float *to;
} transpose_job;

enum { BAND = 64 }; /* columns of the transposed weight that one step writes: a few cache lines a row */

/* to (in, out) = from (out, in) transposed, one band of columns */
static void transpose_band(void *argument, size_t band) {
    const transpose_job *job = argument;
    size_t out = job->from->out, in = job->from->in, end = (band + 1) * BAND < out ? (band + 1) * BAND : out;
    for (size_t block = 0; block < in; block += BAND)
        for (size_t o = band * BAND; o < end; ++o)
            for (size_t i = block; i < in && i < block + BAND; ++i) {
                job->to[i * out + o] = job->from->data[o * in + i];
            }
}

void free_weight(hl_backend *backend, hl_weight *weight) {
    if (!weight) return;
    backend->host->release(backend->host, weight->data);
    backend->host->release(backend->host, weight->bias);
    backend->host->release(backend->host, weight);
}

hl_status prepare_weight(hl_backend *backend, const hl_weight_source *source, hl_weight **out,
                         hl_error *error) {
    const hl_host *host = backend->host;
    *out = NULL;
    hl_status status = check_sizes(source->in, source->out, error);
    if (status != HL_OK) return status;
    hl_weight *weight = host->allocate(host, 1, sizeof *weight);
    if (!weight) return hl_no_memory(error, "a weight");
    *weight = (hl_weight){source->out, source->in, NULL, NULL};
    weight->data = host->allocate(host, source->out * source->in, sizeof *weight->data);
    if (source->bias) weight->bias = host->allocate(host, source->out, sizeof *weight->bias);
    if (!weight->data || (source->bias && !weight->bias)) {
        free_weight(backend, weight);
        return hl_no_memory(error, "a weight");
    }
    transpose_job job = {source, weight->data};
    host->parallel(host, (source->out + BAND - 1) / BAND, transpose_band, &job);
    if (source->bias) memcpy(weight->bias, source->bias, source->out * sizeof *source->bias);
    *out = weight;
    return HL_OK;
}

/* ---- linear ---- */

typedef struct product_job {
    const hl_backend *backend;
    const hl_weight *weight;
    matrix x, residual, out, sums; /* sums: where the product is formed, usually `out` */
    hl_activation activation;
    bool started; /* sums holds already what the product is added to */
    size_t row_pieces, column_pieces;
} product_job;

/* Every row piece packs all of the weight, every column piece all of x; a row of x was measured to cost about
 * twice as much as one of the weight. No piece is so small that OpenBLAS would take other code for it. */
static void cut(product_job *job) {
    size_t cost = job->weight->in * job->weight->out, most = job->x.rows * cost / BLAS_SMALL;
    size_t pieces = pieces_of(job->backend, job->x.rows * job->weight->out, cost / job->weight->out);
    if (pieces > most) pieces = most > 0 ? most : 1;
    size_t least = SIZE_MAX;
    for (size_t rows = 1; rows <= pieces; ++rows) {
        if (pieces % rows != 0) continue;
        size_t packed = 2 * job->x.rows * (pieces / rows) + job->weight->out * rows;
        if (packed >= least) continue;
        least = packed;
        job->row_pieces = rows;
        job->column_pieces = pieces / rows;
    }
}

/* Edges fall between the small tiles that OpenBLAS works in, and between cache lines. */
enum { ROW_UNIT = 4, COLUMN_UNIT = 16 };

static size_t row_edge(const product_job *job, size_t index) {
    size_t tile = job->backend->blas->row_unit;
    return piece_edge(job->x.rows, job->row_pieces, index, tile < ROW_UNIT ? ROW_UNIT : tile);
}

static void finish_row(const product_job *job, size_t row, size_t first, size_t count) {
    float *sums = row_of(job->sums, row) + first, *out = row_of(job->out, row) + first;
    activate_row(job->activation, sums, count);
    if (sums == out) return;
    const float *residual = row_of(job->residual, row) + first;
    start_row(sums, residual, out, count);
}

/* sums += x W for all rows of x and some columns of W. */
static void add_sums(const product_job *job, matrix x, size_t left, matrix sums) {
    /* Beyond some ten thousand rows OpenBLAS cuts as it likes. */
    enum { AT_ONCE = 4800 };
    const blas_functions *blas = job->backend->blas;
    const hl_weight *weight = job->weight;
    for (size_t row = 0, now; row < x.rows; row += now) {
        now = x.rows - row < 2 * AT_ONCE ? x.rows - row : AT_ONCE;
        int before = blas_begin(blas);
        blas->sgemm(BLAS_ROW_MAJOR, BLAS_AS_IS, BLAS_AS_IS, (int)now, (int)sums.cols, (int)weight->in, 1.0f,
                    row_of(x, row), (int)x.stride, weight->data + left, (int)weight->out, 1.0f,
                    row_of(sums, row), (int)sums.stride);
        blas_end(blas, before);
    }
}

static void copy_rows(matrix from, matrix to) {
    for (size_t r = 0; r < from.rows; ++r) memcpy(row_of(to, r), row_of(from, r), from.cols * sizeof(float));
}

/* The same for rows that do not fill a tile, followed by zeros up to `padded` rows. */
static hl_status add_padded(const product_job *job, matrix x, size_t left, matrix sums, size_t padded,
                            hl_error *error) {
    const hl_host *host = job->backend->host;
    float *scratch = host->allocate(host, padded, (x.cols + sums.cols) * sizeof *scratch);
    if (!scratch) return hl_no_memory(error, "a product");
    matrix full_x = {scratch, padded, x.cols, x.cols};
    matrix full_sums = {scratch + padded * x.cols, padded, sums.cols, sums.cols};
    copy_rows(x, full_x);
    copy_rows(sums, full_sums);
    add_sums(job, full_x, left, full_sums);
    full_sums.rows = sums.rows;
    copy_rows(full_sums, sums);
    host->release(host, scratch);
    return HL_OK;
}

static matrix rows_of(matrix m, size_t first, size_t count) {
    return (matrix){row_of(m, first), count, m.cols, m.stride};
}

/* A row's result is to depend on that row alone: not on how many there are, nor where it stands among them.
 * OpenBLAS forms the sums of all rows alike as long as they fill its tiles and are no small matrix. With a
 * kernel where they are not (see trial.h), nothing is gained by that. */
static hl_status add_evenly(const product_job *job, matrix x, size_t left, matrix sums, hl_error *error) {
    size_t tile = job->backend->blas->row_unit;
    if (tile == 0) {
        add_sums(job, x, left, sums);
        return HL_OK;
    }
    size_t least = BLAS_SMALL / (job->weight->in * sums.cols) + 1;
    size_t whole = x.rows / tile * tile, rest = x.rows - whole;
    if (whole < least) {
        whole = 0;
        rest = x.rows;
    }
    add_sums(job, rows_of(x, 0, whole), left, rows_of(sums, 0, whole));
    if (rest == 0) return HL_OK;
    size_t padded = ((rest < least ? least : rest) + tile - 1) / tile * tile;
    return add_padded(job, rows_of(x, whole, rest), left, rows_of(sums, whole, rest), padded, error);
}

/* One rectangle of the output. */
static hl_status multiply_piece(void *argument, size_t index, hl_error *error) {
    const product_job *job = argument;
    const hl_weight *weight = job->weight;
    size_t r = index / job->column_pieces, c = index % job->column_pieces;
    size_t top = row_edge(job, r), bottom = row_edge(job, r + 1);
    size_t left = piece_edge(weight->out, job->column_pieces, c, COLUMN_UNIT);
    size_t cols = piece_edge(weight->out, job->column_pieces, c + 1, COLUMN_UNIT) - left;
    if (top == bottom || cols == 0) return HL_OK;
    bool plain = job->sums.data == job->out.data;
    for (size_t row = top; row < bottom && !job->started; ++row) {
        const float *residual = plain && job->residual.data ? row_of(job->residual, row) + left : NULL;
        start_row(weight->bias ? weight->bias + left : NULL, residual, row_of(job->sums, row) + left, cols);
    }
    matrix sums = {row_of(job->sums, top) + left, bottom - top, cols, job->sums.stride};
    hl_status status = add_evenly(job, rows_of(job->x, top, bottom - top), left, sums, error);
    if (status != HL_OK || job->activation == HL_IDENTITY) return status;
    for (size_t row = top; row < bottom; ++row) finish_row(job, row, left, cols);
    return HL_OK;
}

static hl_status multiply(product_job *job, hl_error *error) {
    hl_status status = check_sizes(job->x.rows, job->x.stride, error);
    if (status == HL_OK) status = check_sizes(job->out.rows, job->out.stride, error);
    if (status != HL_OK) return status;
    cut(job);
    return hl_parallel(job->backend->host, job->row_pieces * job->column_pieces, multiply_piece, job, error);
}

hl_status add_product(hl_backend *backend, const hl_weight *weight, matrix x, matrix out,
                      hl_activation activation, hl_error *error) {
    product_job job = {.backend = backend,
                       .weight = weight,
                       .x = x,
                       .out = out,
                       .sums = out,
                       .activation = activation,
                       .started = true};
    return multiply(&job, error);
}

hl_status check_activation(hl_activation activation, hl_error *error) {
    return activation <= HL_RELU
               ? HL_OK
               : hl_fail(error, HL_USAGE, "compute/openblas does not know activation %d", (int)activation);
}

/* out (rows, out) = act(x (rows, in) W^T (in, out) + bias (out)) + residual (rows, out) */
hl_status run_linear(hl_backend *backend, const hl_linear *operation, hl_error *error) {
    hl_status status = check_activation(operation->activation, error);
    if (status != HL_OK) return status;
    product_job job = {.backend = backend,
                       .weight = operation->weight,
                       .x = view(operation->x),
                       .residual = view(operation->residual),
                       .out = view(operation->out),
                       .activation = operation->activation};
    job.sums = job.out;
    /* A residual after an activation may lie where the result will: the product needs a place of its own. */
    float *apart = NULL;
    if (job.activation != HL_IDENTITY && job.residual.data) {
        apart = backend->host->allocate(backend->host, job.out.rows * job.out.cols, sizeof *apart);
        if (!apart) return hl_no_memory(error, "a product");
        job.sums = (matrix){apart, job.out.rows, job.out.cols, job.out.cols};
    }
    status = multiply(&job, error);
    backend->host->release(backend->host, apart);
    return status;
}

/* ---- patch embedding ---- */

typedef struct patch_job {
    const hl_patch_embedding *shape;
    const hl_weight *weight;
    matrix pixels, prefix, position, out;
    size_t before, tokens; /* prefix tokens, all tokens of an image */
    float *patches;        /* (batch * tokens, in); zeros for prefix tokens */
} patch_job;

/* in numbers of one patch of an image (channels, height, width) */
static void gather_patch(const hl_patch_embedding *shape, const float *image, size_t index, float *to) {
    size_t patch = shape->patch, across = shape->width / patch;
    for (size_t channel = 0; channel < shape->channels; ++channel)
        for (size_t y = 0; y < patch; ++y, to += patch) {
            size_t line = channel * shape->height + index / across * patch + y;
            memcpy(to, image + line * shape->width + index % across * patch, patch * sizeof *to);
        }
}

/* Lays out the tokens of one image and starts their rows of the output. */
static void gather_image(void *argument, size_t b) {
    const patch_job *job = argument;
    const hl_patch_embedding *shape = job->shape;
    const float *image = row_of(job->pixels, b);
    for (size_t token = 0; token < job->tokens; ++token) {
        bool is_prefix = token < job->before;
        size_t row = b * job->tokens + token;
        const float *start = is_prefix ? row_of(job->prefix, token) : job->weight->bias;
        start_row(start, row_of(job->position, token), row_of(job->out, row), job->weight->out);
        if (is_prefix) continue;
        gather_patch(shape, image, token - job->before, job->patches + row * job->weight->in);
    }
}

/* out (batch * tokens, width): one product for all images, in which prefix tokens take part as zeros. */
hl_status run_patch_embedding(hl_backend *backend, const hl_patch_embedding *operation, hl_error *error) {
    const hl_host *host = backend->host;
    patch_job job = {.shape = operation,
                     .weight = operation->weight,
                     .pixels = view(operation->pixels),
                     .prefix = view(operation->prefix),
                     .position = view(operation->position),
                     .out = view(operation->out)};
    size_t patch = operation->patch;
    job.before = job.prefix.data ? job.prefix.rows : 0;
    job.tokens = job.before + operation->height / patch * (operation->width / patch);
    size_t rows = operation->batch * job.tokens, in = job.weight->in;
    job.patches = host->allocate(host, rows * in, sizeof *job.patches);
    if (!job.patches) return hl_no_memory(error, "the patches of a batch");
    host->parallel(host, operation->batch, gather_image, &job);
    hl_status status =
        add_product(backend, job.weight, (matrix){job.patches, rows, in, in}, job.out, HL_IDENTITY, error);
    host->release(host, job.patches);
    return status;
}
