/* The operations of compute.h on tensors, each described once: which operands it has, how large they are,
 * which of them are written and which may be missing. Whatever holds for all operations, the stand-in for one
 * that a plugin lacks and the tests that every backend has to pass, is written over this table. Knows no
 * operation's mathematics. */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "headlight/compute.h"

/* What shapes are made of. A side of a matrix is the product of one to three of them. */
typedef enum dimension {
    DIM_NONE = 0,
    DIM_ONE,
    DIM_TWO,
    DIM_ROWS,
    DIM_COLS,
    DIM_IN,
    DIM_OUT,
    DIM_BATCH,
    DIM_HEADS,
    DIM_Q_ROWS,
    DIM_K_ROWS,
    DIM_KEY_WIDTH,
    DIM_VALUE_WIDTH,
    DIM_PROBES,
    DIM_CHANNELS,
    DIM_HEIGHT,
    DIM_WIDTH,
    DIM_PATCH,
    DIM_PREFIX,
    DIM_TOKENS,
    DIM_PAIRS,
    DIM_KERNEL,
    DIM_OUT_HEIGHT,
    DIM_OUT_WIDTH,
    DIMENSIONS
} dimension;

enum { SIDE_FACTORS = 3, OPERANDS = 5 };

typedef struct operand_rule {
    const char *name; /* as the field of the operation is called; NULL: no further operand */
    size_t offset;    /* of its hl_matrix in the operation's struct */
    dimension rows[SIDE_FACTORS], cols[SIDE_FACTORS];
    bool written;          /* else it is only read */
    bool updated;          /* written, and what was there before is read */
    bool optional;         /* its tensor may be NULL */
    const char *may_equal; /* the operand that it may be the same matrix as; otherwise they do not overlap */
} operand_rule;

typedef struct operation_rule {
    const char *name; /* as the field of hl_compute_api is called */
    size_t function;  /* where that field is */
    size_t size;      /* of the operation's struct */
    bool required;    /* every plugin has it */
    operand_rule operands[OPERANDS];
    size_t weight; /* where the struct names its weight, which is out x in; 0: it has none */
    dimension weight_in[SIDE_FACTORS];
    uint32_t weight_role; /* an hl_role that is this operation's alone; 0: any that is not another's */
    size_t activation;    /* where the struct names its hl_activation; 0: it has none */
    size_t (*products)(const void *operation); /* multiply-adds; NULL: none worth counting */
    hl_status (*call)(const hl_compute_api *api, hl_backend *backend, const void *operation, hl_error *error);
} operation_rule;

typedef enum operation_number {
    OPERATION_LINEAR,
    OPERATION_PATCH_EMBEDDING,
    OPERATION_LAYER_NORM,
    OPERATION_ATTENTION,
    OPERATION_COPY,
    OPERATION_GATE,
    OPERATION_ROTARY,
    OPERATION_CONVOLUTION,
    OPERATION_AVERAGE_POOL,
    OPERATION_COUNT
} operation_number;

extern const operation_rule operation_rules[OPERATION_COUNT];

/* Room for any operation. */
typedef union any_operation {
    uint32_t size;
    hl_linear linear;
    hl_patch_embedding patch_embedding;
    hl_layer_norm layer_norm;
    hl_attention attention;
    hl_copy copy;
    hl_gate gate;
    hl_rotary rotary;
    hl_convolution convolution;
    hl_average_pool average_pool;
} any_operation;

/* The operation as this host knows it: what a shorter struct lacks is zero. */
any_operation operation_complete(const operation_rule *rule, const void *given);

bool operation_is_there(const operation_rule *rule, const hl_compute_api *api);

static inline hl_matrix *operation_operand(any_operation *operation, const operand_rule *operand) {
    return (hl_matrix *)(void *)((char *)operation + operand->offset);
}

/* The operation that weights of this role go to, and no others; NULL: the role is no operation's own. */
const operation_rule *operation_of_role(uint32_t role);

/* The product of a side's factors; those that a case does not set count as they are, 0. */
size_t operation_side(const dimension side[SIDE_FACTORS], const size_t dimensions[DIMENSIONS]);

#endif
