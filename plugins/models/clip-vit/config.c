/* open_clip_config.json -> clip_config. Refuses by name whatever would make the tower another one than this
 * plugin computes. Knows ranges and names of settings; never looks at weights. */
#include "config.h"

#include "configuration/configuration.h"
#include <string.h>

enum {
    MAX_LAYERS = 1 << 10,
    MAX_WIDTH = 1 << 16,
    MAX_HIDDEN = 1 << 18,
    MAX_IMAGE = 1 << 14,
    MAX_GRID = 1 << 10,
    MAX_CONTEXT = 1 << 16,
    MIN_VOCABULARY = 514, /* 256 bytes, 256 bytes that end a word, start, end */
    MAX_VOCABULARY = 1 << 24
};

/* The settings of one section that this plugin knows; whatever else a section says must be off. */
static const config_setting top_settings[] = {
    {"model_cfg", CONFIG_READ}, {"preprocess_cfg", CONFIG_READ}, {NULL, NULL}};

static const config_setting model_settings[] = {{"embed_dim", CONFIG_READ},
                                                {"vision_cfg", CONFIG_READ},
                                                {"text_cfg", CONFIG_READ},
                                                {"quick_gelu", CONFIG_READ},
                                                {"init_logit_scale", CONFIG_WITHOUT_EFFECT},
                                                {"init_logit_bias", CONFIG_WITHOUT_EFFECT},
                                                {"nonscalar_logit_scale", CONFIG_WITHOUT_EFFECT},
                                                {"cast_dtype", CONFIG_WITHOUT_EFFECT},
                                                {"output_dict", CONFIG_WITHOUT_EFFECT},
                                                {NULL, NULL}};

