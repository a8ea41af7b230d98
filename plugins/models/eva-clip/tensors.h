/* The names of an EVA-02 CLIP's tensors. */
#ifndef TENSORS_H
#define TENSORS_H

#include "config.h"

void tensors_name(vit_config *config);

/* Opens the weights, the file `named` unless that is NULL, and checks that every tensor of the configuration
 * is there with its shape, and no other that could change what the model computes. `file`: the configuration,
 * for messages. */
hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const char *file, const vit_config *config, checkpoint *out, hl_error *error);

#endif
