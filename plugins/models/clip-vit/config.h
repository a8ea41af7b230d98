/* The shape of a CLIP model, from open_clip_config.json or from transformers' config.json. */
#ifndef CONFIG_H
#define CONFIG_H

#include "open-clip/open_clip.h"
#include "two-towers/vit_model.h"

#define PLUGIN_NAME "clip-vit"
#define CONFIG_FILE OPEN_CLIP_CONFIG

/* The image tower lacks its names, which tensors.c gives. */
typedef struct clip_config {
    vit_config vit;
    bool is_projected; /* the image tower; else its pooled output is the embedding */
    const char *file;  /* what all this was read from, for messages */
    char assumed[160]; /* what no file said; empty: nothing */
    bool has_ln_pre, has_layer_scale, has_projection_bias; /* of the image tower */
    const char *image_names[IMAGE_SLOTS];
} clip_config;

/* Every size is checked so that products of a batch, tokens and columns cannot overflow. `name` is for
 * messages; json[length] is NUL. */
hl_status config_parse(const char *name, const char *json, size_t length, clip_config *config,
                       hl_error *error);

/* timm.c: vision_cfg that names a model of timm. */
void config_read_timm(config_reader *r, const open_clip_config *from, clip_config *config);

/* hugging_face.c: whether transformers' config.json is a CLIP's; and what it says, but for
 * preprocessor_config.json. `out`: a clip_config. */
bool hugging_face_is_clip(const cJSON *config);
hl_status hugging_face_parse(const char *path, const char *json, size_t length, void *out, hl_error *error);

/* The same from what open_clip_config.json would say. */
hl_status config_take(const char *name, const cJSON *json, clip_config *config, hl_error *error);

/* The file in the folder that says what the model is, open_clip's or else transformers' of a CLIP model;
 * NULL: neither is there. */
const char *config_file(const hl_host *host, const char *folder);

/* Reads FOLDER/file, one of these. */
hl_status config_read(const hl_host *host, const char *folder, const char *file, clip_config *config,
                      hl_error *error);

#endif
