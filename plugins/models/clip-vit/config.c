/* open_clip_config.json -> clip_config. Refuses by name whatever would make the tower another one than this
 * plugin computes. Knows JSON and ranges; never looks at weights. */
#include "config.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_FILE = 1 << 20,
    MAX_LAYERS = 1 << 10,
    MAX_WIDTH = 1 << 16,
    MAX_HIDDEN = 1 << 18,
    MAX_IMAGE = 1 << 14,
    MAX_GRID = 1 << 10,
    MAX_CONTEXT = 1 << 16,
    MIN_VOCABULARY = 514, /* 256 bytes, 256 bytes that end a word, start, end */
    MAX_VOCABULARY = 1 << 24
};

/* The first error sticks, so that values can be read one after another and checked once. */
typedef struct reader {
    const char *file;
    hl_status status;
    hl_error *error;
} reader;

typedef struct section {
    const char *path; /* for messages: "model_cfg.vision_cfg" */
    const cJSON *object;
} section;

#define REFUSE(READER, STATUS, FORMAT, ...)                                                                  \
    ((READER)->status = (READER)->status                                                                     \
                            ? (READER)->status                                                               \
                            : hl_fail((READER)->error, STATUS, "%s: " FORMAT, (READER)->file, __VA_ARGS__))

static const cJSON *find(section from, const char *key) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(from.object, key);
    return cJSON_IsNull(item) ? NULL : item;
}

static section read_section(reader *r, section from, const char *key, const char *path) {
    section out = {path, find(from, key)};
    if (!cJSON_IsObject(out.object)) {
        REFUSE(r, HL_FAILED, "%s: expected an object; is this an open_clip configuration?", path);
    }
    return out;
}

static size_t whole_number(reader *r, section from, const char *key, const cJSON *item, size_t low,
                           size_t high) {
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    if (!(value >= (double)low && value <= (double)high && value == floor(value))) {
        REFUSE(r, HL_FAILED, "%s.%s: expected a whole number from %zu to %zu", from.path, key, low, high);
        return low;
    }
    return (size_t)value;
}

/* `fallback` 0: the key must be there. */
static size_t read_size(reader *r, section from, const char *key, size_t fallback, size_t low, size_t high) {
    const cJSON *item = find(from, key);
    return !item && fallback ? fallback : whole_number(r, from, key, item, low, high);
}

/* A side in pixels, or both sides of what must be a square: 224, [224, 224]. */
static size_t read_side(reader *r, section from, const char *key, size_t fallback, size_t high) {
    const cJSON *pair = find(from, key);
    if (!cJSON_IsArray(pair)) return read_size(r, from, key, fallback, 1, high);
    const cJSON *first = cJSON_GetArrayItem(pair, 0), *second = cJSON_GetArrayItem(pair, 1);
    if (cJSON_GetArraySize(pair) != 2 || !cJSON_IsNumber(first) || !cJSON_IsNumber(second)) {
        REFUSE(r, HL_FAILED, "%s.%s: expected one whole number, or two that are equal", from.path, key);
        return fallback;
    }
    if (first->valuedouble != second->valuedouble) {
        REFUSE(r, HL_USAGE, "%s.%s: is %g x %g, which is no square; clip-vit takes square ones only",
               from.path, key, first->valuedouble, second->valuedouble);
        return fallback;
    }
    return whole_number(r, from, key, first, 1, high);
}

static size_t read_hidden(reader *r, section from, size_t width) {
    const cJSON *item = find(from, "mlp_ratio");
    double ratio = !item ? 4.0 : cJSON_IsNumber(item) ? item->valuedouble : NAN;
    double hidden = trunc((double)width * ratio);
    if (!(hidden >= 1 && hidden <= MAX_HIDDEN)) {
        REFUSE(r, HL_FAILED, "%s.mlp_ratio: expected a number that makes the MLP 1 to %d wide", from.path,
               MAX_HIDDEN);
        return 1;
    }
    return (size_t)hidden;
}