static const config_setting vision_settings[] = {
    {"layers", CONFIG_READ},
    {"width", CONFIG_READ},
    {"head_width", CONFIG_READ},
    {"mlp_ratio", CONFIG_READ},
    {"patch_size", CONFIG_READ},
    {"image_size", CONFIG_READ},
    {"pool_type", "tok"},
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

static const config_setting text_settings[] = {
    {"layers", CONFIG_READ},
    {"width", CONFIG_READ},
    {"heads", CONFIG_READ},
    {"mlp_ratio", CONFIG_READ},
    {"context_length", CONFIG_READ},
    {"vocab_size", CONFIG_READ},
    {"pool_type", "argmax"},
    {"proj_type", "linear"},
    {"text_arch", "clip"},
    {"block_type", "default"},
    {"qkv_bias", "true"},
    {"eos_id", CONFIG_WITHOUT_EFFECT}, /* of pool_type eos */
    {"bos_id", CONFIG_WITHOUT_EFFECT}, /* of text_arch modern, as those below */
    {"pos_embed", CONFIG_WITHOUT_EFFECT},
    {"rope_temperature", CONFIG_WITHOUT_EFFECT},
    {"mlp_type", CONFIG_WITHOUT_EFFECT},
    {"norm_eps", CONFIG_WITHOUT_EFFECT},
    {"norm_placement", CONFIG_WITHOUT_EFFECT},
    {"attention_mode", "causal"},
    {"output_tokens", CONFIG_WITHOUT_EFFECT},
    {"tiktoken_name", CONFIG_WITHOUT_EFFECT},       /* of tokenizer_type */
    {"hf_model_pretrained", CONFIG_WITHOUT_EFFECT}, /* of hf_model_name */
    {"hf_proj_type", CONFIG_WITHOUT_EFFECT},
    {"hf_pooler_type", CONFIG_WITHOUT_EFFECT},
    {"hf_model_config", CONFIG_WITHOUT_EFFECT},
    {NULL, NULL}};

static const config_setting preprocess_settings[] = {
    {"mean", CONFIG_READ},
    {"std", CONFIG_READ},
    {"size", CONFIG_READ},
    {"interpolation", "bicubic"},
    {"resize_mode", "shortest"},
    {"mode", "RGB"},
    {"fill_color", CONFIG_WITHOUT_EFFECT}, /* of resize_mode longest */
    {NULL, NULL}};

static void read_image_tower(config_reader *r, config_section vision, image_shape *image) {
    tower_shape *layers = &image->layers;
    config_check_settings(r, vision, vision_settings);
    if (cJSON_IsArray(config_find(vision, "layers"))) {
        config_refuse(r, HL_USAGE, "%s.layers: a list makes this a ResNet, which clip-vit does not support",
                      vision.path);
    }
    layers->layers = config_read_size(r, vision, "layers", 12, 1, MAX_LAYERS);
    layers->width = config_read_size(r, vision, "width", 768, 1, MAX_WIDTH);
    layers->hidden = config_read_hidden(r, vision, "mlp_ratio", layers->width, MAX_HIDDEN);
    size_t head_width = config_read_size(r, vision, "head_width", 64, 1, MAX_WIDTH);
    layers->heads = layers->width / head_width;
    if (layers->width % head_width != 0) {
        config_refuse(r, HL_FAILED, "%s.head_width: is %zu, which does not divide the width %zu", vision.path,
                      head_width, layers->width);
    }
    image->image_height = image->image_width = config_read_side(r, vision, "image_size", 224, MAX_IMAGE);
    image->patch = config_read_side(r, vision, "patch_size", 16, MAX_IMAGE);
    image->grid_rows = image->grid_cols = image->image_height / image->patch;
    if (image->grid_rows < 1 || image->grid_rows > MAX_GRID) {
        config_refuse(r, HL_FAILED, "%s.patch_size: makes %zu patches a side, expected 1 to %d", vision.path,
                      image->grid_rows, MAX_GRID);
    }
}

static void read_text_tower(config_reader *r, config_section section, text_shape *text) {
    tower_shape *layers = &text->layers;
    config_check_settings(r, section, text_settings);
    layers->layers = config_read_size(r, section, "layers", 12, 1, MAX_LAYERS);
    layers->width = config_read_size(r, section, "width", 512, 1, MAX_WIDTH);
    layers->heads = config_read_size(r, section, "heads", 8, 1, MAX_WIDTH);
    layers->hidden = config_read_hidden(r, section, "mlp_ratio", layers->width, MAX_HIDDEN);
    if (layers->width % layers->heads != 0) {
        config_refuse(r, HL_FAILED, "%s.heads: is %zu, which does not divide the width %zu", section.path,
                      layers->heads, layers->width);
    }
    text->context = config_read_size(r, section, "context_length", 77, 2, MAX_CONTEXT);
    text->vocab_size = config_read_size(r, section, "vocab_size", 49408, MIN_VOCABULARY, MAX_VOCABULARY);
    text->mask = HL_MASK_CAUSAL;
    text->pooled = text_pooled_at_largest;
}

static void read_preprocess(config_reader *r, config_section top, clip_config *config) {
    static const float mean[3] = {0.48145466F, 0.4578275F, 0.40821073F};
    static const float deviation[3] = {0.26862954F, 0.26130258F, 0.27577711F};
    memcpy(config->mean, mean, sizeof mean);
    memcpy(config->deviation, deviation, sizeof deviation);
    if (config_is_off(config_find(top, "preprocess_cfg"))) return;
    config_section preprocess = config_read_section(r, top, "preprocess_cfg", "preprocess_cfg");
    config_check_settings(r, preprocess, preprocess_settings);
    config_read_channels(r, preprocess, "mean", -1e3, config->mean);
    config_read_channels(r, preprocess, "std", 1e-6, config->deviation);
    size_t size = config_read_side(r, preprocess, "size", config->image.image_height, MAX_IMAGE);
    if (size != config->image.image_height) {
        config_refuse(r, HL_FAILED, "%s.size: expected the model's image_size, %zu", preprocess.path,
                      config->image.image_height);
    }
}

static void read_all(config_reader *r, const cJSON *json, clip_config *config) {
    config_section top = {"", json};
    config_section model = config_read_section(r, top, "model_cfg", "model_cfg");
    config_section vision = config_read_section(r, model, "vision_cfg", "model_cfg.vision_cfg");
    config_section text = config_read_section(r, model, "text_cfg", "model_cfg.text_cfg");
    if (r->status) return;
    config_check_settings(r, top, top_settings);
    config_check_settings(r, model, model_settings);
    config->image.embed_dim = config->text.embed_dim =
        config_read_size(r, model, "embed_dim", 0, 1, MAX_WIDTH);
    hl_activation activation = config_read_bool(r, model, "quick_gelu") ? HL_QUICK_GELU : HL_GELU;
    config->image.layers.activation = config->text.layers.activation = activation;
    config->image.layers.epsilon = config->text.layers.epsilon = 1e-5F;
    read_image_tower(r, vision, &config->image);
    read_text_tower(r, text, &config->text);
    tokenizer_read_settings(r, text, &config->tokenizer);
    config->tokenizer.vocab_size = config->text.vocab_size;
    config->tokenizer.context = config->text.context;
    read_preprocess(r, top, config);
}

hl_status config_parse(const char *name, const char *json, size_t length, clip_config *config,
                       hl_error *error) {
    *config = (clip_config){0};
    cJSON *parsed;
    hl_status status = config_parse_json(name, json, length, &parsed, error);
    if (status) return status;
    config_reader r = {PLUGIN_NAME, name, HL_OK, error};
    read_all(&r, parsed, config);
    cJSON_Delete(parsed);
    return r.status;
}

static hl_status parse(const char *path, const char *json, size_t length, void *out, hl_error *error) {
    return config_parse(path, json, length, out, error);
}

hl_status config_read(const hl_host *host, const char *folder, clip_config *config, hl_error *error) {
    return config_read_file(host, folder, CONFIG_FILE, parse, config, error);
}
