/* The model, as the files of this plugin share it. */
#ifndef CLIP_VIT_H
#define CLIP_VIT_H

#include "tensors.h"

struct hl_model {
    vit_model vit; /* first */
    clip_config config;
};

/* describe.c: adds facts, score and summary to what the model says about itself. */
hl_status describe_model(hl_model *model, hl_error *error);

/* digest.c: see hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
