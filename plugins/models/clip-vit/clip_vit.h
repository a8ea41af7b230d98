/* The model and its sessions, as the files of this plugin share them. */
#ifndef CLIP_VIT_H
#define CLIP_VIT_H

#include "tensors.h"
#include "two-towers/two_towers.h"

struct hl_model {
    two_towers base; /* first */
    clip_config config;
    image_tower image;
};

struct hl_session {
    two_towers_session base; /* first */
    image_session image;
};

/* describe.c: fills in what the model says about itself. */
hl_status describe_model(hl_model *model, const char *path, hl_error *error);

/* digest.c: see hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
