/* The outermost sections, functions of a tower, how images are prepared. */
#include "open_clip.h"

#include <math.h>
#include <string.h>

static const config_setting top_settings[] = {
    {"model_cfg", CONFIG_READ}, {"preprocess_cfg", CONFIG_READ}, {NULL, NULL}};

static const config_setting model_settings[] = {{"embed_dim", CONFIG_READ},
                                                {"vision_cfg", CONFIG_READ},
                                                {"text_cfg", CONFIG_READ},
                                                {"quick_gelu", CONFIG_READ},
                                                /* names of tensors, of which the file says enough */
                                                {"custom_text", CONFIG_WITHOUT_EFFECT},
                                                {"init_logit_scale", CONFIG_WITHOUT_EFFECT},
                                                {"init_logit_bias", CONFIG_WITHOUT_EFFECT},
                                                {"nonscalar_logit_scale", CONFIG_WITHOUT_EFFECT},
                                                {"cast_dtype", CONFIG_WITHOUT_EFFECT},
                                                {"output_dict", CONFIG_WITHOUT_EFFECT},
                                                {NULL, NULL}};

static const config_setting preprocess_settings[] = {
    {"mean", CONFIG_READ},
    {"std", CONFIG_READ},
    {"size", CONFIG_READ},
    {"interpolation", CONFIG_READ},
    {"resize_mode", CONFIG_READ},
    {"mode", "RGB"},
    {"fill_color", CONFIG_WITHOUT_EFFECT}, /* of resize_mode longest */
    {NULL, NULL}};

static const config_setting norm_settings[] = {{"eps", CONFIG_READ}, {NULL, NULL}};
static const config_setting act_settings[] = {{"approximate", CONFIG_READ}, {NULL, NULL}};

void open_clip_read(config_reader *r, const cJSON *json, open_clip_config *out) {
    out->top = (config_section){"", json};
    config_section model = config_read_section(r, out->top, "model_cfg", "model_cfg");
    out->vision = config_read_section(r, model, "vision_cfg", "model_cfg.vision_cfg");
    out->has_texts = !cJSON_IsFalse(config_find(model, "text_cfg"));
    out->text = (config_section){"model_cfg.text_cfg", NULL};
    if (out->has_texts) out->text = config_read_section(r, model, "text_cfg", out->text.path);
    if (r->status) return;
    config_check_settings(r, out->top, top_settings);
    config_check_settings(r, model, model_settings);
    out->embed_dim = config_read_size(r, model, "embed_dim", 0, 1, OPEN_CLIP_WIDTH);
    out->quick_gelu = config_read_bool(r, model, "quick_gelu");
}

/* A section within a tower's that need not be there. */
static bool find_section(config_reader *r, config_section tower, const char *key,
                         const config_setting *settings, config_section *out) {
    if (config_is_off(config_find(tower, key))) return false;
    *out = config_read_section(r, tower, key, key);
    if (r->status) return false;
    config_check_settings(r, *out, settings);
    return true;
}

static bool is_word(const cJSON *item, const char *word) {
    return cJSON_IsString(item) && strcmp(item->valuestring, word) == 0;
}

void open_clip_read_functions(config_reader *r, const open_clip_config *config, config_section tower,
                              tower_shape *out) {
    config_section section;
    out->activation = config->quick_gelu ? HL_QUICK_GELU : HL_GELU;
    out->epsilon = 1e-5F;
    if (find_section(r, tower, "norm_kwargs", norm_settings, &section)) {
        const cJSON *item = config_find(section, "eps");
        double epsilon = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        if (!(epsilon > 0 && epsilon <= 1)) {
            config_refuse(r, HL_FAILED, "%s.norm_kwargs.eps: expected a number above 0, such as 1e-6",
                          tower.path);
        }
        out->epsilon = (float)epsilon;
    }
    if (!find_section(r, tower, "act_kwargs", act_settings, &section)) return;
    const cJSON *kind = config_find(section, "approximate");
    if (is_word(kind, "tanh") && !config->quick_gelu) out->activation = HL_GELU_TANH;
    if (!is_word(kind, "none") && out->activation != HL_GELU_TANH) {
        config_refuse(r, HL_USAGE, "%s.act_kwargs.approximate: expected tanh or none, and no quick_gelu",
                      tower.path);
    }
}

