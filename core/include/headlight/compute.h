/* Compute backends: the operations that a transformer needs, on opaque tensors that the backend owns.
 *
 * Operations are coarse so that a backend may fuse them. They may be asynchronous: an operation may only be
 * queued when its call returns, the order of calls is kept, and an error may surface at the next `download`
 * instead. Whatever lies in a tensor is f32 as seen through `upload` and `download`; how it is stored is
 * private.
 *
 * An operation is a struct that starts with its size. The host hands it to a backend with at least the length
 * that the backend knows, whatever the plugin that made it knew; a field that is missing there is zero.
 *
 * Threads: calls on one hl_backend may come from several threads as long as they touch different tensors.
 * Nothing is called after `close`.
 *
 * (optional): the field may be NULL; the host then runs the operation on the plugin `reference`, moving its
 * operands there and back, and `headlight plugins compute/NAME` says so. Model plugins never see the
 * difference: the table that they get from the host is complete. */
#ifndef HEADLIGHT_COMPUTE_H
#define HEADLIGHT_COMPUTE_H

#include "host.h"
#include "option.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct hl_backend hl_backend; /* an opened backend */
typedef struct hl_tensor hl_tensor;   /* f32 elements in a row, owned by the backend */
typedef struct hl_weight hl_weight;   /* a prepared matrix with its bias, immutable */

/* A matrix that lies in a tensor: element (r, c) is number offset + r * stride + c. stride >= cols, or rows
 * <= 1. tensor == NULL stands for "none" where a comment allows it. Frozen: it will not grow. */
typedef struct hl_matrix {
    hl_tensor *tensor;
    size_t offset, rows, cols, stride;
} hl_matrix;

typedef enum hl_activation {
    HL_IDENTITY = 0,
    HL_GELU,       /* x Phi(x) with the error function (Hendrycks and Gimpel 2016, section 2) */
    HL_QUICK_GELU, /* x / (1 + exp(-1.702 x)) (same, section 2: the sigmoid approximation; OpenAI's CLIP uses
                      it) */
    HL_GELU_TANH,  /* x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) (same, section 2) */
    HL_SILU,       /* x / (1 + exp(-x)) (same, section 4) */
    HL_RELU        /* max(x, 0) */
} hl_activation;

typedef enum hl_mask { HL_MASK_NONE = 0, HL_MASK_CAUSAL } hl_mask;

/* What a weight is for, so that a backend may choose its own packing, precision or calibration. */
typedef enum hl_role {
    HL_ROLE_PATCH = 1, /* patch embedding */
    HL_ROLE_QKV,       /* the projection into queries, keys and values, or some of them */
    HL_ROLE_OUT,       /* attention's output projection */
    HL_ROLE_MLP_IN,
    HL_ROLE_MLP_OUT,
    HL_ROLE_EMBED,      /* the projection into the joint space */
    HL_ROLE_CONVOLUTION /* since ABI 2.2: for `convolution`, and nothing else */
} hl_role;

typedef struct hl_weight_source {
    uint32_t size; /* sizeof(hl_weight_source) */
    hl_role role;
    int layer;         /* -1: outside the layers */
    size_t out, in;    /* out x in */
    const float *data; /* row-major, one row for each output; read only during `prepare` */
    const float *bias; /* out numbers, or NULL for none */
} hl_weight_source;

/* A matrix whose rows are handed over when they are asked for. Frozen: it will not grow. */
typedef struct hl_rows hl_rows;
struct hl_rows {
    /* Rows [first, first + count) to `to`, one behind the other. [any thread, several at once] */
    hl_status (*read)(const hl_rows *rows, size_t first, size_t count, float *to, hl_error *error);
};

/* out = act(x W^T + bias) + residual. x: rows x in; out and residual: rows x out. `residual.tensor` may be
 * NULL and may be the very same matrix as `out`; otherwise `out` overlaps no operand. */
typedef struct hl_linear {
    uint32_t size; /* sizeof(hl_linear) */
    hl_matrix x, residual, out;
    const hl_weight *weight;
    hl_activation activation;
} hl_linear;

/* out[r] = (x[r] - mean) / sqrt(var + eps) * gain + shift, with the population variance (Ba, Kiros and Hinton
 * 2016, section 3). x, out: rows x cols; `out` may be the same matrix as `x`. gain, shift: 1 x cols.
 * statistics: rows x 2, gets mean and sqrt(var + eps); its tensor may be NULL. */
typedef struct hl_layer_norm {
    uint32_t size; /* sizeof(hl_layer_norm) */
    hl_matrix x, gain, shift, out, statistics;
    float epsilon;
} hl_layer_norm;

/* Multi-head attention (Vaswani et al. 2017, section 3.2). For each image b and head h:
 *     p = softmax(scale * q k^T + mask), out = p v
 * q and out: batch * q_rows rows; k and v: batch * k_rows rows; the rows of image b come together. q and k
 * hold heads * key_width columns, v and out heads * value_width. `mask` HL_MASK_CAUSAL: query row i sees keys
 * 0 .. i. probabilities: batch * heads * probe_count rows of k_rows, in that order, for the query rows in
 * `probes`; its tensor may be NULL. `out` overlaps no operand. */
