/* See timm.h. */
#include "timm.h"

#include <math.h>
#include <string.h>

static const config_setting vision_settings[] = {{"timm_model_name", CONFIG_READ},
                                                 {"timm_model_kwargs", CONFIG_READ},
                                                 {"image_size", CONFIG_READ},
                                                 {"timm_pool", CONFIG_READ},
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

const char *timm_name(config_section vision) {
    const cJSON *name = config_find(vision, "timm_model_name");
    return cJSON_IsString(name) ? name->valuestring : "";
}

void open_clip_find_grid(config_reader *r, const char *path, image_shape *io) {
    io->grid_rows = io->image_height / io->patch;
    io->grid_cols = io->image_width / io->patch;
    if (io->grid_rows < 1 || io->grid_rows > OPEN_CLIP_GRID || io->grid_cols < 1 ||
        io->grid_cols > OPEN_CLIP_GRID) {
        config_refuse(r, HL_FAILED, "%s.patch_size: makes %zu x %zu patches, expected 1 to %d a side", path,
                      io->grid_rows, io->grid_cols, OPEN_CLIP_GRID);
    }
}

static config_section find_kwargs(config_reader *r, config_section vision) {
    config_section kwargs = {"model_cfg.vision_cfg.timm_model_kwargs", NULL};
    if (config_is_off(config_find(vision, "timm_model_kwargs"))) return kwargs;
    kwargs = config_read_section(r, vision, "timm_model_kwargs", kwargs.path);
    if (r->status == HL_OK) config_check_settings(r, kwargs, kwargs_settings);
    return kwargs;
}

/* Where nothing is said open_clip has timm pool the mean. */
static void check_pooling(config_reader *r, config_section vision, const char *pool) {
    const cJSON *said = config_find(vision, "timm_pool");
    if (cJSON_IsString(said) && strcmp(said->valuestring, pool) == 0) return;
    config_refuse(r, HL_USAGE, "%s.timm_pool: expected %s; %s pools no other way", vision.path, pool,
                  r->plugin);
}

static void read_layers(config_reader *r, config_section kwargs, const timm_tower *usual, tower_shape *out) {
    out->width = config_read_size(r, kwargs, "embed_dim", usual->width, 1, OPEN_CLIP_WIDTH);
    out->layers = config_read_size(r, kwargs, "depth", usual->layers, 1, OPEN_CLIP_LAYERS);
    out->heads = config_read_size(r, kwargs, "num_heads", usual->heads, 1, OPEN_CLIP_WIDTH);
    out->hidden = config_find(kwargs, "mlp_ratio")
                      ? config_read_hidden(r, kwargs, "mlp_ratio", out->width, OPEN_CLIP_HIDDEN)
                      : (size_t)trunc((double)out->width * usual->mlp_ratio);
    if (out->hidden < 1 || out->hidden > OPEN_CLIP_HIDDEN) {
        config_refuse(r, HL_FAILED, "%s.embed_dim: is %zu, which makes an MLP of %zu numbers", kwargs.path,
                      out->width, out->hidden);
    }
    if (out->width % out->heads != 0) {
        config_refuse(r, HL_FAILED, "%s.num_heads: %zu heads do not divide the width %zu", kwargs.path,
                      out->heads, out->width);
    }
}

static void read_sides(config_reader *r, config_section vision, config_section kwargs, image_shape *io) {
    open_clip_read_sides(r, kwargs, "img_size", &io->image_height, &io->image_width);
    size_t height = io->image_height, width = io->image_width;
    open_clip_read_sides(r, vision, "image_size", &height, &width);
    if (height == io->image_height && width == io->image_width) return;
    config_refuse(r, HL_FAILED,
                  "%s.image_size: is %zu x %zu, but the image tower takes %zu x %zu; timm_model_kwargs may "
                  "say another img_size",
                  vision.path, height, width, io->image_height, io->image_width);
}

void timm_read(config_reader *r, config_section vision, const char *pool, const timm_tower *usual,
               image_shape *io) {
    config_check_settings(r, vision, vision_settings);
    config_section kwargs = find_kwargs(r, vision);
    if (r->status) return;
    check_pooling(r, vision, pool);
    read_layers(r, kwargs, usual, &io->layers);
    io->patch = config_read_side(r, kwargs, "patch_size", usual->patch, OPEN_CLIP_IMAGE);
    read_sides(r, vision, kwargs, io);
    open_clip_find_grid(r, kwargs.path, io);
}