static uint32_t read_interpolation(config_reader *r, config_section preprocess) {
    const cJSON *item = config_find(preprocess, "interpolation");
    if (is_word(item, "bilinear")) return HL_BILINEAR;
    if (!config_is_off(item) && !is_word(item, "bicubic")) {
        config_refuse(r, HL_USAGE, "%s.interpolation: expected bicubic or bilinear", preprocess.path);
    }
    return HL_BICUBIC;
}

static uint32_t read_resize(config_reader *r, config_section preprocess) {
    const cJSON *item = config_find(preprocess, "resize_mode");
    if (is_word(item, "squash")) return HL_RESIZE_SQUASH;
    if (!config_is_off(item) && !is_word(item, "shortest")) {
        config_refuse(r, HL_USAGE, "%s.resize_mode: expected shortest or squash", preprocess.path);
    }
    return HL_RESIZE_COVER;
}

void open_clip_read_sides(config_reader *r, config_section from, const char *key, size_t *height,
                          size_t *width) {
    const cJSON *pair = config_find(from, key);
    if (!pair) return;
    if (!cJSON_IsArray(pair)) {
        *height = *width = config_read_size(r, from, key, 0, 1, OPEN_CLIP_IMAGE);
        return;
    }
    size_t *const sides[2] = {height, width};
    for (int i = 0; i < 2; ++i) {
        const cJSON *item = cJSON_GetArraySize(pair) == 2 ? cJSON_GetArrayItem(pair, i) : NULL;
        double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
        if (!(value >= 1 && value <= OPEN_CLIP_IMAGE && value == floor(value))) {
            config_refuse_value(r, from, key, HL_FAILED,
                                "expected one whole number, or two, height and width, from 1 to %d",
                                OPEN_CLIP_IMAGE);
            return;
        }
        *sides[i] = (size_t)value;
    }
}

void open_clip_usual_preprocess(size_t height, size_t width, hl_preprocess *out) {
    *out = (hl_preprocess){.size = sizeof *out,
                           .resize = HL_RESIZE_COVER,
                           .interpolation = HL_BICUBIC,
                           .height = (uint32_t)height,
                           .width = (uint32_t)width,
                           .mean = {0.48145466F, 0.4578275F, 0.40821073F},
                           .deviation = {0.26862954F, 0.26130258F, 0.27577711F}};
}

void open_clip_read_preprocess(config_reader *r, const open_clip_config *config, size_t height, size_t width,
                               hl_preprocess *out) {
    open_clip_usual_preprocess(height, width, out);
    if (config_is_off(config_find(config->top, "preprocess_cfg"))) return;
    config_section preprocess = config_read_section(r, config->top, "preprocess_cfg", "preprocess_cfg");
    if (r->status) return;
    config_check_settings(r, preprocess, preprocess_settings);
    config_read_channels(r, preprocess, "mean", -1e3, out->mean);
    config_read_channels(r, preprocess, "std", 1e-6, out->deviation);
    out->interpolation = read_interpolation(r, preprocess);
    out->resize = read_resize(r, preprocess);
    size_t own_height = height, own_width = width;
    open_clip_read_sides(r, preprocess, "size", &own_height, &own_width);
    if (own_height != height || own_width != width) {
        config_refuse(r, HL_FAILED, "%s.size: expected the model's image_size, %zu x %zu", preprocess.path,
                      height, width);
    }
}

typedef struct look {
    bool (*family)(const cJSON *vision);
    bool is;
} look;

static hl_status look_at_vision(const char *path, const char *json, size_t length, void *out,
                                hl_error *error) {
    cJSON *parsed;
    look *at = out;
    hl_status status = config_parse_json(path, json, length, &parsed, error);
    if (status) return status;
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(parsed, "model_cfg");
    at->is = at->family(cJSON_GetObjectItemCaseSensitive(model, "vision_cfg"));
    cJSON_Delete(parsed);
    return HL_OK;
}

bool open_clip_is(const hl_host *host, const char *folder, bool (*family)(const cJSON *vision)) {
    look at = {family, false};
    hl_error ignored;
    return config_read_file(host, folder, OPEN_CLIP_CONFIG, look_at_vision, &at, &ignored) == HL_OK && at.is;
}
