/* See operations.h. An operation that is added to compute.h is added here, and nowhere else in the core. */
#include "core/host/operations.h"

/* A typed function of the table behind one signature for all. */
#define CALL(NAME)                                                                                           \
    static hl_status call_##NAME(const hl_compute_api *api, hl_backend *backend, const void *operation,      \
                                 hl_error *error) {                                                          \
        return api->NAME(backend, operation, error);                                                         \
    }
CALL(linear)
CALL(patch_embedding)
CALL(layer_norm)
CALL(attention)
CALL(copy)
CALL(gate)
CALL(rotary)
CALL(convolution)
CALL(average_pool)

static size_t linear_products(const void *operation) {
    const hl_linear *of = operation;
    return of->x.rows * of->x.cols * of->out.cols;
}

static size_t patch_embedding_products(const void *operation) {
    const hl_patch_embedding *of = operation;
    return of->batch * of->channels * of->height * of->width * of->out.cols;
}

static size_t attention_products(const void *operation) {
    const hl_attention *of = operation;
    size_t keys = of->batch ? of->k.rows / of->batch : 0;
    return of->q.rows * keys * (of->k.cols + of->v.cols);
}

static size_t convolution_products(const void *operation) {
    const hl_convolution *of = operation;
    return of->out.rows * of->out.cols * of->kernel * of->kernel * of->channels;
}

#define RULE(NAME, STRUCT)                                                                                   \
    .name = #NAME, .function = offsetof(hl_compute_api, NAME), .size = sizeof(STRUCT), .call = call_##NAME
#define OPERAND(STRUCT, NAME) .name = #NAME, .offset = offsetof(STRUCT, NAME)

