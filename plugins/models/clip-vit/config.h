/* The shape of a CLIP model, from open_clip_config.json. */
#ifndef CONFIG_H
#define CONFIG_H

#include "tokenizer/tokenizer.h"
#include "transformer/image_tower.h"
#include "transformer/text_tower.h"

#define PLUGIN_NAME "clip-vit"
#define CONFIG_FILE "open_clip_config.json"

/* `image` and `text` lack their names, which tensors.c gives. */
typedef struct clip_config {
    image_shape image;
    text_shape text;
    tokenizer_rules tokenizer;
    float mean[3], deviation[3];
} clip_config;

/* Every size is checked so that products of a batch, tokens and columns cannot overflow. `name` is for
 * messages; json[length] is NUL. */
hl_status config_parse(const char *name, const char *json, size_t length, clip_config *config,
                       hl_error *error);

/* Reads FOLDER/open_clip_config.json. */
hl_status config_read(const hl_host *host, const char *folder, clip_config *config, hl_error *error);

#endif
