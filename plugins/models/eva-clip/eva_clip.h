/* The model and its sessions, as the files of this plugin share them. */
#ifndef EVA_CLIP_H
#define EVA_CLIP_H

#include "tensors.h"
#include "two-towers/two_towers.h"

struct hl_model {
    two_towers base; /* first */
    eva_config config;
    image_tower image;
    char *config_file;
};

struct hl_session {
    two_towers_session base; /* first */
    image_session image;
};

/* describe.c: fills in what the model says about itself. */
hl_status describe_model(hl_model *model, const char *path, hl_error *error);

/* See hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
