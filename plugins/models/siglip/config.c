/* Configurations -> siglip_config. Refuses by name whatever would make another model than this plugin
 * computes. Knows ranges and names of settings; never looks at weights. */
#include "config.h"

#include "hugging-face/hugging_face.h"
#include "open-clip/open_clip.h"
#include <string.h>

enum { MAX_CONTEXT = 1 << 16, MAX_VOCABULARY = 1 << 24 };

#define EPSILON 1e-6F /* timm's and transformers' for this family */

static bool is_word(const cJSON *item, const char *word) {
    return cJSON_IsString(item) && strcmp(item->valuestring, word) == 0;
}

/* What follows from image and patch, width, layers and heads. */
static void complete_image(siglip_config *out) {
    image_shape *image = &out->vit.image;
    const tower_shape *layers = &image->layers;
    image->pooling = IMAGE_POOL_ELSEWHERE;
    image->embed_dim = layers->width;
    out->pool = (pool_shape){.tokens = image_cells(image),
                             .width = layers->width,
                             .heads = layers->heads,
                             .embed_dim = layers->width,
                             .hidden = layers->hidden,
                             .activation = layers->activation,
                             .epsilon = layers->epsilon};
}

/* ---- open_clip's ---- */

static const timm_shape *read_name(config_reader *r, config_section vision) {
    const char *name = timm_name(vision);
    const timm_shape *timm = timm_find(name);
    if (!timm) {
        config_refuse(r, HL_USAGE, "%s.timm_model_name: %s is none of timm's SigLIP towers that %s knows",
                      vision.path, *name ? name : "what is there", PLUGIN_NAME);
    }
    return timm;
}

static void read_open_clip(config_reader *r, const cJSON *json, siglip_config *out) {
    open_clip_config whole;
    open_clip_read(r, json, &whole);
    const timm_shape *timm = r->status ? NULL : read_name(r, whole.vision);
    if (!timm) return;
    image_shape *image = &out->vit.image;
    image->image_height = image->image_width = timm->image;
    timm_read(r, whole.vision, "map", &timm->tower, image);
    if (r->status) return;
    image->layers.activation = timm->activation;
    image->layers.epsilon = EPSILON;
    complete_image(out);
    open_clip_read_text(r, &whole, &out->vit.text, &out->vit.tokenizer);
    out->vit.has_texts = true;
    if (whole.embed_dim != out->vit.image.embed_dim) {
        config_refuse(r, HL_FAILED,
                      "model_cfg.embed_dim: is %zu, but the image tower, which has no projection, "
                      "is %zu wide",
                      whole.embed_dim, out->vit.image.embed_dim);
    }
    open_clip_read_preprocess(r, &whole, out->vit.image.image_height, out->vit.image.image_width,
                              &out->vit.preprocess);
}

/* ---- Hugging Face's ---- */

static const config_setting hf_settings[] = {
    HUGGING_FACE_REMARKS, {"text_config", CONFIG_READ}, {"vision_config", CONFIG_READ}, {NULL, NULL}};

static const config_setting hf_vision_settings[] = {
    HUGGING_FACE_IMAGE_TOWER, {"vision_use_head", "true"}, {NULL, NULL}};

static const config_setting hf_text_settings[] = {HUGGING_FACE_TOWER,
                                                  {"vocab_size", CONFIG_READ},
                                                  {"max_position_embeddings", CONFIG_READ},
                                                  {"projection_size", CONFIG_READ},
                                                  {"eos_token_id", CONFIG_WITHOUT_EFFECT},
                                                  {NULL, NULL}};

/* What is not said is what transformers' SiglipConfig has. */
static const tower_shape hf_tower = {
    .layers = 12, .width = 768, .heads = 12, .hidden = 3072, .activation = HL_GELU_TANH, .epsilon = EPSILON};

static void read_hf_vision(config_reader *r, config_section from, siglip_config *out) {
    image_shape *image = &out->vit.image;
    config_check_settings(r, from, hf_vision_settings);
    *image = (image_shape){.layers = hf_tower, .image_height = 224, .patch = 16};
    hugging_face_read_image_tower(r, from, image);
    open_clip_find_grid(r, from.path, image);
    complete_image(out);
}

