#include "tests/layers.h"

static hl_status run_linear(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                            const hl_weight *weight, hl_error *error) {
    const linear_case *row = scene->detail;
    hl_linear operation = {.x = m[0], .out = m[2], .weight = weight, .activation = row->activation};
    if (row->residual != NO_RESIDUAL) operation.residual = row->residual == APART ? m[1] : m[2];
    return compute->api->linear(compute->backend, &operation, error);
}

test_scene linear_scene(const linear_case *row, const float *data, const float *bias) {
    return (test_scene){
        .operands = {{READ, .rows = row->rows, .cols = row->in},
                     {row->residual == APART ? READ : ABSENT, .rows = row->rows, .cols = row->out},
                     {row->residual == IN_PLACE ? UPDATE : WRITE, .rows = row->rows, .cols = row->out}},
        .weight = {sizeof(hl_weight_source), HL_ROLE_QKV, 0, row->out, row->in, data,
                   row->bias ? bias : NULL},
        .detail = row,
        .run = run_linear};
}

static size_t patch_tokens(const patch_case *row) {
    return row->prefix + row->height / row->patch * (row->width / row->patch);
}

static hl_status run_patch(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                           const hl_weight *weight, hl_error *error) {
    const patch_case *row = scene->detail;
    const hl_patch_embedding operation = {m[0].tensor, row->batch, row->channels, row->height, row->width,
                                          row->patch,  weight,     m[1],          m[2],        m[3]};
    return compute->api->patch_embedding(compute->backend, &operation, error);
}

test_scene patch_scene(const patch_case *row, const float *data, const float *bias) {
    size_t tokens = patch_tokens(row), in = row->channels * row->patch * row->patch;
    size_t pixels = row->channels * row->height * row->width;
    return (test_scene){
        .operands = {{READ, .rows = row->batch, .cols = pixels, .is_tensor = true},
                     {row->prefix ? READ : ABSENT, .rows = row->prefix, .cols = row->out},
                     {row->position ? READ : ABSENT, .rows = tokens, .cols = row->out},
                     {WRITE, .rows = row->batch * tokens, .cols = row->out}},
        .weight = {sizeof(hl_weight_source), HL_ROLE_PATCH, -1, row->out, in, data, row->bias ? bias : NULL},
        .detail = row,
        .run = run_patch};
}

static const float EPSILON = 1e-5f;

static hl_status run_norm(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                          const hl_weight *weight, hl_error *error) {
    (void)weight;
    const norm_case *row = scene->detail;
    const hl_layer_norm operation = {row->in_place ? m[3] : m[0], m[1], m[2], m[3], m[4], EPSILON};
    return compute->api->layer_norm(compute->backend, &operation, error);
}

test_scene norm_scene(const norm_case *row) {
    return (test_scene){.operands = {{row->in_place ? ABSENT : READ, .rows = row->rows, .cols = row->cols,
                                      .centre = row->centre},
                                     {READ, .rows = 1, .cols = row->cols},
                                     {READ, .rows = 1, .cols = row->cols},
                                     {row->in_place ? UPDATE : WRITE, .rows = row->rows, .cols = row->cols,
                                      .centre = row->centre},
                                     {row->statistics ? WRITE : ABSENT, .rows = row->rows, .cols = 2}},
                        .detail = row,
                        .run = run_norm};
}

static hl_status run_attention(const hl_compute *compute, const test_scene *scene, const hl_matrix *m,
                               const hl_weight *weight, hl_error *error) {
    (void)weight;
    const attention_case *row = scene->detail;
    const hl_attention operation = {.q = m[0],
                                    .k = m[1],
                                    .v = m[2],
                                    .out = m[3],
                                    .probabilities = m[4],
                                    .batch = row->batch,
                                    .heads = row->heads,
                                    .scale = row->scale,
                                    .mask = row->mask,
                                    .probes = row->probes,
                                    .probe_count = row->probe_count};
    return compute->api->attention(compute->backend, &operation, error);
}

test_scene attention_scene(const attention_case *row) {
    size_t q_rows = row->batch * row->q_rows, k_rows = row->batch * row->k_rows;
    size_t probes = row->batch * row->heads * row->probe_count;
    return (test_scene){
        .operands = {{READ, .rows = q_rows, .cols = row->heads * row->key_width},
                     {READ, .rows = k_rows, .cols = row->heads * row->key_width},
                     {READ, .rows = k_rows, .cols = row->heads * row->value_width},
                     {WRITE, .rows = q_rows, .cols = row->heads * row->value_width},
                     {row->probe_count ? WRITE : ABSENT, .rows = probes, .cols = row->k_rows}},
        .detail = row,
        .run = run_attention};
}