const operation_rule operation_rules[OPERATION_COUNT] = {
    [OPERATION_LINEAR] = {RULE(linear, hl_linear), .required = true,
                          .operands = {{OPERAND(hl_linear, x), .rows = {DIM_ROWS}, .cols = {DIM_IN}},
                                       {OPERAND(hl_linear, residual), .rows = {DIM_ROWS}, .cols = {DIM_OUT},
                                        .optional = true},
                                       {OPERAND(hl_linear, out), .rows = {DIM_ROWS}, .cols = {DIM_OUT},
                                        .written = true, .may_equal = "residual"}},
                          .activation = offsetof(hl_linear, activation),
                          .weight = offsetof(hl_linear, weight), .weight_in = {DIM_IN},
                          .products = linear_products},
    [OPERATION_PATCH_EMBEDDING] = {RULE(patch_embedding, hl_patch_embedding), .required = true,
                                   .operands = {{OPERAND(hl_patch_embedding, pixels), .rows = {DIM_BATCH},
                                                 .cols = {DIM_CHANNELS, DIM_HEIGHT, DIM_WIDTH}},
                                                {OPERAND(hl_patch_embedding, prefix), .rows = {DIM_PREFIX},
                                                 .cols = {DIM_OUT}, .optional = true},
                                                {OPERAND(hl_patch_embedding, position), .rows = {DIM_TOKENS},
                                                 .cols = {DIM_OUT}, .optional = true},
                                                {OPERAND(hl_patch_embedding, out),
                                                 .rows = {DIM_BATCH, DIM_TOKENS}, .cols = {DIM_OUT},
                                                 .written = true}},
                                   .weight = offsetof(hl_patch_embedding, weight),
                                   .weight_in = {DIM_CHANNELS, DIM_PATCH, DIM_PATCH},
                                   .products = patch_embedding_products},
    [OPERATION_LAYER_NORM] =
        {RULE(layer_norm, hl_layer_norm),
         .operands = {{OPERAND(hl_layer_norm, x), .rows = {DIM_ROWS}, .cols = {DIM_COLS}},
                      {OPERAND(hl_layer_norm, gain), .rows = {DIM_ONE}, .cols = {DIM_COLS}},
                      {OPERAND(hl_layer_norm, shift), .rows = {DIM_ONE}, .cols = {DIM_COLS}},
                      {OPERAND(hl_layer_norm, out), .rows = {DIM_ROWS}, .cols = {DIM_COLS}, .written = true,
                       .may_equal = "x"},
                      {OPERAND(hl_layer_norm, statistics), .rows = {DIM_ROWS}, .cols = {DIM_TWO},
                       .written = true, .optional = true}}},
    [OPERATION_ATTENTION] = {RULE(attention, hl_attention),
                             .operands = {{OPERAND(hl_attention, q), .rows = {DIM_BATCH, DIM_Q_ROWS},
                                           .cols = {DIM_HEADS, DIM_KEY_WIDTH}},
                                          {OPERAND(hl_attention, k), .rows = {DIM_BATCH, DIM_K_ROWS},
                                           .cols = {DIM_HEADS, DIM_KEY_WIDTH}},
                                          {OPERAND(hl_attention, v), .rows = {DIM_BATCH, DIM_K_ROWS},
                                           .cols = {DIM_HEADS, DIM_VALUE_WIDTH}},
                                          {OPERAND(hl_attention, out), .rows = {DIM_BATCH, DIM_Q_ROWS},
                                           .cols = {DIM_HEADS, DIM_VALUE_WIDTH}, .written = true},
                                          {OPERAND(hl_attention, probabilities),
                                           .rows = {DIM_BATCH, DIM_HEADS, DIM_PROBES}, .cols = {DIM_K_ROWS},
                                           .written = true, .optional = true}},
                             .products = attention_products},
    [OPERATION_COPY] = {RULE(copy, hl_copy),
                        .operands = {{OPERAND(hl_copy, from), .rows = {DIM_ROWS}, .cols = {DIM_COLS}},
                                     {OPERAND(hl_copy, to), .rows = {DIM_ROWS}, .cols = {DIM_COLS},
                                      .written = true}}},
    [OPERATION_GATE] = {RULE(gate, hl_gate), .activation = offsetof(hl_gate, activation),
                        .operands = {{OPERAND(hl_gate, a), .rows = {DIM_ROWS}, .cols = {DIM_COLS}},
                                     {OPERAND(hl_gate, b), .rows = {DIM_ROWS}, .cols = {DIM_COLS}},
                                     {OPERAND(hl_gate, out), .rows = {DIM_ROWS}, .cols = {DIM_COLS},
                                      .written = true, .may_equal = "a"}}},
    [OPERATION_ROTARY] =
        {RULE(rotary, hl_rotary),
         .operands = {{OPERAND(hl_rotary, x), .rows = {DIM_BATCH, DIM_TOKENS},
                       .cols = {DIM_HEADS, DIM_PAIRS, DIM_TWO}, .written = true, .updated = true},
                      {OPERAND(hl_rotary, cosines), .rows = {DIM_TOKENS}, .cols = {DIM_PAIRS}},
                      {OPERAND(hl_rotary, sines), .rows = {DIM_TOKENS}, .cols = {DIM_PAIRS}}}},
    [OPERATION_CONVOLUTION] =
        {RULE(convolution, hl_convolution),
         .operands = {{OPERAND(hl_convolution, x), .rows = {DIM_BATCH, DIM_HEIGHT, DIM_WIDTH},
                       .cols = {DIM_CHANNELS}},
                      {OPERAND(hl_convolution, residual), .rows = {DIM_BATCH, DIM_OUT_HEIGHT, DIM_OUT_WIDTH},
                       .cols = {DIM_OUT}, .optional = true},
                      {OPERAND(hl_convolution, out), .rows = {DIM_BATCH, DIM_OUT_HEIGHT, DIM_OUT_WIDTH},
                       .cols = {DIM_OUT}, .written = true, .may_equal = "residual"}},
         .activation = offsetof(hl_convolution, activation), .weight = offsetof(hl_convolution, weight),
         .weight_in = {DIM_KERNEL, DIM_KERNEL, DIM_CHANNELS}, .weight_role = HL_ROLE_CONVOLUTION,
         .products = convolution_products},
    [OPERATION_AVERAGE_POOL] =
        {RULE(average_pool, hl_average_pool),
         .operands = {{OPERAND(hl_average_pool, x), .rows = {DIM_BATCH, DIM_ROWS}, .cols = {DIM_COLS}},
                      {OPERAND(hl_average_pool, out), .rows = {DIM_BATCH, DIM_OUT_HEIGHT, DIM_OUT_WIDTH},
                       .cols = {DIM_COLS}, .written = true}}},
};

any_operation operation_complete(const operation_rule *rule, const void *given) {
    any_operation out;
    uint32_t size;
    memcpy(&size, given, sizeof size);
    memset(&out, 0, sizeof out);
    memcpy(&out, given, size < rule->size ? size : rule->size);
    out.size = (uint32_t)rule->size;
    return out;
}

bool operation_is_there(const operation_rule *rule, const hl_compute_api *api) {
    void (*function)(void);
    memcpy(&function, (const char *)api + rule->function, sizeof function);
    return function != NULL;
}

const operation_rule *operation_of_role(uint32_t role) {
    for (size_t i = 0; i < OPERATION_COUNT; ++i) {
        if (operation_rules[i].weight_role == role && role) return &operation_rules[i];
    }
    return NULL;
}

size_t operation_side(const dimension side[SIDE_FACTORS], const size_t dimensions[DIMENSIONS]) {
    size_t out = 1;
    for (size_t i = 0; i < SIDE_FACTORS && side[i] != DIM_NONE; ++i) {
        out *= side[i] == DIM_ONE ? 1 : side[i] == DIM_TWO ? 2 : dimensions[side[i]];
    }
    return out;
}
