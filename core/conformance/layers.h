/* The operations that towers consist of, as scenes; their rows are what tables of cases list. */
#ifndef LAYERS_H
#define LAYERS_H

#include "core/conformance/scene.h"

/* Any operation with operands of these dimensions and with its numbers (batch, scale ...). `absent`: a bit
 * for each operand that is not there, `in_place`: what may be the same matrix is. */
test_scene scene_of(operation_number number, const size_t dimensions[DIMENSIONS], any_operation numbers,
                    unsigned absent, bool in_place);

typedef enum residual_place { NO_RESIDUAL, APART, IN_PLACE } residual_place;

typedef struct linear_case {
    size_t rows, in, out;
    hl_activation activation;
    bool bias;
    residual_place residual;
} linear_case;

test_scene linear_scene(const linear_case *row, const float *data, const float *bias);

typedef struct patch_case {
    size_t batch, channels, height, width, patch, out, prefix;
    bool position, bias;
} patch_case;

test_scene patch_scene(const patch_case *row, const float *data, const float *bias);

typedef struct norm_case {
    size_t rows, cols;
    float centre; /* of the rows' values, which spread over [-1, 1] around it */
    bool in_place, statistics;
} norm_case;

test_scene norm_scene(const norm_case *row);

typedef struct attention_case {
    size_t batch, heads, key_width, value_width, q_rows, k_rows;
    hl_mask mask;
    float scale;
    size_t probe_count, probes[3];
} attention_case;

test_scene attention_scene(const attention_case *row);

typedef struct gate_case {
    size_t rows, cols;
    hl_activation activation;
    bool in_place;
} gate_case;

test_scene gate_scene(const gate_case *row);

typedef struct rotary_case {
    size_t batch, tokens, heads, pairs; /* pairs: of one head */
    hl_rotary_pairs which;
} rotary_case;

test_scene rotary_scene(const rotary_case *row);

typedef struct convolution_case {
    size_t batch, height, width, channels, out, kernel, stride, padding;
    hl_activation activation;
    bool bias;
    residual_place residual;
} convolution_case;

test_scene convolution_scene(const convolution_case *row, const float *data, const float *bias);

typedef struct pool_case {
    size_t batch, height, width, more_rows, cols; /* more_rows: of a sequence, behind the map */
    size_t kernel_height, kernel_width, stride;
} pool_case;

test_scene pool_scene(const pool_case *row);

#endif