/* Missing, null, false, 0, empty. */
static bool is_off(const cJSON *item) {
    if (!item || cJSON_IsNull(item) || cJSON_IsFalse(item)) return true;
    if (cJSON_IsNumber(item)) return item->valuedouble == 0;
    if (cJSON_IsString(item)) return !*item->valuestring;
    return !cJSON_IsTrue(item) && !item->child;
}

static bool read_bool(reader *r, section from, const char *key) {
    const cJSON *item = find(from, key);
    if (!cJSON_IsTrue(item) && !is_off(item)) {
        REFUSE(r, HL_FAILED, "%s.%s: expected true or false", from.path, key);
    }
    return cJSON_IsTrue(item);
}

static void read_channels(reader *r, section from, const char *key, double low, float out[3]) {
    const cJSON *list = find(from, key);
    if (!list) return;
    for (int i = 0; i < 3; ++i) {
        const cJSON *item = cJSON_IsArray(list) ? cJSON_GetArrayItem(list, i) : NULL;
        double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        if (!(value >= low && value <= 1e3) || cJSON_GetArraySize(list) != 3) {
            REFUSE(r, HL_FAILED, "%s.%s: expected three numbers from %g to 1000", from.path, key, low);
            return;
        }
        out[i] = (float)value;
    }
}

/* The settings of one section that this plugin knows; whatever else a section says must be off. */
typedef struct setting {
    const char *key;
    const char *usual; /* the one value that clip-vit computes; NULL: read below, or without effect */
} setting;

#define WITHOUT_EFFECT NULL /* in training only, for logits only, or because what it belongs to is off */
#define READ           NULL

static const setting top_settings[] = {{"model_cfg", READ}, {"preprocess_cfg", READ}, {NULL, NULL}};

static const setting model_settings[] = {{"embed_dim", READ},
                                         {"vision_cfg", READ},
                                         {"text_cfg", READ},
                                         {"quick_gelu", READ},
                                         {"init_logit_scale", WITHOUT_EFFECT},
                                         {"init_logit_bias", WITHOUT_EFFECT},
                                         {"nonscalar_logit_scale", WITHOUT_EFFECT},
                                         {"cast_dtype", WITHOUT_EFFECT},
                                         {"output_dict", WITHOUT_EFFECT},
                                         {NULL, NULL}};

static const setting vision_settings[] = {{"layers", READ},
                                          {"width", READ},
                                          {"head_width", READ},
                                          {"mlp_ratio", READ},
                                          {"patch_size", READ},
                                          {"image_size", READ},
                                          {"pool_type", "tok"},
                                          {"pos_embed_type", "learnable"},
                                          {"block_type", "default"},
                                          {"qkv_bias", "true"},
                                          {"image_seq_len", WITHOUT_EFFECT},
                                          {"patch_dropout", WITHOUT_EFFECT},
                                          {"output_tokens", WITHOUT_EFFECT},
                                          {"attn_pooler_queries", WITHOUT_EFFECT}, /* of attentional_pool */
                                          {"attn_pooler_heads", WITHOUT_EFFECT},
                                          {"timm_model_pretrained", WITHOUT_EFFECT}, /* of timm_model_name */
                                          {"timm_pool", WITHOUT_EFFECT},
                                          {"timm_proj", WITHOUT_EFFECT},
                                          {"timm_proj_bias", WITHOUT_EFFECT},
                                          {"timm_drop", WITHOUT_EFFECT},
                                          {"timm_drop_path", WITHOUT_EFFECT},
                                          {"timm_model_kwargs", WITHOUT_EFFECT},
                                          {NULL, NULL}};

