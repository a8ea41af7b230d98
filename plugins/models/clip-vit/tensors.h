/* open_clip's names of the tensors of a CLIP model. */
#ifndef TENSORS_H
#define TENSORS_H

#include "config.h"

#define WEIGHTS_FILE "open_clip_model.safetensors"

void tensors_name(clip_config *config);

/* Opens the weights, the file `named` unless that is NULL, and checks that every tensor of the configuration
 * is there with its shape, and no other that could change what the model computes. */
hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const clip_config *config, checkpoint *out, hl_error *error);

/* Opens them before there is a configuration, by the names of `specs`; see checkpoint_peek. */
hl_status tensors_peek(const hl_host *host, const hl_model_source *source, const char *named,
                       const tensor_spec *specs, size_t count, checkpoint *out, hl_error *error);

#endif