static void read_hf_text(config_reader *r, config_section from, siglip_config *out) {
    text_shape *text = &out->vit.text;
    config_check_settings(r, from, hf_text_settings);
    text->layers = hf_tower;
    hugging_face_read_tower(r, from, &text->layers);
    text->context = config_read_size(r, from, "max_position_embeddings", 64, 2, MAX_CONTEXT);
    text->vocab_size = config_read_size(r, from, "vocab_size", 32000, 1, MAX_VOCABULARY);
    text->embed_dim = config_read_size(r, from, "projection_size", text->layers.width, 1, OPEN_CLIP_WIDTH);
    text->mask = HL_MASK_NONE;
    text->pooled = text_pooled_at_last;
    out->vit.tokenizer = (tokenizer_rules){
        .style = TOKENIZER_TRANSFORMERS, .vocab_size = text->vocab_size, .context = text->context};
    if (text->embed_dim != out->vit.image.embed_dim) {
        config_refuse(r, HL_FAILED, "%s: texts become %zu numbers, images %zu; expected the same", from.path,
                      text->embed_dim, out->vit.image.embed_dim);
    }
}

static void read_hugging_face(config_reader *r, const cJSON *json, siglip_config *out) {
    const config_section top = {"", json};
    const cJSON *type = config_find(top, "model_type");
    out->vit.has_texts = is_word(type, "siglip");
    if (is_word(type, "siglip_vision_model")) {
        read_hf_vision(r, (config_section){"vision_config", json}, out);
        return;
    }
    if (!out->vit.has_texts) {
        config_refuse(r, HL_USAGE,
                      "model_type: expected siglip or siglip_vision_model, of a fixed resolution; "
                      "%s reads no other",
                      PLUGIN_NAME);
        return;
    }
    config_check_settings(r, top, hf_settings);
    read_hf_vision(r, hugging_face_find_tower(r, top, "vision_config"), out);
    read_hf_text(r, hugging_face_find_tower(r, top, "text_config"), out);
}

hl_status config_parse(const char *name, const char *text, size_t length, siglip_layout layout,
                       siglip_config *out, hl_error *error) {
    *out = (siglip_config){.layout = layout};
    cJSON *json;
    hl_status status = config_parse_json(name, text, length, &json, error);
    if (status) return status;
    config_reader r = {PLUGIN_NAME, name, HL_OK, error};
    if (layout == LAYOUT_OPEN_CLIP)
        read_open_clip(&r, json, out);
    else
        read_hugging_face(&r, json, out);
    cJSON_Delete(json);
    if (r.status == HL_OK) tensors_name(out);
    return r.status;
}

/* ---- files ---- */

bool config_find_layout(const char *folder, siglip_layout *out) {
    for (int i = LAYOUT_OPEN_CLIP; i <= LAYOUT_HUGGING_FACE; ++i) {
        *out = (siglip_layout)i;
        if (config_is_there(folder, siglip_config_file(*out))) return true;
    }
    return false;
}

static hl_status parse_own(const char *path, const char *text, size_t length, void *out, hl_error *error) {
    siglip_config *config = out;
    return config_parse(path, text, length, config->layout, config, error);
}

/* Only names that nothing else has. */
static hl_status look(const char *path, const char *text, size_t length, void *out, hl_error *error) {
    (void)path, (void)length, (void)error;
    *(bool *)out =
        strstr(text, "_siglip_") || strstr(text, "\"siglip\"") || strstr(text, "\"siglip_vision_model\"");
    return HL_OK;
}

bool config_is_siglip(const hl_host *host, const char *folder, siglip_layout layout) {
    bool found = false;
    return config_read_file(host, folder, siglip_config_file(layout), look, &found, NULL) == HL_OK && found;
}

/* Images are brought to the model's size whatever their proportions. */
static hl_status read_preprocess(const hl_host *host, const char *folder, siglip_config *out,
                                 hl_error *error) {
    bool there;
    out->vit.preprocess = (hl_preprocess){.size = sizeof out->vit.preprocess,
                                          .resize = HL_RESIZE_SQUASH,
                                          .interpolation = HL_BICUBIC,
                                          .height = (uint32_t)out->vit.image.image_height,
                                          .width = (uint32_t)out->vit.image.image_width,
                                          .mean = {0.5F, 0.5F, 0.5F},
                                          .deviation = {0.5F, 0.5F, 0.5F}};
    TRY(hugging_face_read_preprocessor(host, PLUGIN_NAME, folder, &out->vit.preprocess, &there, error));
    if (there) return HL_OK;
    host->log(
        host, HL_LOG_WARNING,
        "%s: there is no preprocessor_config.json: images are resized by a bicubic interpolation, with mean "
        "and deviation 0.5, as SigLIP's are; SigLIP 2's are by a bilinear one",
        folder);
    return HL_OK;
}

hl_status config_read(const hl_host *host, const char *folder, siglip_layout layout, siglip_config *out,
                      hl_error *error) {
    out->layout = layout;
    TRY(config_read_file(host, folder, siglip_config_file(layout), parse_own, out, error));
    return layout == LAYOUT_OPEN_CLIP ? HL_OK : read_preprocess(host, folder, out, error);
}