static const setting text_settings[] = {{"layers", READ},
                                        {"width", READ},
                                        {"heads", READ},
                                        {"mlp_ratio", READ},
                                        {"context_length", READ},
                                        {"vocab_size", READ},
                                        {"pool_type", "argmax"},
                                        {"proj_type", "linear"},
                                        {"text_arch", "clip"},
                                        {"block_type", "default"},
                                        {"qkv_bias", "true"},
                                        {"eos_id", WITHOUT_EFFECT}, /* of pool_type eos */
                                        {"bos_id", WITHOUT_EFFECT}, /* of text_arch modern, as those below */
                                        {"pos_embed", WITHOUT_EFFECT},
                                        {"rope_temperature", WITHOUT_EFFECT},
                                        {"mlp_type", WITHOUT_EFFECT},
                                        {"norm_eps", WITHOUT_EFFECT},
                                        {"norm_placement", WITHOUT_EFFECT},
                                        {"attention_mode", "causal"},
                                        {"output_tokens", WITHOUT_EFFECT},
                                        {"tiktoken_name", WITHOUT_EFFECT},       /* of tokenizer_type */
                                        {"hf_model_pretrained", WITHOUT_EFFECT}, /* of hf_model_name */
                                        {"hf_proj_type", WITHOUT_EFFECT},
                                        {"hf_pooler_type", WITHOUT_EFFECT},
                                        {"hf_model_config", WITHOUT_EFFECT},
                                        {NULL, NULL}};

static const setting preprocess_settings[] = {{"mean", READ},
                                              {"std", READ},
                                              {"size", READ},
                                              {"interpolation", "bicubic"},
                                              {"resize_mode", "shortest"},
                                              {"mode", "RGB"},
                                              {"fill_color", WITHOUT_EFFECT}, /* of resize_mode longest */
                                              {NULL, NULL}};

static bool is_usual(const cJSON *item, const char *usual) {
    bool may_be_off = strcmp(usual, "true") != 0;
    if (cJSON_IsNull(item) || (may_be_off && is_off(item))) return true;
    if (cJSON_IsTrue(item)) return strcmp(usual, "true") == 0;
    return cJSON_IsString(item) && strcmp(item->valuestring, usual) == 0;
}

static const setting *find_setting(const setting *settings, const char *key) {
    while (settings->key && strcmp(settings->key, key) != 0) ++settings;
    return settings->key ? settings : NULL;
}

/* Beside the sections a text is a remark: a name, a licence. */
static bool is_remark(section from, const cJSON *item) {
    return !*from.path && cJSON_IsString(item);
}

/* A section says nothing that this plugin would pass over although it changes the result. */
static void check_settings(reader *r, section from, const setting *settings) {
    const char *dot = *from.path ? "." : "";
    const cJSON *item = NULL;
    cJSON_ArrayForEach(item, from.object) {
        const setting *known = find_setting(settings, item->string);
        bool harmless =
            !known ? is_off(item) || is_remark(from, item) : !known->usual || is_usual(item, known->usual);
        if (!harmless) {
            REFUSE(r, HL_USAGE,
                   "%s%s%.64s: this setting is not supported by clip-vit; use a plugin that knows it, or "
                   "remove it if the model does not depend on it",
                   from.path, dot, item->string);
        }
        if (known && cJSON_GetObjectItemCaseSensitive(from.object, item->string) != item) {
            REFUSE(r, HL_FAILED, "%s%s%s: is there twice; remove one", from.path, dot, item->string);
        }
    }
}

static void read_image_tower(reader *r, section vision, clip_config *config) {
    check_settings(r, vision, vision_settings);
    if (cJSON_IsArray(find(vision, "layers"))) {
        REFUSE(r, HL_USAGE, "%s.layers: a list makes this a ResNet, which clip-vit does not support",
               vision.path);
    }
    tower_shape *tower = &config->image;
    tower->prefix = "visual.transformer.";
    tower->layers = read_size(r, vision, "layers", 12, 1, MAX_LAYERS);
    tower->width = read_size(r, vision, "width", 768, 1, MAX_WIDTH);
    tower->hidden = read_hidden(r, vision, tower->width);
    size_t head_width = read_size(r, vision, "head_width", 64, 1, MAX_WIDTH);
    tower->heads = tower->width / head_width;
    if (tower->width % head_width != 0) {
        REFUSE(r, HL_FAILED, "%s.head_width: is %zu, which does not divide the width %zu", vision.path,
               head_width, tower->width);
    }
    config->image_size = read_side(r, vision, "image_size", 224, MAX_IMAGE);
    config->patch = read_side(r, vision, "patch_size", 16, MAX_IMAGE);
    config->grid = config->image_size / config->patch;
    if (config->grid < 1 || config->grid > MAX_GRID) {
        REFUSE(r, HL_FAILED, "%s.patch_size: makes %zu patches a side, expected 1 to %d", vision.path,
               config->grid, MAX_GRID);
    }
}

