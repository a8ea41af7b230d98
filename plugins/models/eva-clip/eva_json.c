/* EVA-CLIP's model_configs, which say of a tower what it is made of, into open_clip's words, which name a
 * timm model that is made of the same. */
#include "config.h"

#include <math.h>

static const config_setting outer_settings[] = {{"embed_dim", CONFIG_READ},
                                                {"vision_cfg", CONFIG_READ},
                                                {"text_cfg", CONFIG_READ},
                                                {"quick_gelu", CONFIG_READ},
                                                {"custom_text", CONFIG_WITHOUT_EFFECT},
                                                {NULL, NULL}};

static const config_setting tower_settings[] = {
    {"image_size", CONFIG_READ},
    {"layers", CONFIG_READ},
    {"width", CONFIG_READ},
    {"head_width", CONFIG_READ},
    {"patch_size", CONFIG_READ},
    {"mlp_ratio", CONFIG_READ},
    {"eva_model_name", CONFIG_WITHOUT_EFFECT},
    {"rope", CONFIG_READ},
    {"naiveswiglu", CONFIG_READ},
    {"subln", CONFIG_READ},
    {"pt_hw_seq_len", CONFIG_READ},
    {"intp_freq", CONFIG_READ},
    {"qkv_bias", "true"},
    {"drop_path_rate", CONFIG_WITHOUT_EFFECT}, /* in training only, as the next */
    {"patch_dropout", CONFIG_WITHOUT_EFFECT},
    {"xattn", CONFIG_WITHOUT_EFFECT}, /* how it is computed, as the next */
    {"fusedLN", CONFIG_WITHOUT_EFFECT},
    {NULL, NULL}};

bool eva_json_is(const cJSON *json) {
    const cJSON *vision = cJSON_GetObjectItemCaseSensitive(json, "vision_cfg");
    return cJSON_IsString(cJSON_GetObjectItemCaseSensitive(vision, "eva_model_name"));
}

/* What makes a tower an EVA-02. */
static void check_kind(config_reader *r, config_section vision) {
    static const char *const needed[] = {"rope", "naiveswiglu", "subln"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; ++i) {
        if (config_read_bool(r, vision, needed[i])) continue;
        config_refuse(r, HL_USAGE, "%s.%s: expected true, as in EVA-02; %s computes no other EVA",
                      vision.path, needed[i], PLUGIN_NAME);
    }
}

static bool add_size(config_reader *r, config_section from, const char *key, size_t fallback, size_t most,
                     cJSON *to, const char *name, size_t *out) {
    *out = config_read_size(r, from, key, fallback, 1, most);
    return cJSON_AddNumberToObject(to, name, (double)*out) != NULL;
}

/* Positions count in a grid of 16 a side, or else in the tower's own, which must be that one. */
static void check_positions(config_reader *r, config_section vision, size_t grid) {
    size_t side = config_read_size(r, vision, "pt_hw_seq_len", 16, 1, OPEN_CLIP_GRID);
    bool scaled = config_read_bool(r, vision, "intp_freq");
    if (side == 16 && (scaled || grid == 16)) return;
    config_refuse(
        r, HL_USAGE,
        "%s.pt_hw_seq_len, intp_freq: expected positions of a grid of 16 a side, as in all published "
        "EVA-02; %s turns by no others",
        vision.path, PLUGIN_NAME);
}

static bool translate_vision(config_reader *r, config_section vision, cJSON *out) {
    cJSON *kwargs = cJSON_AddObjectToObject(out, "timm_model_kwargs");
    const cJSON *ratio = config_find(vision, "mlp_ratio");
    size_t image, patch, layers, width,
        own = config_read_size(r, vision, "head_width", 64, 1, OPEN_CLIP_WIDTH);
    if (!kwargs || !add_size(r, vision, "image_size", 224, OPEN_CLIP_IMAGE, kwargs, "img_size", &image) ||
        !add_size(r, vision, "patch_size", 16, OPEN_CLIP_IMAGE, kwargs, "patch_size", &patch) ||
        !add_size(r, vision, "layers", 12, OPEN_CLIP_LAYERS, kwargs, "depth", &layers) ||
        !add_size(r, vision, "width", 768, OPEN_CLIP_WIDTH, kwargs, "embed_dim", &width) ||
        !cJSON_AddNumberToObject(kwargs, "num_heads", (double)(width / own)) ||
        !cJSON_AddStringToObject(out, "timm_model_name", "eva02_base_patch16_clip_224") ||
        !cJSON_AddStringToObject(out, "timm_pool", "token")) {
        return false;
    }
    if (width % own != 0) {
        config_refuse(r, HL_FAILED, "%s.head_width: is %zu, which does not divide the width %zu", vision.path,
                      own, width);
    }
    if (ratio && !cJSON_IsNumber(ratio))
        config_refuse(r, HL_FAILED, "%s.mlp_ratio: expected a number", vision.path);
    check_positions(r, vision, image / patch);
    return cJSON_AddNumberToObject(kwargs, "mlp_ratio", ratio ? ratio->valuedouble : 4) != NULL;
}

/* The text tower is open_clip's, but for two settings of how it is computed. */
static bool translate_text(const cJSON *from, cJSON *model) {
    cJSON *text = cJSON_Duplicate(from, true);
    if (!text || !cJSON_AddItemToObject(model, "text_cfg", text)) {
        cJSON_Delete(text);
        return false;
    }
    cJSON_DeleteItemFromObjectCaseSensitive(text, "xattn");
    cJSON_DeleteItemFromObjectCaseSensitive(text, "fusedLN");
    return true;
}

cJSON *eva_json_translate(config_reader *r, const cJSON *json) {
    const config_section top = {"", json};
    config_section vision = config_read_section(r, top, "vision_cfg", "vision_cfg");
    config_section text = config_read_section(r, top, "text_cfg", "text_cfg");
    if (r->status) return NULL;
    config_check_settings(r, top, outer_settings);
    config_check_settings(r, vision, tower_settings);
    check_kind(r, vision);
    cJSON *out = cJSON_CreateObject(), *model = cJSON_AddObjectToObject(out, "model_cfg");
    cJSON *tower = cJSON_AddObjectToObject(model, "vision_cfg");
    size_t dim = config_read_size(r, top, "embed_dim", 0, 1, OPEN_CLIP_WIDTH);
    bool made = tower && cJSON_AddNumberToObject(model, "embed_dim", (double)dim) &&
                cJSON_AddBoolToObject(model, "quick_gelu", config_read_bool(r, top, "quick_gelu")) &&
                translate_vision(r, vision, tower) && translate_text(text.object, model);
    if (made && r->status == HL_OK) return out;
    cJSON_Delete(out);
    return NULL;
}
