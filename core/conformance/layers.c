/* See layers.h. */
#include "core/conformance/layers.h"

#include <string.h>

/* One operation with its operands, whatever it is. */
static hl_status run_rule(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                          const hl_weight *weight, hl_error *error) {
    const operation_rule *rule = scene->rule;
    any_operation operation = scene->numbers;
    operation.size = (uint32_t)rule->size;
    for (size_t i = 0; i < OPERANDS && rule->operands[i].name; ++i) {
        const char *same = rule->operands[i].may_equal;
        *operation_operand(&operation, &rule->operands[i]) = m[i];
        for (size_t j = 0; same && scene->in_place && j < i; ++j) {
            if (strcmp(rule->operands[j].name, same) == 0)
                *operation_operand(&operation, &rule->operands[j]) = m[i];
        }
    }
    if (rule->weight) memcpy((char *)&operation + rule->weight, &weight, sizeof weight);
    return rule->call(compute->api, compute->backend, &operation, error);
}

test_scene scene_of(operation_number number, const size_t dimensions[DIMENSIONS], any_operation numbers,
                    unsigned absent, bool in_place) {
    const operation_rule *rule = &operation_rules[number];
    test_scene out = {.rule = rule, .numbers = numbers, .in_place = in_place, .run = run_rule};
    for (size_t i = 0; i < OPERANDS && rule->operands[i].name; ++i) {
        const operand_rule *operand = &rule->operands[i];
        bool updated = operand->updated || (in_place && operand->may_equal);
        out.operands[i] = (scene_operand){.access = updated            ? UPDATE
                                                    : operand->written ? WRITE
                                                                       : READ,
                                          .rows = operation_side(operand->rows, dimensions),
                                          .cols = operation_side(operand->cols, dimensions)};
        if (absent & 1u << i) out.operands[i].access = ABSENT;
    }
    return out;
}

test_scene linear_scene(const linear_case *row, const float *data, const float *bias) {
    const size_t dimensions[DIMENSIONS] = {[DIM_ROWS] = row->rows, [DIM_IN] = row->in, [DIM_OUT] = row->out};
    test_scene out =
        scene_of(OPERATION_LINEAR, dimensions, (any_operation){.linear = {.activation = row->activation}},
                 row->residual == APART ? 0 : 1u << 1, row->residual == IN_PLACE);
    out.weight = (hl_weight_source){sizeof out.weight,      HL_ROLE_QKV, 0, row->out, row->in, data,
                                    row->bias ? bias : NULL};
    return out;
}

test_scene patch_scene(const patch_case *row, const float *data, const float *bias) {
    const size_t dimensions[DIMENSIONS] = {[DIM_BATCH] = row->batch,
                                           [DIM_CHANNELS] = row->channels,
                                           [DIM_HEIGHT] = row->height,
                                           [DIM_WIDTH] = row->width,
                                           [DIM_PATCH] = row->patch,
                                           [DIM_OUT] = row->out,
                                           [DIM_PREFIX] = row->prefix,
                                           [DIM_TOKENS] = row->prefix + row->height / row->patch *
                                                                            (row->width / row->patch)};
    const any_operation numbers = {.patch_embedding = {.batch = row->batch,
                                                       .channels = row->channels,
                                                       .height = row->height,
                                                       .width = row->width,
                                                       .patch = row->patch}};
    test_scene out = scene_of(OPERATION_PATCH_EMBEDDING, dimensions, numbers,
                              (row->prefix ? 0 : 1u << 1) | (row->position ? 0 : 1u << 2), false);
    out.weight = (hl_weight_source){
        sizeof out.weight,      HL_ROLE_PATCH, -1, row->out, row->channels * row->patch * row->patch, data,
        row->bias ? bias : NULL};
    return out;
}

test_scene norm_scene(const norm_case *row) {
    const size_t dimensions[DIMENSIONS] = {[DIM_ROWS] = row->rows, [DIM_COLS] = row->cols};
    test_scene out =
        scene_of(OPERATION_LAYER_NORM, dimensions, (any_operation){.layer_norm = {.epsilon = 1e-5f}},
                 (row->in_place ? 1u << 0 : 0) | (row->statistics ? 0 : 1u << 4), row->in_place);
    out.operands[0].centre = out.operands[3].centre = row->centre;
    return out;
}

