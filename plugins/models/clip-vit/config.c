/* open_clip_config.json, or what transformers say in their config.json -> clip_config. Refuses by name
 * whatever would make the image tower another one than this plugin computes. Knows ranges and names of
 * settings; never looks at weights. */
#include "config.h"

#include "hugging-face/hugging_face.h"
#include "open-clip/timm.h"
#include <stdlib.h>
#include <string.h>

/* The settings of vision_cfg that this plugin knows; whatever else it says must be off. */
static const config_setting vision_settings[] = {
    {"layers", CONFIG_READ},
    {"width", CONFIG_READ},
    {"head_width", CONFIG_READ},
    {"mlp_ratio", CONFIG_READ},
    {"patch_size", CONFIG_READ},
    {"image_size", CONFIG_READ},
    {"ls_init_value", CONFIG_READ},
    {"no_ln_pre", CONFIG_READ},
    {"pool_type", CONFIG_READ},
    {"final_ln_after_pool", CONFIG_READ},
    {"act_kwargs", CONFIG_READ},
    {"norm_kwargs", CONFIG_READ},
    {"pos_embed_type", "learnable"},
    {"block_type", "default"},
    {"qkv_bias", "true"},
    {"image_seq_len", CONFIG_WITHOUT_EFFECT},
    {"patch_dropout", CONFIG_WITHOUT_EFFECT},
    {"output_tokens", CONFIG_WITHOUT_EFFECT},
    {"attn_pooler_queries", CONFIG_WITHOUT_EFFECT}, /* of attentional_pool */
    {"attn_pooler_heads", CONFIG_WITHOUT_EFFECT},
    {"timm_model_pretrained", CONFIG_WITHOUT_EFFECT}, /* of timm_model_name */
    {"timm_pool", CONFIG_WITHOUT_EFFECT},
    {"timm_proj", CONFIG_WITHOUT_EFFECT},
    {"timm_proj_bias", CONFIG_WITHOUT_EFFECT},
    {"timm_drop", CONFIG_WITHOUT_EFFECT},
    {"timm_drop_path", CONFIG_WITHOUT_EFFECT},
    {"timm_model_kwargs", CONFIG_WITHOUT_EFFECT},
    {NULL, NULL}};

static image_pooling read_pooling(config_reader *r, config_section vision) {
    const cJSON *type = config_find(vision, "pool_type");
    bool after = config_read_bool(r, vision, "final_ln_after_pool");
    if (config_is_off(type) || (cJSON_IsString(type) && strcmp(type->valuestring, "tok") == 0)) {
        return IMAGE_POOL_CLASS;
    }
    if (!cJSON_IsString(type) || strcmp(type->valuestring, "avg") != 0) {
        config_refuse(r, HL_USAGE, "%s.pool_type: expected tok or avg; clip-vit pools no other way",
                      vision.path);
    }
    return after ? IMAGE_POOL_MEAN : IMAGE_POOL_MEAN_OF_NORMS;
}

static void read_image_tower(config_reader *r, const open_clip_config *from, clip_config *config) {
    config_section vision = from->vision;
    image_shape *image = &config->vit.image;
    tower_shape *layers = &image->layers;
    config_check_settings(r, vision, vision_settings);
    if (cJSON_IsArray(config_find(vision, "layers"))) {
        config_refuse(r, HL_USAGE, "%s.layers: a list makes this a ResNet, which clip-vit does not support",
                      vision.path);
    }
    layers->layers = config_read_size(r, vision, "layers", 12, 1, OPEN_CLIP_LAYERS);
    layers->width = config_read_size(r, vision, "width", 768, 1, OPEN_CLIP_WIDTH);
    layers->hidden = config_read_hidden(r, vision, "mlp_ratio", layers->width, OPEN_CLIP_HIDDEN);
    size_t head_width = config_read_size(r, vision, "head_width", 64, 1, OPEN_CLIP_WIDTH);
    layers->heads = layers->width / head_width;
    if (layers->width % head_width != 0) {
        config_refuse(r, HL_FAILED, "%s.head_width: is %zu, which does not divide the width %zu", vision.path,
                      head_width, layers->width);
    }
    open_clip_read_functions(r, from, vision, layers);
    image->image_height = image->image_width = 224;
    open_clip_read_sides(r, vision, "image_size", &image->image_height, &image->image_width);
    image->patch = config_read_side(r, vision, "patch_size", 16, OPEN_CLIP_IMAGE);
    if (r->status == HL_OK) open_clip_find_grid(r, vision.path, image);
    image->pooling = read_pooling(r, vision);
    config->has_ln_pre = !config_read_bool(r, vision, "no_ln_pre");
    config->has_layer_scale = !config_is_off(config_find(vision, "ls_init_value"));
}

