/* See cases.h. */
#include "core/conformance/cases.h"

#include <stdlib.h>

enum { WHAT_ROOM = 160 };

#define EACH(INDEX, TABLE)                                                                                   \
    size_t INDEX = 0;                                                                                        \
    INDEX < sizeof(TABLE) / sizeof *(TABLE) && status == HL_OK;                                              \
    ++INDEX

/* Widths beside the blocks that libraries work in, single rows and columns, what is cut by rows and by
 * columns, and a long sum. */
static const linear_case linear_cases[] = {
    {1, 1, 1, HL_IDENTITY, false, NO_RESIDUAL},
    {1, 64, 10, HL_IDENTITY, true, NO_RESIDUAL},
    {1, 19, 33, HL_GELU, true, APART},
    {5, 7, 9, HL_IDENTITY, false, APART},
    {5, 7, 9, HL_IDENTITY, false, IN_PLACE},
    {6, 24, 21, HL_IDENTITY, true, IN_PLACE},
    {17, 33, 48, HL_IDENTITY, true, APART},
    {34, 40, 65, HL_GELU, true, NO_RESIDUAL},
    {34, 40, 65, HL_GELU, false, APART},
    {34, 40, 65, HL_GELU, true, IN_PLACE},
    {34, 40, 65, HL_QUICK_GELU, true, NO_RESIDUAL},
    {34, 40, 65, HL_QUICK_GELU, false, IN_PLACE},
    {34, 40, 65, HL_QUICK_GELU, true, APART},
    {100, 48, 480, HL_QUICK_GELU, true, NO_RESIDUAL}, /* wide: cut by columns */
    {403, 70, 66, HL_GELU, true, IN_PLACE},           /* tall: cut by rows */
    {34, 40, 65, HL_GELU_TANH, true, NO_RESIDUAL},
    {7, 19, 33, HL_GELU_TANH, false, IN_PLACE},
    {34, 40, 65, HL_SILU, true, APART},
    {34, 40, 65, HL_RELU, true, IN_PLACE},
    {150, 260, 131, HL_IDENTITY, true, IN_PLACE},
};

static const patch_case patch_cases[] = {
    {1, 3, 4, 4, 4, 5, 1, true, false},   {2, 3, 12, 8, 4, 10, 1, true, false},
    {3, 1, 6, 9, 3, 17, 0, true, true},   {2, 3, 14, 14, 7, 33, 2, false, true},
    {5, 3, 8, 4, 2, 24, 0, false, false}, {4, 3, 32, 32, 8, 96, 1, true, false},
};

/* Rows of one number, and rows far from zero, whose variance is what is left of large numbers. */
static const norm_case norm_cases[] = {
    {1, 1, 0, false, true},     {1, 16, 0, false, false},    {3, 37, 0, false, true},
    {7, 64, -5, true, true},    {4, 100, 0.5f, true, false}, {5, 768, 100, false, true},
    {305, 512, 0, false, true}, {3, 768, 1000, true, true},
};

static const attention_case attention_cases[] = {
    {1, 1, 1, 1, 1, 1, HL_MASK_NONE, 1, 1, {0}},           {1, 2, 16, 16, 1, 17, HL_MASK_NONE, 0.25f, 0, {0}},
    {3, 2, 24, 24, 1, 50, HL_MASK_NONE, 0.2f, 1, {0}},     {2, 3, 5, 9, 4, 7, HL_MASK_NONE, 2, 2, {3, 0}},
    {2, 3, 9, 5, 7, 4, HL_MASK_NONE, 1, 3, {6, 2, 2}},     {2, 2, 8, 8, 6, 6, HL_MASK_CAUSAL, 1, 2, {5, 0}},
    {1, 4, 16, 16, 33, 33, HL_MASK_CAUSAL, 0.25f, 0, {0}}, {2, 2, 8, 8, 3, 9, HL_MASK_CAUSAL, 1, 1, {2}},
    {4, 4, 32, 32, 50, 50, HL_MASK_NONE, 0.17f, 1, {0}},
};

static const size_t copy_shapes[][2] = {{1, 1}, {1, 9}, {5, 1}, {6, 17}, {40, 64}};

static const gate_case gate_cases[] = {
    {1, 1, HL_SILU, false},       {3, 17, HL_IDENTITY, true}, {5, 64, HL_GELU, false},
    {7, 33, HL_SILU, true},       {2, 9, HL_RELU, false},     {4, 100, HL_QUICK_GELU, true},
    {6, 15, HL_GELU_TANH, false}, {301, 130, HL_SILU, false},
};

static const rotary_case rotary_cases[] = {
    {1, 1, 1, 1, HL_PAIR_NEIGHBOURS}, {2, 5, 3, 4, HL_PAIR_NEIGHBOURS},   {3, 17, 2, 32, HL_PAIR_NEIGHBOURS},
    {1, 1, 1, 1, HL_PAIR_HALVES},     {2, 5, 3, 4, HL_PAIR_HALVES},       {3, 17, 2, 20, HL_PAIR_HALVES},
    {1, 50, 12, 7, HL_PAIR_HALVES},   {4, 65, 4, 32, HL_PAIR_NEIGHBOURS},
};

