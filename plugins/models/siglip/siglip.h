/* The model and its sessions, as the files of this plugin share them. */
#ifndef SIGLIP_H
#define SIGLIP_H

#include "config.h"

static inline const char *siglip_weights_file(siglip_layout layout) {
    return layout == LAYOUT_OPEN_CLIP ? "open_clip_model.safetensors" : "model.safetensors";
}

struct hl_model {
    const hl_host *host;
    siglip_config config;
    checkpoint weights;
    tokenizer *tokenizer;
    pooled_tower image;
    text_tower text;
    hl_compute compute; /* after `load` */

    hl_model_info info;
    char *name, *summary;
    hl_fact facts[4];
    char parameters[24];
};

struct hl_session {
    const hl_model *model;
    pooled_tower_session image;
    text_session text;
};

/* tensors.c. `named`: the file of weights; NULL: the one that is there. */
hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const siglip_config *config, checkpoint *out, hl_error *error);
/* Numbers of the image tower. */
hl_status tensors_count_image(const siglip_config *config, size_t *out, hl_error *error);

/* describe.c: fills in what the model says about itself; the component table is made. */
hl_status describe_model(hl_model *model, const char *path, hl_error *error);

/* See hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
