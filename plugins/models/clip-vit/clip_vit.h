/* The model, its sessions and its traces, as the files of this plugin share them. */
#ifndef CLIP_VIT_H
#define CLIP_VIT_H

#include "plan.h"
#include "tokenizer.h"
#include "tower.h"

struct hl_model {
    const hl_host *host;
    clip_config config;
    checkpoint weights;
    tokenizer *tokenizer;

    hl_model_info info;
    hl_preprocess preprocess;
    char *name, *summary;
    hl_component *components;
    struct component_name {
        char text[48];
    } * component_names;

    /* From here on: after `load`. */
    hl_compute compute;
    tower image, text;
    hl_weight *patch, *image_projection, *text_projection;
    hl_tensor *class_embedding, *image_position;
    norm ln_pre, ln_post, ln_final;
    float *text_position; /* context x width */
    double *projected;    /* what all bases share, see bases.c */
};

struct hl_session {
    const hl_model *model;
    size_t batch;

    scratch image;
    hl_tensor *pixels;
    hl_tensor *query;         /* of the layer that pools: batch x width */
    hl_tensor *heads;         /* pooled heads' outputs, layers x batch x width */
    hl_tensor *mlps;          /* pooled inputs and MLPs' outputs, (1 + layers) x batch x width */
    hl_tensor *probabilities; /* of the pooled token, batch x heads x tokens */
    hl_tensor *pooled;        /* ln_post's output, batch x width */
    hl_tensor *statistics;    /* of ln_post, batch x 2 */
    hl_tensor *embedding;     /* batch x embed_dim */
    float *host_rows;         /* host memory: (1 + layers) x batch x width */
    float *host_embedding;    /* host memory: batch x (embed_dim + 2) */
    float *host_crop; /* host memory: pixels without the margin that no patch covers; NULL: no margin */

    scratch text;                                       /* made when the first texts come */
    hl_tensor *text_heads, *text_rows, *text_embedding; /* of the end tokens */
    float *text_input;                                  /* batch x context x width */
};

/* The first component is the input; each layer has its heads and then its MLP. */
static inline uint32_t head_component(const clip_config *config, size_t layer, size_t head) {
    return (uint32_t)(1 + layer * (config->image.heads + 1) + head);
}

static inline uint32_t mlp_component(const clip_config *config, size_t layer) {
    return head_component(config, layer, config->image.heads);
}

static inline size_t head_width(const clip_config *config) {
    return config->image.width / config->image.heads;
}

/* components.c: fills in info, name and summary. */
hl_status describe_model(hl_model *model, const char *path, hl_error *error);

/* digest.c: see hl_model_api.digest. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error);

/* loading.c */
hl_status load_model(hl_model *model, const hl_compute *compute, hl_error *error);
void unload_model(hl_model *model);

/* session.c */
hl_status open_session(const hl_model *model, size_t batch, hl_session **session, hl_error *error);
void close_session(hl_session *session);
hl_status open_text_scratch(hl_session *session, hl_error *error);

/* bases.c: prepares what the bases share; one basis. */
hl_status prepare_bases(hl_model *model, hl_error *error);
hl_status make_basis(const hl_model *model, uint32_t basis, float *out, hl_error *error);

/* image.c */
hl_status encode_images(hl_session *session, const float *pixels, size_t count, const hl_request *request,
                        hl_trace **traces, hl_error *error);

/* text.c */
hl_status encode_texts(hl_session *session, const int32_t *ids, size_t count, float *out, hl_error *error);

#endif