typedef struct hl_attention {
    uint32_t size; /* sizeof(hl_attention) */
    hl_matrix q, k, v, out, probabilities;
    size_t batch, heads;
    float scale;
    hl_mask mask;
    const size_t *probes; /* query rows within an image; read during the call */
    size_t probe_count;
} hl_attention;

/* Patch embedding (Dosovitskiy et al. 2021, section 3.1). pixels: batch rows of channels * height * width,
 * each an image, plane after plane. weight: out = width of the tower, in = channels * patch * patch in that
 * order. out: batch * (prefix.rows + patches) rows; the row of prefix token i is prefix[i] + position[i],
 * that of patch j (row-major from the top left corner) is W x + bias + position[prefix.rows + j]. height and
 * width are multiples of `patch`. prefix.tensor may be NULL (no prefix tokens, and prefix.rows is 0);
 * position: (prefix.rows + patches) x cols, its tensor may be NULL. `out` overlaps no operand. */
typedef struct hl_patch_embedding {
    uint32_t size; /* sizeof(hl_patch_embedding) */
    hl_matrix pixels, prefix, position, out;
    const hl_weight *weight;
    size_t batch, channels, height, width, patch;
} hl_patch_embedding;

/* to = from: the same rows and cols; they do not overlap. */
typedef struct hl_copy {
    uint32_t size; /* sizeof(hl_copy) */
    hl_matrix from, to;
} hl_copy;

/* The four operations below: since ABI 2.2. */

/* out = act(a) * b, element by element: the gate of an MLP (Shazeer 2020, "GLU Variants Improve Transformer",
 * section 2). a, b, out: rows x cols; `out` may be the same matrix as `a`. */
typedef struct hl_gate {
    uint32_t size; /* sizeof(hl_gate) */
    hl_matrix a, b, out;
    hl_activation activation;
} hl_gate;

/* Which two of a head's numbers make a pair that turns. */
typedef enum hl_rotary_pairs {
    HL_PAIR_NEIGHBOURS = 1, /* 2i and 2i + 1 */
    HL_PAIR_HALVES          /* i and i + width / 2 */
} hl_rotary_pairs;

/* Rotary positions (Su et al. 2021, section 3.4), in place: pair i of every head of row r, (a, b), becomes
 * (a c - b s, b c + a s) with c = cosines[t][i], s = sines[t][i], t = r modulo the tables' rows.
 * x: rows x heads * width, rows a multiple of the tables' rows; cosines, sines: tokens x width / 2. A token
 * that has no position turns by nothing: cosines of 1, sines of 0. */
typedef struct hl_rotary {
    uint32_t size; /* sizeof(hl_rotary) */
    hl_matrix x, cosines, sines;
    size_t heads;
    uint32_t pairs; /* an hl_rotary_pairs */
} hl_rotary;

/* Convolution over maps whose cells are rows, row-major from the top left corner, and whose channels are
 * columns: out = act(conv(x) + bias + residual); note that here, unlike in `hl_linear`, the activation comes
 * last. x: batch * height * width rows of `channels` columns; out, residual: batch * out_height * out_width
 * rows, out_height = (height + 2 padding - kernel) / stride + 1, and the same across. weight: in = kernel *
 * kernel * channels in that order (row of the kernel, column, channel). Beyond the map lie zeros.
 * `residual.tensor` may be NULL and may be the very same matrix as `out`; otherwise `out` overlaps no
 * operand. */
typedef struct hl_convolution {
    uint32_t size; /* sizeof(hl_convolution) */
    hl_matrix x, residual, out;
    const hl_weight *weight;
    hl_activation activation;
    size_t batch, height, width, channels, kernel, stride, padding;
} hl_convolution;

/* The mean of the cells in each window of maps laid out as for hl_convolution. Image b's map lies in the rows
 * from b * x_rows on (x_rows >= height * width; 0: height * width), so that a map may be part of a sequence.
 * out: batch * out_height * out_width rows, out_height = (height - kernel_height) / stride + 1, and the same
 * across; a window as large as the map gives its mean. `out` overlaps no operand. */
typedef struct hl_average_pool {
    uint32_t size; /* sizeof(hl_average_pool) */
    hl_matrix x, out;
    size_t batch, height, width, x_rows, kernel_height, kernel_width, stride;
} hl_average_pool;