test_scene attention_scene(const attention_case *row) {
    const size_t dimensions[DIMENSIONS] = {
        [DIM_BATCH] = row->batch,         [DIM_HEADS] = row->heads,
        [DIM_Q_ROWS] = row->q_rows,       [DIM_K_ROWS] = row->k_rows,
        [DIM_KEY_WIDTH] = row->key_width, [DIM_VALUE_WIDTH] = row->value_width,
        [DIM_PROBES] = row->probe_count};
    const any_operation numbers = {.attention = {.batch = row->batch,
                                                 .heads = row->heads,
                                                 .scale = row->scale,
                                                 .mask = row->mask,
                                                 .probes = row->probes,
                                                 .probe_count = row->probe_count}};
    return scene_of(OPERATION_ATTENTION, dimensions, numbers, row->probe_count ? 0 : 1u << 4, false);
}

test_scene gate_scene(const gate_case *row) {
    const size_t dimensions[DIMENSIONS] = {[DIM_ROWS] = row->rows, [DIM_COLS] = row->cols};
    return scene_of(OPERATION_GATE, dimensions, (any_operation){.gate = {.activation = row->activation}},
                    row->in_place ? 1u << 0 : 0, row->in_place);
}

test_scene rotary_scene(const rotary_case *row) {
    const size_t dimensions[DIMENSIONS] = {[DIM_BATCH] = row->batch,
                                           [DIM_TOKENS] = row->tokens,
                                           [DIM_HEADS] = row->heads,
                                           [DIM_PAIRS] = row->pairs};
    const any_operation numbers = {.rotary = {.heads = row->heads, .pairs = row->which}};
    return scene_of(OPERATION_ROTARY, dimensions, numbers, 0, false);
}

test_scene convolution_scene(const convolution_case *row, const float *data, const float *bias) {
    size_t beyond = 2 * row->padding - row->kernel;
    const size_t dimensions[DIMENSIONS] = {[DIM_BATCH] = row->batch,
                                           [DIM_HEIGHT] = row->height,
                                           [DIM_WIDTH] = row->width,
                                           [DIM_CHANNELS] = row->channels,
                                           [DIM_OUT] = row->out,
                                           [DIM_OUT_HEIGHT] = (row->height + beyond) / row->stride + 1,
                                           [DIM_OUT_WIDTH] = (row->width + beyond) / row->stride + 1};
    const any_operation numbers = {.convolution = {.activation = row->activation,
                                                   .batch = row->batch,
                                                   .height = row->height,
                                                   .width = row->width,
                                                   .channels = row->channels,
                                                   .kernel = row->kernel,
                                                   .stride = row->stride,
                                                   .padding = row->padding}};
    test_scene out = scene_of(OPERATION_CONVOLUTION, dimensions, numbers,
                              row->residual == APART ? 0 : 1u << 1, row->residual == IN_PLACE);
    out.weight = (hl_weight_source){sizeof out.weight,
                                    HL_ROLE_CONVOLUTION,
                                    0,
                                    row->out,
                                    row->kernel * row->kernel * row->channels,
                                    data,
                                    row->bias ? bias : NULL};
    return out;
}

test_scene pool_scene(const pool_case *row) {
    size_t rows = row->height * row->width + row->more_rows;
    const size_t dimensions[DIMENSIONS] = {
        [DIM_BATCH] = row->batch,
        [DIM_ROWS] = rows,
        [DIM_COLS] = row->cols,
        [DIM_OUT_HEIGHT] = (row->height - row->kernel_height) / row->stride + 1,
        [DIM_OUT_WIDTH] = (row->width - row->kernel_width) / row->stride + 1};
    const any_operation numbers = {.average_pool = {.batch = row->batch,
                                                    .height = row->height,
                                                    .width = row->width,
                                                    .x_rows = row->more_rows ? rows : 0,
                                                    .kernel_height = row->kernel_height,
                                                    .kernel_width = row->kernel_width,
                                                    .stride = row->stride}};
    return scene_of(OPERATION_AVERAGE_POOL, dimensions, numbers, 0, false);
}