static void read_all(config_reader *r, const cJSON *json, clip_config *config) {
    open_clip_config from;
    open_clip_read(r, json, &from);
    if (r->status) return;
    bool timm = !config_is_off(config_find(from.vision, "timm_model_name"));
    (timm ? config_read_timm : read_image_tower)(r, &from, config);
    vit_config *vit = &config->vit;
    vit->image.embed_dim = from.embed_dim;
    vit->has_texts = from.has_texts;
    if (from.has_texts) open_clip_read_text(r, &from, &vit->text, &vit->tokenizer);
    open_clip_read_preprocess(r, &from, vit->image.image_height, vit->image.image_width, &vit->preprocess);
}

hl_status config_take(const char *name, const cJSON *json, clip_config *config, hl_error *error) {
    config_reader r = {PLUGIN_NAME, name, HL_OK, error};
    *config = (clip_config){.has_ln_pre = true, .is_projected = true, .file = CONFIG_FILE};
    read_all(&r, json, config);
    return r.status;
}

hl_status config_parse(const char *name, const char *json, size_t length, clip_config *config,
                       hl_error *error) {
    cJSON *parsed;
    hl_status status = config_parse_json(name, json, length, &parsed, error);
    if (status) return status;
    status = config_take(name, parsed, config, error);
    cJSON_Delete(parsed);
    return status;
}

/* ---- files ---- */

static hl_status parse(const char *path, const char *json, size_t length, void *out, hl_error *error) {
    return config_parse(path, json, length, out, error);
}

static hl_status parse_tree(const char *path, const char *json, size_t length, void *out, hl_error *error) {
    return config_parse_json(path, json, length, out, error);
}

static hl_status read_hugging_face(const hl_host *host, const char *folder, clip_config *config,
                                   hl_error *error) {
    bool there;
    TRY(config_read_file(host, folder, HUGGING_FACE_CONFIG, hugging_face_parse, config, error));
    return hugging_face_read_preprocessor(host, PLUGIN_NAME, folder, &config->vit.preprocess, &there, error);
}

/* One that is no JSON is taken for it, so that somebody says so. */
static bool is_clip(const hl_host *host, const char *folder) {
    cJSON *json = NULL;
    hl_status status = config_read_file(host, folder, HUGGING_FACE_CONFIG, parse_tree, &json, NULL);
    bool clip = status != HL_OK || hugging_face_is_clip(json);
    cJSON_Delete(json);
    return clip;
}

const char *config_file(const hl_host *host, const char *folder) {
    if (config_is_there(folder, CONFIG_FILE)) return CONFIG_FILE;
    bool there = config_is_there(folder, HUGGING_FACE_CONFIG);
    return there && is_clip(host, folder) ? HUGGING_FACE_CONFIG : NULL;
}

hl_status config_read(const hl_host *host, const char *folder, const char *file, clip_config *config,
                      hl_error *error) {
    if (strcmp(file, HUGGING_FACE_CONFIG) == 0) return read_hugging_face(host, folder, config, error);
    return config_read_file(host, folder, file, parse, config, error);
}
