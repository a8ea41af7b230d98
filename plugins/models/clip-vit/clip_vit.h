/* The model and its sessions, as the files of this plugin share them. */
#ifndef CLIP_VIT_H
#define CLIP_VIT_H

#include "tensors.h"

struct hl_model {
    const hl_host *host;
    clip_config config;
    checkpoint weights;
    tokenizer *tokenizer;
    image_tower image;
    text_tower text;
    hl_compute compute; /* after `load` */

    hl_model_info info;
    char *name, *summary;
    hl_fact facts[6];
    char parameters[24], positions[64];
};

struct hl_session {
    const hl_model *model;
    image_session image;
    text_session text;
};

/* describe.c: fills in what the model says about itself. */
hl_status describe_model(hl_model *model, const char *path, hl_error *error);

/* digest.c: see hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
