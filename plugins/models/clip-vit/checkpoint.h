/* The tensors of a CLIP model in open_clip's naming: their names and shapes for a configuration, and their
 * numbers, from a file or at random. */
#ifndef CHECKPOINT_H
#define CHECKPOINT_H

#include "config.h"
#include "headlight/model.h"
#include "headlight/weights.h"

#define WEIGHTS_FILE "open_clip_model.safetensors"

typedef struct tensor_spec {
    char name[96];
    uint32_t rank;
    size_t shape[4];
    float mean, deviation; /* of random numbers */
} tensor_spec;

size_t tensor_elements(const tensor_spec *spec);

typedef enum layer_slot {
    LN_1_GAIN,
    LN_1_SHIFT,
    QKV_WEIGHT,
    QKV_BIAS,
    OUT_WEIGHT,
    OUT_BIAS,
    LN_2_GAIN,
    LN_2_SHIFT,
    MLP_IN_WEIGHT,
    MLP_IN_BIAS,
    MLP_OUT_WEIGHT,
    MLP_OUT_BIAS,
    LAYER_SLOTS
} layer_slot;

typedef enum outer_slot {
    CLASS_EMBEDDING,
    IMAGE_POSITION,
    PATCH_WEIGHT,
    LN_PRE_GAIN,
    LN_PRE_SHIFT,
    LN_POST_GAIN,
    LN_POST_SHIFT,
    IMAGE_PROJECTION,
    TOKEN_EMBEDDING,
    TEXT_POSITION,
    LN_FINAL_GAIN,
    LN_FINAL_SHIFT,
    TEXT_PROJECTION,
    OUTER_SLOTS
} outer_slot;

tensor_spec layer_tensor(const tower_shape *tower, size_t layer, layer_slot slot);
tensor_spec outer_tensor(const clip_config *config, outer_slot slot);

typedef struct checkpoint {
    const hl_weights_api *api;
    hl_weights *file; /* NULL: random numbers */
    char *path;
    uint64_t seed;
} checkpoint;

/* Opens the weights and checks that every tensor of the configuration is there with its shape, and no other
 * that could change what the model computes. */
hl_status checkpoint_open(const hl_host *host, const hl_model_source *source, const clip_config *config,
                          checkpoint *out, hl_error *error);
void checkpoint_close(checkpoint *weights);

/* Elements [first, first + count). [any thread] */
hl_status checkpoint_read(const checkpoint *weights, const tensor_spec *spec, size_t first, size_t count,
                          float *out, hl_error *error);

/* The whole tensor in new memory that the caller frees; its file pages are given back. */
hl_status checkpoint_take(const checkpoint *weights, const tensor_spec *spec, float **out, hl_error *error);

/* Gives the tensor's file pages back. */
void checkpoint_done(const checkpoint *weights, const tensor_spec *spec);

#endif
