/* config.json of transformers' CLIPModel, CLIPVisionModelWithProjection and CLIPVisionModel -> clip_config.
 * What it does not say is what transformers' CLIPConfig has. */
#include "hugging-face/hugging_face.h"
#include "config.h"
#include "open-clip/timm.h"

#include <string.h>

enum { MAX_CONTEXT = 1 << 16, MAX_VOCABULARY = 1 << 24, PROJECTION = 512, END_BY_SIZE = 2 };

static const config_setting top_settings[] = {HUGGING_FACE_REMARKS,
                                              {"eos_token_id", CONFIG_WITHOUT_EFFECT},
                                              {"text_config", CONFIG_READ},
                                              {"vision_config", CONFIG_READ},
                                              {"text_config_dict", CONFIG_READ},
                                              {"vision_config_dict", CONFIG_READ},
                                              {"projection_dim", CONFIG_READ},
                                              {"logit_scale_init_value", CONFIG_WITHOUT_EFFECT},
                                              {NULL, NULL}};

static const config_setting image_settings[] = {HUGGING_FACE_IMAGE_TOWER,
                                                {"eos_token_id", CONFIG_WITHOUT_EFFECT},
                                                {"projection_dim", CONFIG_READ},
                                                {NULL, NULL}};

static const config_setting text_settings[] = {HUGGING_FACE_TOWER,
                                               {"eos_token_id", CONFIG_READ},
                                               {"projection_dim", CONFIG_WITHOUT_EFFECT},
                                               {"vocab_size", CONFIG_READ},
                                               {"max_position_embeddings", CONFIG_READ},
                                               {NULL, NULL}};

static const tower_shape image_tower_usual = {
    .layers = 12, .width = 768, .heads = 12, .hidden = 3072, .activation = HL_QUICK_GELU, .epsilon = 1e-5F};
static const tower_shape text_tower_usual = {
    .layers = 12, .width = 512, .heads = 8, .hidden = 2048, .activation = HL_QUICK_GELU, .epsilon = 1e-5F};

static bool is_word(const cJSON *item, const char *word) {
    return cJSON_IsString(item) && strcmp(item->valuestring, word) == 0;
}

static bool is_vision_only(const cJSON *config) {
    return is_word(cJSON_GetObjectItemCaseSensitive(config, "model_type"), "clip_vision_model");
}

bool hugging_face_is_clip(const cJSON *config) {
    return is_vision_only(config) || is_word(cJSON_GetObjectItemCaseSensitive(config, "model_type"), "clip");
}

/* "CLIPVisionModelWithProjection" among the architectures. */
static bool is_architecture(const cJSON *config, const char *name) {
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(config, "architectures")) {
        if (is_word(item, name)) return true;
    }
    return false;
}

/* Where transformers finds an old *_config_dict it takes that, with defaults for what it lacks, and nothing
 * of the newer section. */
static config_section find_tower(config_reader *r, config_section top, const char *old, const char *current) {
    return hugging_face_find_tower(r, top, config_is_off(config_find(top, old)) ? current : old);
}

static void read_vision(config_reader *r, config_section from, image_shape *out) {
    config_check_settings(r, from, image_settings);
    *out = (image_shape){.layers = image_tower_usual, .image_height = 224, .patch = 32};
    hugging_face_read_image_tower(r, from, out);
    open_clip_find_grid(r, from.path, out);
}

/* An end of number 2 is from a time when configurations had it wrong: the largest id is the end's. */
static void read_end(config_reader *r, config_section from, text_shape *out) {
    size_t end = config_read_size(r, from, "eos_token_id", END_BY_SIZE, 0, MAX_VOCABULARY);
    out->pooled = end == END_BY_SIZE ? text_pooled_at_largest : text_pooled_at_end;
    out->end_id = (int32_t)end;
    if (end == END_BY_SIZE || end < out->vocab_size) return;
    config_refuse(r, HL_FAILED, "%s.eos_token_id: is %zu, of a vocabulary of %zu", from.path, end,
                  out->vocab_size);
}

static void read_text(config_reader *r, config_section from, vit_config *out) {
    text_shape *text = &out->text;
    config_check_settings(r, from, text_settings);
    text->layers = text_tower_usual;
    hugging_face_read_tower(r, from, &text->layers);
    text->mask = HL_MASK_CAUSAL;
    text->context = config_read_size(r, from, "max_position_embeddings", 77, 2, MAX_CONTEXT);
    text->vocab_size = config_read_size(r, from, "vocab_size", 49408, TOKENIZER_SIMPLE_LEAST, MAX_VOCABULARY);
    text->embed_dim = out->image.embed_dim;
    read_end(r, from, text);
    open_clip_name_text(text, false);
    out->tokenizer = (tokenizer_rules){.style = TOKENIZER_SIMPLE,
                                       .cleaning = TEXT_CLIP,
                                       .vocab_size = text->vocab_size,
                                       .context = text->context};
}

static void check_activations(config_reader *r, hl_activation image, hl_activation text) {
    if ((image == HL_QUICK_GELU) == (text == HL_QUICK_GELU)) return;
    config_refuse(r, HL_USAGE, "hidden_act: is %s for images and %s for texts, expected one for both",
                  activation_name(image), activation_name(text));
}

static void read_model(config_reader *r, const cJSON *json, clip_config *out) {
    const config_section top = {"", json};
    vit_config *vit = &out->vit;
    bool alone = is_vision_only(json);
    out->is_projected = !alone || !is_architecture(json, "CLIPVisionModel");
    if (!hugging_face_is_clip(json)) {
        const cJSON *type = config_find(top, "model_type");
        config_refuse(r, HL_USAGE, "model_type: is %.64s, expected clip or clip_vision_model",
                      cJSON_IsString(type) ? type->valuestring : "missing");
        return;
    }
    if (!alone) config_check_settings(r, top, top_settings);
    config_section vision = alone ? (config_section){HUGGING_FACE_CONFIG, json}
                                  : find_tower(r, top, "vision_config_dict", "vision_config");
    config_section text = find_tower(r, top, "text_config_dict", "text_config");
    if (r->status) return;
    read_vision(r, vision, &vit->image);
    size_t dim = config_read_size(r, top, "projection_dim", PROJECTION, 1, OPEN_CLIP_WIDTH);
    vit->image.embed_dim = out->is_projected ? dim : vit->image.layers.width;
    vit->has_texts = !alone;
    if (alone) return;
    read_text(r, text, vit);
    check_activations(r, vit->image.layers.activation, vit->text.layers.activation);
}

hl_status hugging_face_parse(const char *path, const char *json, size_t length, void *out, hl_error *error) {
    clip_config *config = out;
    cJSON *parsed;
    hl_status status = config_parse_json(path, json, length, &parsed, error);
    if (status) return status;
    config_reader r = {PLUGIN_NAME, path, HL_OK, error};
    *config = (clip_config){.has_ln_pre = true, .file = HUGGING_FACE_CONFIG};
    read_model(&r, parsed, config);
    const image_shape *image = &config->vit.image;
    open_clip_usual_preprocess(image->image_height, image->image_width, &config->vit.preprocess);
    cJSON_Delete(parsed);
    return r.status;
}
