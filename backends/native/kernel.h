/* What code written for one kind of processor has to offer: a table of functions for each kernel, chosen when
 * the backend is opened. Everything else of this backend (threads, blocks, memory, the contract with the
 * host) is written once, over these tables, and knows no instruction.
 *
 * A result of a row depends on that row alone: not on its neighbours in a panel, nor on its place in it. So
 * an image's codes are the same bytes in any batch and with any number of threads. */
#ifndef KERNEL_H
#define KERNEL_H

#include "headlight/compute.h"
#include "processor.h"

/* What a whole model keeps, see hl_compute_api.tolerance. */
#define F32_TOLERANCE  1e-4
#define BF16_TOLERANCE 0.2
#define INT8_TOLERANCE 0.4

typedef enum precision {
    PRECISION_F32 = 1,
    PRECISION_BF16X6, /* each f32 as three bf16, six products (Henry, Tang and Heinecke 2019, section 3) */
    PRECISION_BF16X3, /* each f32 as two bf16, three products (same) */
    PRECISION_BF16,
    PRECISION_INT8 /* rows and outputs each with a scale of their own */
} precision;

/* out = x W^T in micro tiles of `rows` rows by `columns` outputs. Both operands are packed into panels of at
 * most `depth` numbers of each row, in whatever form the kernel likes; what a panel lacks in rows, outputs or
 * depth is zero in it. Panels are aligned to 64 bytes, and their sizes are multiples of 64. A sum over more
 * than `depth` numbers is made panel by panel, in their order. [any thread] */
typedef struct product_kernel {
    const char *name; /* "amx"; those of one name differ in precision */
    precision precision;
    bool (*runs_on)(const processor *machine);
    bool (*outdone_on)(const processor *machine); /* where it runs, but is not to be chosen; NULL: nowhere */
    size_t rows, columns, depth;

    size_t (*row_panel_bytes)(size_t depth);
    size_t (*weight_panel_bytes)(size_t depth);

    /* count <= rows rows of `depth` numbers, `stride` numbers from row to row. */
    void (*pack_rows)(const float *x, size_t stride, size_t count, size_t depth, void *panel);
    /* count <= columns outputs of `depth` numbers. */
    void (*pack_weight)(const float *weight, size_t stride, size_t count, size_t depth, void *panel);

    /* `out`, rows x columns without gaps, in f32: overwritten, or, with `add`, added to. Only its first
     * `count` rows matter. */
    void (*multiply)(const void *row_panel, const void *weight_panel, size_t depth, size_t count, bool add,
                     float *out);

    /* Around a thread's calls of `multiply`: the state that the processor needs for them. May be NULL. */
    void (*begin)(void);
    void (*end)(void);

    double tolerance;
} product_kernel;

/* Functions on one row, in f32. [any thread] */
typedef struct row_kernel {
    const char *name; /* "avx512" */
    bool (*runs_on)(const processor *machine);
    void (*activate)(hl_activation activation, float *x, size_t count);
    /* statistics: mean and sqrt(var + epsilon). `out` may be `x`. */
    void (*layer_norm)(const float *x, const float *gain, const float *shift, float epsilon, size_t count,
                       float *out, float statistics[2]);
} row_kernel;

/* Attention of one image and head for some query rows: their scores, softmax and mixed values while they are
 * in the cache, so that no array of all scores is ever made. */
typedef struct attention_task {
    const float *q, *k, *v; /* first element of this head, in the first row of this image */
    float *out;
    size_t q_stride, k_stride, v_stride, out_stride;
    size_t first, count; /* query rows within the image */
    size_t keys, key_width, value_width;
    float scale;
    hl_mask mask;
} attention_task;

typedef struct attention_kernel {
    const char *name;
    precision precision;
    bool (*runs_on)(const processor *machine);
    size_t query_rows;                                                          /* worth doing at once */
    size_t (*scratch_bytes)(size_t keys, size_t key_width, size_t value_width); /* of one thread */
    /* k and v of one image and head, packed once into `scratch` for all its query rows. */
    void (*pack)(const attention_task *task, void *scratch);
    void (*attend)(const attention_task *task, void *scratch);
    /* out (keys): the probabilities of one query row. After `pack`, like `attend`. */
    void (*probe)(const attention_task *task, size_t row, void *scratch, float *out);
    /* As for products. */
    void (*begin)(void);
    void (*end)(void);
} attention_kernel;

#endif
