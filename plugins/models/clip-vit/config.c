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

/* `fallback` 0: the key must be there. */
static size_t read_size(reader *r, section from, const char *key, size_t fallback, size_t low, size_t high) {
    const cJSON *item = find(from, key);
    if (!item && fallback) return fallback;
    double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
    if (!(value >= (double)low && value <= (double)high && value == floor(value))) {
        REFUSE(r, HL_FAILED, "%s.%s: expected a whole number from %zu to %zu", from.path, key, low, high);
        return low;
    }
    return (size_t)value;
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

static bool read_bool(reader *r, section from, const char *key) {
    const cJSON *item = find(from, key);
    if (item && !cJSON_IsBool(item)) REFUSE(r, HL_FAILED, "%s.%s: expected true or false", from.path, key);
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

/* Keys that change what is computed. Each is harmless when it is missing, null, 0, empty or `usual`. */
typedef struct refusal {
    const char *key, *usual;
} refusal;

static const refusal model_refusals[] = {
    {"multimodal_cfg", "false"}, {"custom_text", "false"}, {"vision_model_name", "false"}, {NULL, NULL}};
static const refusal tower_refusals[] = {{"ls_init_value", "false"},
                                         {"qkv_bias", "true"},
                                         {"qk_norm", "false"},
                                         {"scale_heads", "false"},
                                         {"block_type", ""},
                                         {"scaled_cosine_attn", "false"},
                                         {"act_kwargs", "false"},
                                         {"norm_kwargs", "false"},
                                         {"final_ln_after_pool", "false"},
                                         {NULL, NULL}};
static const refusal vision_refusals[] = {{"timm_model_name", "false"}, {"attentional_pool", "false"},
                                          {"pool_type", "tok"},         {"pos_embed_type", "learnable"},
                                          {"no_ln_pre", "false"},       {"global_average_pool", "false"},
                                          {"input_patchnorm", "false"}, {NULL, NULL}};
static const refusal text_refusals[] = {{"hf_model_name", "false"},    {"hf_tokenizer_name", "false"},
                                        {"tokenizer_kwargs", "false"}, {"embed_cls", "false"},
                                        {"pool_type", "argmax"},       {"no_causal_mask", "false"},
                                        {"proj_type", "linear"},       {"proj_bias", "false"},
                                        {"pad_id", "false"},           {NULL, NULL}};
static const refusal preprocess_refusals[] = {
    {"interpolation", "bicubic"}, {"resize_mode", "shortest"}, {"mode", "RGB"}, {NULL, NULL}};

static bool harmless(const cJSON *item, const char *usual) {
    if (cJSON_IsBool(item)) return strcmp(usual, cJSON_IsTrue(item) ? "true" : "false") == 0;
    if (cJSON_IsString(item)) return strcmp(item->valuestring, usual) == 0;
    if (cJSON_IsNumber(item)) return item->valuedouble == 0;
    return !item || !item->child;
}

static void refuse(reader *r, section from, const refusal *list) {
    for (; list->key; ++list) {
        if (!harmless(find(from, list->key), list->usual)) {
            REFUSE(r, HL_USAGE,
                   "%s.%s: this setting is not supported by clip-vit; use a plugin that knows it", from.path,
                   list->key);
        }
    }
}

static void read_image_tower(reader *r, section vision, clip_config *config) {
    refuse(r, vision, vision_refusals);
    refuse(r, vision, tower_refusals);
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
    config->image_size = read_size(r, vision, "image_size", 224, 1, MAX_IMAGE);
    config->patch = read_size(r, vision, "patch_size", 16, 1, MAX_IMAGE);
    config->grid = config->image_size / config->patch;
    if (config->grid < 1 || config->grid > MAX_GRID) {
        REFUSE(r, HL_FAILED, "%s.patch_size: makes %zu patches a side, expected 1 to %d", vision.path,
               config->grid, MAX_GRID);
    }
}

static void read_text_tower(reader *r, section text, clip_config *config) {
    refuse(r, text, text_refusals);
    refuse(r, text, tower_refusals);
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
    if (!find(top, "preprocess_cfg")) return;
    section preprocess = read_section(r, top, "preprocess_cfg", "preprocess_cfg");
    refuse(r, preprocess, preprocess_refusals);
    read_channels(r, preprocess, "mean", -1e3, config->mean);
    read_channels(r, preprocess, "std", 1e-6, config->deviation);
    const cJSON *size = find(preprocess, "size");
    size_t count = cJSON_IsArray(size) ? (size_t)cJSON_GetArraySize(size) : 1;
    for (size_t i = 0; size && i < count; ++i) {
        const cJSON *side = cJSON_IsArray(size) ? cJSON_GetArrayItem(size, (int)i) : size;
        if (!cJSON_IsNumber(side) || side->valuedouble != (double)config->image_size) {
            REFUSE(r, HL_FAILED, "%s.size: expected the model's image_size, %zu", preprocess.path,
                   config->image_size);
        }
    }
}

static void read_all(reader *r, const cJSON *json, clip_config *config) {
    section top = {"", json};
    section model = read_section(r, top, "model_cfg", "model_cfg");
    section vision = read_section(r, model, "vision_cfg", "model_cfg.vision_cfg");
    section text = read_section(r, model, "text_cfg", "model_cfg.text_cfg");
    if (r->status) return;
    refuse(r, model, model_refusals);
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
