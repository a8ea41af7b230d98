/* The names of an EVA-02 CLIP's tensors. */
#ifndef TENSORS_H
#define TENSORS_H

#include "config.h"

void tensors_name(eva_config *config);

/* Opens the weights, the file `named` unless that is NULL, and checks that every tensor of the configuration
 * is there with its shape, and no other that could change what the model computes. `file`: the configuration,
 * for messages. */
hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const char *file, const eva_config *config, checkpoint *out, hl_error *error);

/* How many numbers the image tower has. */
hl_status tensors_count_image(const eva_config *config, size_t *out, hl_error *error);

#endif