/* Kernels as large as the map and larger, strides that leave cells out, maps that are not square. */
static const convolution_case convolution_cases[] = {
    {1, 1, 1, 1, 1, 1, 1, 0, HL_IDENTITY, false, NO_RESIDUAL},
    {1, 5, 7, 3, 8, 3, 1, 1, HL_IDENTITY, true, NO_RESIDUAL},
    {2, 8, 6, 3, 17, 3, 2, 1, HL_RELU, true, NO_RESIDUAL},
    {2, 9, 9, 4, 5, 3, 2, 0, HL_RELU, false, APART},
    {3, 4, 5, 16, 24, 1, 1, 0, HL_RELU, true, IN_PLACE},
    {1, 6, 6, 10, 33, 1, 2, 0, HL_GELU, true, APART},
    {2, 2, 3, 7, 9, 5, 1, 2, HL_SILU, true, IN_PLACE},
    {1, 4, 4, 2, 6, 4, 4, 0, HL_IDENTITY, true, APART},
    {2, 14, 14, 32, 48, 3, 1, 1, HL_RELU, true, APART},
    {1, 56, 40, 16, 20, 3, 1, 1, HL_RELU, false, IN_PLACE}, /* tall */
};

static const pool_case pool_cases[] = {
    {1, 1, 1, 0, 1, 1, 1, 1},     {2, 4, 6, 0, 5, 2, 2, 2},  {1, 5, 7, 0, 19, 2, 2, 2},
    {3, 7, 5, 0, 64, 7, 5, 1},    {2, 3, 4, 1, 33, 3, 4, 1}, {2, 6, 6, 3, 8, 3, 2, 1},
    {4, 14, 14, 0, 100, 2, 2, 2}, {3, 9, 8, 2, 40, 4, 3, 2},
};

static const char *const activation_names[] = {[HL_IDENTITY] = "",
                                               [HL_GELU] = ", gelu",
                                               [HL_QUICK_GELU] = ", quick gelu",
                                               [HL_GELU_TANH] = ", tanh gelu",
                                               [HL_SILU] = ", silu",
                                               [HL_RELU] = ", relu"};
static const char *const residual_names[] = {
    [NO_RESIDUAL] = "", [APART] = ", residual", [IN_PLACE] = ", residual in place"};

/* A weight and its bias of random numbers; `out` x `in`. */
typedef struct random_weight {
    float *data, *bias;
} random_weight;

static bool make_weight(random_weight *weight, size_t out, size_t in) {
    *weight = (random_weight){random_numbers(out * in, 77, 0), random_numbers(out, 78, 0)};
    return weight->data && weight->bias;
}

static void free_weight(const random_weight *weight) {
    free(weight->data);
    free(weight->bias);
}

static hl_status visit_linear(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, linear_cases)) {
        const linear_case *row = &linear_cases[i];
        char what[WHAT_ROOM];
        random_weight weight;
        snprintf(what, sizeof what, "linear %zu x %zu -> %zu%s%s%s", row->rows, row->in, row->out,
                 activation_names[row->activation], row->bias ? ", bias" : "", residual_names[row->residual]);
        if (make_weight(&weight, row->out, row->in)) {
            const test_scene scene = linear_scene(row, weight.data, weight.bias);
            status = visit(user, what, &scene, error);
        } else {
            status = hl_no_memory(error, "a weight");
        }
        free_weight(&weight);
    }
    return status;
}

static hl_status visit_patch_embedding(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, patch_cases)) {
        const patch_case *row = &patch_cases[i];
        char what[WHAT_ROOM];
        random_weight weight;
        snprintf(what, sizeof what,
                 "patch_embedding of %zu images %zu x %zu x %zu, patch %zu -> %zu, %zu prefix tokens",
                 row->batch, row->channels, row->height, row->width, row->patch, row->out, row->prefix);
        if (make_weight(&weight, row->out, row->channels * row->patch * row->patch)) {
            const test_scene scene = patch_scene(row, weight.data, weight.bias);
            status = visit(user, what, &scene, error);
        } else {
            status = hl_no_memory(error, "a weight");
        }
        free_weight(&weight);
    }
    return status;
}

static hl_status visit_layer_norm(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, norm_cases)) {
        const norm_case *row = &norm_cases[i];
        char what[WHAT_ROOM];
        snprintf(what, sizeof what, "layer_norm %zu x %zu around %g%s%s", row->rows, row->cols,
                 (double)row->centre, row->in_place ? ", in place" : "",
                 row->statistics ? ", statistics" : "");
        const test_scene scene = norm_scene(row);
        status = visit(user, what, &scene, error);
    }
    return status;
}

/* Queries, keys and values as columns of one matrix, the way that models project them. */
static hl_status run_packed_attention(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                                      const hl_weight *weight, hl_error *error) {
    (void)scene, (void)weight;
    hl_matrix parts[3];
    for (size_t i = 0; i < 3; ++i) {
        parts[i] = m[0];
        parts[i].cols /= 3;
        parts[i].offset += i * parts[i].cols;
    }
    const hl_attention operation = {.size = sizeof operation,
                                    .q = parts[0],
                                    .k = parts[1],
                                    .v = parts[2],
                                    .out = m[3],
                                    .batch = 2,
                                    .heads = 2,
                                    .scale = 0.3f};
    return compute->api->attention(compute->backend, &operation, error);
}

