/* The model and its sessions, as the files of this plugin share them. */
#ifndef SIGLIP_H
#define SIGLIP_H

#include "config.h"

static inline const char *siglip_weights_file(siglip_layout layout) {
    return layout == LAYOUT_OPEN_CLIP ? "open_clip_model.safetensors" : "model.safetensors";
}

struct hl_model {
    two_towers base; /* first */
    siglip_config config;
    pooled_tower image;
};

struct hl_session {
    two_towers_session base; /* first */
    pooled_tower_session image;
};

/* tensors.c. `named`: the file of weights; NULL: the one that is there. */
hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const siglip_config *config, checkpoint *out, hl_error *error);
/* Numbers of the image tower. */
hl_status tensors_count_image(const siglip_config *config, size_t *out, hl_error *error);

/* describe.c: fills in what the model says about itself; the component table is made. */
hl_status describe_model(hl_model *model, hl_error *error);

/* See hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

#endif
