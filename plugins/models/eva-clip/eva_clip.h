/* The model and its sessions, as the files of this plugin share them. */
#ifndef EVA_CLIP_H
#define EVA_CLIP_H

#include "tensors.h"

struct hl_model {
    const hl_host *host;
    eva_config config;
    checkpoint weights;
    tokenizer *tokenizer;
    image_tower image;
    text_tower text;
    hl_compute compute; /* after `load` */

    hl_model_info info;
    char *name, *summary, *config_file;
    hl_fact facts[3];
    char parameters[24], positions[64];
};

struct hl_session {
    const hl_model *model;
    image_session image;
    text_session text;
};

/* describe.c: fills in what the model says about itself. */
hl_status describe_model(hl_model *model, const char *path, hl_error *error);

/* See hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
