/* The model and its sessions, as the files of this plugin share them. */
#ifndef RESNET_H
#define RESNET_H

#include "attention-pool/pooled.h"
#include "open-clip/open_clip.h"
#include "trunk.h"
#include "two-towers/two_towers.h"

#define PLUGIN_NAME "clip-resnet"

typedef struct resnet_config {
    trunk_shape trunk;
    pool_shape pool;
    text_shape text;
    tokenizer_rules tokenizer;
    hl_preprocess preprocess;
} resnet_config;

struct hl_model {
    two_towers base; /* first */
    resnet_config config;
    resnet_trunk trunk;
    pooled image;     /* the pooling of the trunk's last map */
    float *positions; /* of the pooling's tokens: their mean, then the cells; tokens x channels */
};

struct hl_session {
    two_towers_session base; /* first */
    pooled_rooms rooms;
    trunk_room room;
    pool_session pool;
    hl_tensor *tokens, *wide; /* rooms.together * tokens x channels, and twice as many */
    float *cells, *rows;      /* host memory: the last map, and tokens, of rooms.together images */
    float *pixels;            /* host memory: one image, cell by cell */
};

/* config.c: open_clip_config.json -> a resnet_config. Every size is checked so that products of a batch,
 * cells and channels cannot overflow. `name` is for messages; json[length] is NUL. */
hl_status config_parse(const char *name, const char *json, size_t length, void *out, hl_error *error);

/* tensors.c */
void tensors_name(resnet_config *config);
tensor_spec tensors_positions(const resnet_config *config);
/* `named`: the file of weights; NULL: the one that is there. */
hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const resnet_config *config, checkpoint *out, hl_error *error);
/* Numbers of the image tower. */
hl_status tensors_count_image(const resnet_config *config, size_t *out, hl_error *error);

/* session.c: a pass of the image tower. */
hl_status session_open_images(const hl_model *model, size_t batch, hl_session *out, hl_error *error);
void session_close_images(hl_session *session);
hl_status session_encode_images(hl_session *session, const float *pixels, size_t count,
                                const hl_request *request, hl_trace **traces, hl_error *error);

#endif
