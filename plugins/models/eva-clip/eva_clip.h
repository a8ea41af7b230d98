/* The model, as the files of this plugin share it. */
#ifndef EVA_CLIP_H
#define EVA_CLIP_H

#include "tensors.h"

struct hl_model {
    vit_model vit; /* first */
    vit_config config;
    char *config_file;
};

/* describe.c: adds facts, score and summary to what the model says about itself. */
hl_status describe_model(hl_model *model, hl_error *error);

/* See hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