static void read_text_tower(reader *r, section text, clip_config *config) {
    check_settings(r, text, text_settings);
    tower_shape *tower = &config->text;
    tower->prefix = "transformer.";
    tower->layers = read_size(r, text, "layers", 12, 1, MAX_LAYERS);
    tower->width = read_size(r, text, "width", 512, 1, MAX_WIDTH);
    tower->heads = read_size(r, text, "heads", 8, 1, MAX_WIDTH);
    tower->hidden = read_hidden(r, text, tower->width);
    if (tower->width % tower->heads != 0) {
        REFUSE(r, HL_FAILED, "%s.heads: is %zu, which does not divide the width %zu", text.path, tower->heads,
               tower->width);
    }
    config->context = read_size(r, text, "context_length", 77, 2, MAX_CONTEXT);
    config->vocab_size = read_size(r, text, "vocab_size", 49408, MIN_VOCABULARY, MAX_VOCABULARY);
}

static void read_preprocess(reader *r, section top, clip_config *config) {
    static const float mean[3] = {0.48145466F, 0.4578275F, 0.40821073F};
    static const float deviation[3] = {0.26862954F, 0.26130258F, 0.27577711F};
    memcpy(config->mean, mean, sizeof mean);
    memcpy(config->deviation, deviation, sizeof deviation);
    if (is_off(find(top, "preprocess_cfg"))) return;
    section preprocess = read_section(r, top, "preprocess_cfg", "preprocess_cfg");
    check_settings(r, preprocess, preprocess_settings);
    read_channels(r, preprocess, "mean", -1e3, config->mean);
    read_channels(r, preprocess, "std", 1e-6, config->deviation);
    size_t size = read_side(r, preprocess, "size", config->image_size, MAX_IMAGE);
    if (size != config->image_size) {
        REFUSE(r, HL_FAILED, "%s.size: expected the model's image_size, %zu", preprocess.path,
               config->image_size);
    }
}

static void read_all(reader *r, const cJSON *json, clip_config *config) {
    section top = {"", json};
    section model = read_section(r, top, "model_cfg", "model_cfg");
    section vision = read_section(r, model, "vision_cfg", "model_cfg.vision_cfg");
    section text = read_section(r, model, "text_cfg", "model_cfg.text_cfg");
    if (r->status) return;
    check_settings(r, top, top_settings);
    check_settings(r, model, model_settings);
    config->embed_dim = read_size(r, model, "embed_dim", 0, 1, MAX_WIDTH);
    config->activation = read_bool(r, model, "quick_gelu") ? HL_QUICK_GELU : HL_GELU;
    read_image_tower(r, vision, config);
    read_text_tower(r, text, config);
    read_preprocess(r, top, config);
}

hl_status config_parse(const char *name, const char *json, size_t length, clip_config *config,
                       hl_error *error) {
    *config = (clip_config){0};
    const char *end = json;
    errno = 0;
    cJSON *parsed = cJSON_ParseWithLengthOpts(json, length + 1, &end, true);
    if (!parsed && errno == ENOMEM) return hl_no_memory(error, name);
    if (!parsed) {
        return hl_fail(error, HL_FAILED, "%s: is not valid JSON near byte %td: write the file again", name,
                       end - json);
    }
    reader r = {name, HL_OK, error};
    read_all(&r, parsed, config);
    cJSON_Delete(parsed);
    return r.status;
}

hl_status config_read(const hl_host *host, const char *folder, clip_config *config, hl_error *error) {
    char *path = NULL, *text = NULL;
    size_t length = 0;
    if (asprintf(&path, "%s/%s", folder, CONFIG_FILE) < 0) return hl_no_memory(error, "a path");
    hl_status status = host->read_file(host, path, MAX_FILE, &text, &length, error);
    if (status == HL_OK) status = config_parse(path, text, length, config, error);
    free(text);
    free(path);
    return status;
}