typedef struct hl_compute_api {
    uint32_t size;

    /* How well this backend suits the machine: 0 cannot run here, `reference` says 1, more is better; `auto`
     * takes the highest. Loads no more than it must. [any thread] */
    int (*score)(const hl_host *host);

    /* `values` are those of the plugin's option table. On success *backend is the caller's until `close`.
     * Libraries that the backend needs are opened here, not when the plugin is loaded. */
    hl_status (*open)(const hl_host *host, const hl_value *const *values, hl_backend **backend,
                      hl_error *error);
    void (*close)(hl_backend *backend); /* accepts NULL; all its tensors and weights are freed before */

    /* One line for reports: library, version, kernel ("OpenBLAS 0.3.21, Haswell, 2 threads"). Owned by the
     * backend. */
    const char *(*describe)(const hl_backend *backend);

    /* `count` elements, all zero. Free with `free_tensor`, which accepts NULL. */
    hl_status (*new_tensor)(hl_backend *backend, size_t count, hl_tensor **tensor, hl_error *error);
    void (*free_tensor)(hl_backend *backend, hl_tensor *tensor);

    /* Between host memory (rows x cols without gaps) and a matrix. `upload` has copied `data` when it
     * returns; `download` waits for all that was queued before and reports what went wrong in it. */
    hl_status (*upload)(hl_backend *backend, const float *data, hl_matrix to, hl_error *error);
    hl_status (*download)(hl_backend *backend, hl_matrix from, float *data, hl_error *error);

    /* *weight is the caller's until `free_weight`, which accepts NULL. */
    hl_status (*prepare)(hl_backend *backend, const hl_weight_source *source, hl_weight **weight,
                         hl_error *error);
    void (*free_weight)(hl_backend *backend, hl_weight *weight);

    hl_status (*linear)(hl_backend *backend, const hl_linear *operation, hl_error *error);
    hl_status (*patch_embedding)(hl_backend *backend, const hl_patch_embedding *operation, hl_error *error);

    /* (optional) */
    hl_status (*layer_norm)(hl_backend *backend, const hl_layer_norm *operation, hl_error *error);
    /* (optional) */
    hl_status (*attention)(hl_backend *backend, const hl_attention *operation, hl_error *error);
    /* (optional) */
    hl_status (*copy)(hl_backend *backend, const hl_copy *operation, hl_error *error);

    /* For extractors and bases, on host memory in double precision; these wait for nothing.
     *
     * (optional) c = op(a) op(b), row-major: c is m x n with ldc >= n numbers from row to row, op(a) m x k,
     * op(b) k x n; op transposes where the flag is set. `c` overlaps neither operand. */
    hl_status (*product_f64)(hl_backend *backend, bool transpose_a, bool transpose_b, size_t m, size_t n,
                             size_t k, const double *a, size_t lda, const double *b, size_t ldb, double *c,
                             size_t ldc, hl_error *error);
    /* (optional) Eigenvalues, ascending, and orthonormal eigenvectors of the symmetric n x n matrix `a`,
     * without gaps; a's rows become the eigenvectors. Their signs: the first of the largest components is
     * positive. */
    hl_status (*symmetric_eigen_f64)(hl_backend *backend, size_t n, double *a, double *eigenvalues,
                                     hl_error *error);

    /* For results.json: which of a library's or device's code does the products ("SkylakeX"), and in which
     * precision they are made ("f32", "bf16x3", "int8"). Owned by the backend.
     *
     * (optional) NULL: results say "unknown". */
    const char *(*kernel)(const hl_backend *backend);
    const char *(*precision)(const hl_backend *backend);

    /* What the backend, as it is opened, promises of a whole model's embeddings, codes and heat: the largest
     * error against the same computed in f32, divided by the largest value expected, is at most this. A
     * single operation keeps a twentieth of it, since a model adds up dozens; `headlight check-plugin` holds
     * the backend to that. 1e-4 is what sums of f32 in any order keep; up to there the backend counts as
     * "f32" wherever results are kept or compared (the fingerprint of an atlas), whatever its precision is
     * called. Beyond it, results are kept apart under the precision's name.
     *
     * (optional) NULL: 1e-4. */
    double (*tolerance)(const hl_backend *backend);

    /* Since ABI 2.2: what CLIP variants need beyond a plain transformer.
     *
     * (optional) */
    hl_status (*gate)(hl_backend *backend, const hl_gate *operation, hl_error *error);
    /* (optional) */
    hl_status (*rotary)(hl_backend *backend, const hl_rotary *operation, hl_error *error);
    /* (optional) */
    hl_status (*convolution)(hl_backend *backend, const hl_convolution *operation, hl_error *error);
    /* (optional) */
    hl_status (*average_pool)(hl_backend *backend, const hl_average_pool *operation, hl_error *error);

    /* Since ABI 2.3: `prepare` of a matrix of which no more need lie in memory than is being prepared.
     * source->data is NULL; each row is read from `rows` until the call returns, best by several threads and
     * some hundred KB at a time. A failure of `rows` is this call's.
     *
     * (optional) NULL: the host reads all of it and calls `prepare`. */
    hl_status (*prepare_rows)(hl_backend *backend, const hl_weight_source *source, const hl_rows *rows,
                              hl_weight **weight, hl_error *error);

    /* Since ABI 2.3: what `score` says at most, found without loading anything. `auto` then asks for the
     * score itself only where that could be the highest. [any thread]
     *
     * (optional) NULL: `auto` always asks. */
    int (*score_at_most)(const hl_host *host);
} hl_compute_api;

/* An opened backend as the host hands it to a model: every function of the table is there. Frozen: it will
 * not grow. */
typedef struct hl_compute {
    const hl_compute_api *api;
    hl_backend *backend;
} hl_compute;

#ifdef __cplusplus
}
#endif

#endif
