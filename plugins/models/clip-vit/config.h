/* The shape of a CLIP model, from open_clip_config.json. */
#ifndef CONFIG_H
#define CONFIG_H

#include "headlight/compute.h"

#define CONFIG_FILE "open_clip_config.json"

/* One transformer: `heads` of width / heads numbers, an MLP of `hidden` numbers. */
typedef struct tower_shape {
    const char *prefix; /* of its tensors' names */
    size_t layers, width, heads, hidden;
} tower_shape;

typedef struct clip_config {
    size_t embed_dim;
    size_t image_size, patch, grid; /* grid: cells a side */
    size_t context, vocab_size;
    tower_shape image, text;
    hl_activation activation;
    float mean[3], deviation[3];
} clip_config;

/* Tokens of the image tower: the pooled one and the grid's. */
static inline size_t config_tokens(const clip_config *config) {
    return 1 + config->grid * config->grid;
}

/* Every size is checked so that products of a batch, tokens and columns cannot overflow. `name` is for
 * messages; json[length] is NUL. */
hl_status config_parse(const char *name, const char *json, size_t length, clip_config *config,
                       hl_error *error);

/* Reads FOLDER/open_clip_config.json. */
hl_status config_read(const hl_host *host, const char *folder, clip_config *config, hl_error *error);

#endif
