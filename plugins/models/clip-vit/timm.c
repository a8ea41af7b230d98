/* vision_cfg of a tower that timm makes, in as far as it is CLIP's: vit_large_patch14_clip_224 and its like,
 * whose sizes follow from the name. What differs from open_clip's own is that the projection is a linear
 * layer with a bias, the classifier of timm's model, and that open_clip's quick_gelu is not for it. */
#include "config.h"

#include "open-clip/timm.h"
#include <string.h>

typedef struct timm_size {
    const char *name;
    timm_tower tower; /* the patch is in the name, too */
} timm_size;

static const timm_size sizes[] = {
    {"base", {0, 768, 12, 12, 4}},
    {"large", {0, 1024, 24, 16, 4}},
    {"huge", {0, 1280, 32, 16, 4}},
    {"giant", {0, 1408, 40, 16, 48.0 / 11}},
    {"gigantic", {0, 1664, 48, 16, 64.0 / 13}},
};

typedef struct timm_words {
    timm_tower tower;
    size_t image;
    bool quick;
} timm_words;

static bool parse_name(const char *name, timm_words *out) {
    char size[16], rest[32];
    unsigned patch, image;
    if (sscanf(name, "vit_%15[a-z]_patch%4u_clip_%31s", size, &patch, rest) != 3) return false;
    out->quick = strncmp(rest, "quickgelu_", 10) == 0;
    int end = 0;
    const char *number = out->quick ? rest + 10 : rest;
    if (sscanf(number, "%4u%n", &image, &end) != 1 || number[end] || !patch || !image) return false;
    out->image = image;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; ++i) {
        if (strcmp(size, sizes[i].name) == 0) out->tower = sizes[i].tower;
    }
    out->tower.patch = patch;
    return out->tower.width > 0;
}

void config_read_timm(config_reader *r, const open_clip_config *from, clip_config *config) {
    config_section vision = from->vision;
    image_shape *image = &config->vit.image;
    timm_words known = {.image = 0};
    if (!parse_name(timm_name(vision), &known)) {
        const char *name = timm_name(vision);
        config_refuse(
            r, HL_USAGE,
            "%s.timm_model_name: %.64s is none of timm's CLIPs (vit_..._patch..._clip_...), and " PLUGIN_NAME
            " computes no other",
            vision.path, *name ? name : "what is there");
        return;
    }
    image->image_height = image->image_width = known.image;
    open_clip_read_sides(r, vision, "image_size", &image->image_height, &image->image_width);
    timm_read(r, vision, "token", &known.tower, image);
    image->layers.activation = known.quick ? HL_QUICK_GELU : HL_GELU;
    image->layers.epsilon = 1e-5F;
    config->has_projection_bias = true;
}
