/* vision_cfg of a tower that timm makes, in as far as it is CLIP's: vit_large_patch14_clip_224 and its like,
 * whose sizes follow from the name. What differs from open_clip's own is that the projection is a linear
 * layer with a bias, the classifier of timm's model, and that open_clip's quick_gelu is not for it. */
#include "config.h"

#include <string.h>

typedef struct timm_size {
    const char *name;
    size_t width, layers, heads, hidden;
} timm_size;

static const timm_size sizes[] = {
    {"base", 768, 12, 12, 3072},   {"large", 1024, 24, 16, 4096},    {"huge", 1280, 32, 16, 5120},
    {"giant", 1408, 40, 16, 6144}, {"gigantic", 1664, 48, 16, 8192},
};

static const config_setting vision_settings[] = {{"timm_model_name", CONFIG_READ},
                                                 {"timm_model_kwargs", CONFIG_READ},
                                                 {"image_size", CONFIG_READ},
                                                 {"timm_pool", "token"},
                                                 {"timm_proj", "none"},
                                                 {"timm_model_pretrained", CONFIG_WITHOUT_EFFECT},
                                                 {"timm_proj_bias", CONFIG_WITHOUT_EFFECT}, /* of timm_proj */
                                                 {"timm_drop", CONFIG_WITHOUT_EFFECT},
                                                 {"timm_drop_path", CONFIG_WITHOUT_EFFECT},
                                                 {"patch_dropout", CONFIG_WITHOUT_EFFECT},
                                                 {"output_tokens", CONFIG_WITHOUT_EFFECT},
                                                 {NULL, NULL}};

static const config_setting kwargs_settings[] = {{"img_size", CONFIG_READ},
                                                 {"patch_size", CONFIG_READ},
                                                 {"embed_dim", CONFIG_READ},
                                                 {"depth", CONFIG_READ},
                                                 {"num_heads", CONFIG_READ},
                                                 {"mlp_ratio", CONFIG_READ},
                                                 {NULL, NULL}};

typedef struct timm_name {
    const timm_size *size;
    size_t patch, image;
    bool quick;
} timm_name;

static bool parse_name(const char *name, timm_name *out) {
    char size[16], rest[32];
    unsigned patch, image;
    if (sscanf(name, "vit_%15[a-z]_patch%4u_clip_%31s", size, &patch, rest) != 3) return false;
    out->quick = strncmp(rest, "quickgelu_", 10) == 0;
    int end = 0;
    const char *number = out->quick ? rest + 10 : rest;
    if (sscanf(number, "%4u%n", &image, &end) != 1 || number[end] || !patch || !image) return false;
    out->patch = patch;
    out->image = image;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        if (strcmp(size, sizes[i].name) == 0) out->size = &sizes[i];
    }
    return out->size != NULL;
}

static void read_sides(config_reader *r, config_section vision, config_section kwargs, size_t said,
                       image_shape *image) {
    size_t height = said, width = said;
    open_clip_read_sides(r, kwargs, "img_size", &height, &width);
    image->image_height = height, image->image_width = width;
    open_clip_read_sides(r, vision, "image_size", &image->image_height, &image->image_width);
    if (config_find(kwargs, "img_size") && (image->image_height != height || image->image_width != width)) {
        config_refuse(r, HL_FAILED, "%s.image_size: is %zu x %zu, but %s.img_size %zu x %zu", vision.path,
                      image->image_height, image->image_width, kwargs.path, height, width);
    }
}

void config_read_timm(config_reader *r, const open_clip_config *from, clip_config *config) {
    config_section vision = from->vision, kwargs = {"model_cfg.vision_cfg.timm_model_kwargs", NULL};
    const cJSON *name = config_find(vision, "timm_model_name");
    image_shape *image = &config->vit.image;
    tower_shape *layers = &image->layers;
    timm_name known = {NULL, 0, 0, false};
    if (!cJSON_IsString(name) || !parse_name(name->valuestring, &known)) {
        config_refuse(
            r, HL_USAGE,
            "%s.timm_model_name: %.64s is none of timm's CLIPs (vit_..._patch..._clip_...), and " PLUGIN_NAME
            " computes no other",
            vision.path, cJSON_IsString(name) ? name->valuestring : "what is there");
        return;
    }
    config_check_settings(r, vision, vision_settings);
    if (!config_is_off(config_find(vision, "timm_model_kwargs"))) {
        kwargs = config_read_section(r, vision, "timm_model_kwargs", kwargs.path);
        config_check_settings(r, kwargs, kwargs_settings);
    }
    const timm_size *size = known.size;
    layers->width = config_read_size(r, kwargs, "embed_dim", size->width, 1, OPEN_CLIP_WIDTH);
    layers->layers = config_read_size(r, kwargs, "depth", size->layers, 1, OPEN_CLIP_LAYERS);
    layers->heads = config_read_size(r, kwargs, "num_heads", size->heads, 1, OPEN_CLIP_WIDTH);
    layers->hidden = size->hidden;
    if (config_find(kwargs, "mlp_ratio") || layers->width != size->width) {
        layers->hidden = config_read_hidden(r, kwargs, "mlp_ratio", layers->width, OPEN_CLIP_HIDDEN);
    }
    if (layers->width % layers->heads != 0) {
        config_refuse(r, HL_FAILED, "%s.num_heads: is %zu, which does not divide the width %zu", kwargs.path,
                      layers->heads, layers->width);
    }
    layers->activation = known.quick ? HL_QUICK_GELU : HL_GELU;
    layers->epsilon = 1e-5F;
    image->patch = config_read_side(r, kwargs, "patch_size", known.patch, OPEN_CLIP_IMAGE);
    read_sides(r, vision, kwargs, known.image, image);
    config->has_projection_bias = true;
}
