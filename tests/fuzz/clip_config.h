/* What every configuration of model/clip-vit that is accepted says. Include config.c before. */
#ifndef CLIP_CONFIG_H
#define CLIP_CONFIG_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

static inline void check_tower(const tower_shape *tower) {
    if (!tower->layers || !tower->width || !tower->heads || !tower->hidden) abort();
    if (tower->width % tower->heads || tower->width > OPEN_CLIP_WIDTH || tower->hidden > OPEN_CLIP_HIDDEN)
        abort();
}

static inline void check_config(const clip_config *config) {
    const image_shape *image = &config->vit.image;
    check_tower(&image->layers);
    if (config->vit.has_texts) check_tower(&config->vit.text.layers);
    if (!image->grid_rows || image->grid_rows * image->patch > image->image_height || !image->embed_dim)
        abort();
    if (!image->grid_cols || image->grid_cols * image->patch > image->image_width) abort();
    for (int i = 0; i < 3; ++i) {
        if (!isfinite(config->vit.preprocess.mean[i]) || !(config->vit.preprocess.deviation[i] > 0)) abort();
    }
}

/* The bytes with a NUL behind them; free() it. */
static inline char *copy_text(const uint8_t *bytes, size_t count) {
    char *text = malloc(count + 1);
    if (!text) return NULL;
    if (count) memcpy(text, bytes, count);
    text[count] = '\0';
    return text;
}

#endif
