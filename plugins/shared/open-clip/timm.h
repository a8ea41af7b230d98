/* vision_cfg that has timm make the image tower, and the grid of any tower's patches. */
#ifndef TIMM_H
#define TIMM_H

#include "open_clip.h"
#include "transformer/image_tower.h"

/* What timm makes of a model's name. */
typedef struct timm_tower {
    size_t patch, width, layers, heads;
    double mlp_ratio;
} timm_tower;

/* What timm calls the tensors of a layer, for a list of layer_names.slots. */
#define TIMM_LAYER_SLOTS                                                                                     \
    [LN_1_GAIN] = "norm1.weight", [LN_1_SHIFT] = "norm1.bias", [QKV_WEIGHT] = "attn.qkv.weight",             \
    [QKV_BIAS] = "attn.qkv.bias", [OUT_WEIGHT] = "attn.proj.weight", [OUT_BIAS] = "attn.proj.bias",          \
    [LN_2_GAIN] = "norm2.weight", [LN_2_SHIFT] = "norm2.bias", [MLP_IN_WEIGHT] = "mlp.fc1.weight",           \
    [MLP_IN_BIAS] = "mlp.fc1.bias", [MLP_OUT_WEIGHT] = "mlp.fc2.weight", [MLP_OUT_BIAS] = "mlp.fc2.bias"

/* The name; "": there is none. */
const char *timm_name(config_section vision);

/* Sizes of layers and images, and the grid: what the name says, `usual` and the sides of images in *io, but
 * for what timm_model_kwargs says. `pool` is the one timm_pool that the plugin computes. */
void timm_read(config_reader *r, config_section vision, const char *pool, const timm_tower *usual,
               image_shape *io);

/* The grid that image and patch make. `path`: the section, for messages. */
void open_clip_find_grid(config_reader *r, const char *path, image_shape *io);

#endif