static hl_status visit_attention(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, attention_cases)) {
        const attention_case *row = &attention_cases[i];
        char what[WHAT_ROOM];
        snprintf(
            what, sizeof what,
            "attention of %zu images, %zu heads, widths %zu and %zu, %zu queries, %zu keys%s, %zu probes",
            row->batch, row->heads, row->key_width, row->value_width, row->q_rows, row->k_rows,
            row->mask == HL_MASK_CAUSAL ? ", causal" : "", row->probe_count);
        const test_scene scene = attention_scene(row);
        status = visit(user, what, &scene, error);
    }
    const test_scene scene = {
        .operands = {{READ, .rows = 2 * 9, .cols = 3 * 24}, [3] = {WRITE, .rows = 2 * 9, .cols = 24}},
        .run = run_packed_attention};
    return status == HL_OK
               ? visit(user, "attention with queries, keys and values in one matrix", &scene, error)
               : status;
}

static hl_status visit_copy(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, copy_shapes)) {
        const size_t dimensions[DIMENSIONS] = {
            [DIM_ROWS] = copy_shapes[i][0], [DIM_COLS] = copy_shapes[i][1]};
        char what[WHAT_ROOM];
        snprintf(what, sizeof what, "copy %zu x %zu", copy_shapes[i][0], copy_shapes[i][1]);
        const test_scene scene = scene_of(OPERATION_COPY, dimensions, (any_operation){.size = 0}, 0, false);
        status = visit(user, what, &scene, error);
    }
    return status;
}

static hl_status visit_gate(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, gate_cases)) {
        const gate_case *row = &gate_cases[i];
        char what[WHAT_ROOM];
        snprintf(what, sizeof what, "gate %zu x %zu%s%s", row->rows, row->cols,
                 activation_names[row->activation], row->in_place ? ", in place" : "");
        const test_scene scene = gate_scene(row);
        status = visit(user, what, &scene, error);
    }
    return status;
}

static hl_status visit_rotary(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, rotary_cases)) {
        const rotary_case *row = &rotary_cases[i];
        char what[WHAT_ROOM];
        snprintf(what, sizeof what, "rotary of %zu images, %zu tokens, %zu heads of %zu pairs of %s",
                 row->batch, row->tokens, row->heads, row->pairs,
                 row->which == HL_PAIR_HALVES ? "halves" : "neighbours");
        const test_scene scene = rotary_scene(row);
        status = visit(user, what, &scene, error);
    }
    return status;
}

static hl_status visit_convolution(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, convolution_cases)) {
        const convolution_case *row = &convolution_cases[i];
        char what[WHAT_ROOM];
        random_weight weight;
        snprintf(what, sizeof what,
                 "convolution of %zu maps %zu x %zu x %zu -> %zu, kernel %zu, stride %zu, padding %zu%s%s%s",
                 row->batch, row->height, row->width, row->channels, row->out, row->kernel, row->stride,
                 row->padding, activation_names[row->activation], row->bias ? ", bias" : "",
                 residual_names[row->residual]);
        if (make_weight(&weight, row->out, row->kernel * row->kernel * row->channels)) {
            const test_scene scene = convolution_scene(row, weight.data, weight.bias);
            status = visit(user, what, &scene, error);
        } else {
            status = hl_no_memory(error, "a weight");
        }
        free_weight(&weight);
    }
    return status;
}

static hl_status visit_average_pool(case_visit *visit, void *user, hl_error *error) {
    hl_status status = HL_OK;
    for (EACH(i, pool_cases)) {
        const pool_case *row = &pool_cases[i];
        char what[WHAT_ROOM];
        snprintf(what, sizeof what,
                 "average_pool of %zu maps %zu x %zu x %zu and %zu rows more, windows %zu x %zu, stride %zu",
                 row->batch, row->height, row->width, row->cols, row->more_rows, row->kernel_height,
                 row->kernel_width, row->stride);
        const test_scene scene = pool_scene(row);
        status = visit(user, what, &scene, error);
    }
    return status;
}

hl_status cases_visit(operation_number operation, case_visit *visit, void *user, hl_error *error) {
    static hl_status (*const visits[OPERATION_COUNT])(case_visit *, void *, hl_error *) = {
        [OPERATION_LINEAR] = visit_linear,
        [OPERATION_PATCH_EMBEDDING] = visit_patch_embedding,
        [OPERATION_LAYER_NORM] = visit_layer_norm,
        [OPERATION_ATTENTION] = visit_attention,
        [OPERATION_COPY] = visit_copy,
        [OPERATION_GATE] = visit_gate,
        [OPERATION_ROTARY] = visit_rotary,
        [OPERATION_CONVOLUTION] = visit_convolution,
        [OPERATION_AVERAGE_POOL] = visit_average_pool};
    return visits[operation](visit, user, error);
}
