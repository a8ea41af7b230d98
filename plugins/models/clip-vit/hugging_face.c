/* See hugging_face.h. What a file does not say is what transformers' CLIPConfig and CLIPImageProcessor have.
 */
#include "hugging_face.h"

#include "open-clip/open_clip.h"
#include <math.h>
#include <string.h>

enum { MAX_CONTEXT = 1 << 16, MAX_VOCABULARY = 1 << 24, PROJECTION = 512, END_BY_SIZE = 2 };

/* What older versions write into every section, of generating texts and of training. */
#define REMARKS                                                                                              \
    {"architectures", CONFIG_WITHOUT_EFFECT}, {"model_type", CONFIG_READ},                                   \
        {"initializer_factor", CONFIG_WITHOUT_EFFECT}, {"initializer_range", CONFIG_WITHOUT_EFFECT},         \
        {"attention_dropout", CONFIG_WITHOUT_EFFECT}, {"dropout", CONFIG_WITHOUT_EFFECT},                    \
        {"torch_dtype", CONFIG_WITHOUT_EFFECT}, {"dtype", CONFIG_WITHOUT_EFFECT},                            \
        {"transformers_version", CONFIG_WITHOUT_EFFECT}, {"_name_or_path", CONFIG_WITHOUT_EFFECT},           \
        {"_commit_hash", CONFIG_WITHOUT_EFFECT}, {"id2label", CONFIG_WITHOUT_EFFECT},                        \
        {"label2id", CONFIG_WITHOUT_EFFECT}, {"length_penalty", CONFIG_WITHOUT_EFFECT},                      \
        {"repetition_penalty", CONFIG_WITHOUT_EFFECT}, {"max_length", CONFIG_WITHOUT_EFFECT},                \
        {"min_length", CONFIG_WITHOUT_EFFECT}, {"num_beams", CONFIG_WITHOUT_EFFECT},                         \
        {"num_beam_groups", CONFIG_WITHOUT_EFFECT}, {"num_return_sequences", CONFIG_WITHOUT_EFFECT},         \
        {"return_dict", CONFIG_WITHOUT_EFFECT}, {"temperature", CONFIG_WITHOUT_EFFECT},                      \
        {"top_k", CONFIG_WITHOUT_EFFECT}, {"top_p", CONFIG_WITHOUT_EFFECT},                                  \
        {"typical_p", CONFIG_WITHOUT_EFFECT}, {"tie_word_embeddings", CONFIG_WITHOUT_EFFECT},                \
        {"early_stopping", CONFIG_WITHOUT_EFFECT}, {"_attn_implementation", CONFIG_WITHOUT_EFFECT},          \
        {"_attn_implementation_autoset", CONFIG_WITHOUT_EFFECT},                                             \
        {"gradient_checkpointing", CONFIG_WITHOUT_EFFECT}, {"bos_token_id", CONFIG_WITHOUT_EFFECT},          \
        {"pad_token_id", CONFIG_WITHOUT_EFFECT}, {                                                           \
        "eos_token_id", CONFIG_READ                                                                          \
    }

#define TOWER                                                                                                \
    REMARKS, {"hidden_size", CONFIG_READ}, {"intermediate_size", CONFIG_READ},                               \
        {"num_hidden_layers", CONFIG_READ}, {"num_attention_heads", CONFIG_READ},                            \
        {"hidden_act", CONFIG_READ}, {"layer_norm_eps", CONFIG_READ}, {                                      \
        "projection_dim", CONFIG_READ                                                                        \
    }

static const config_setting top_settings[] = {REMARKS,
                                              {"text_config", CONFIG_READ},
                                              {"vision_config", CONFIG_READ},
                                              {"text_config_dict", CONFIG_READ},
                                              {"vision_config_dict", CONFIG_READ},
                                              {"projection_dim", CONFIG_READ},
                                              {"logit_scale_init_value", CONFIG_WITHOUT_EFFECT},
                                              {NULL, NULL}};

static const config_setting image_tower_settings[] = {TOWER,
                                                      {"image_size", CONFIG_READ},
                                                      {"patch_size", CONFIG_READ},
                                                      {"num_channels", CONFIG_READ},
                                                      {NULL, NULL}};

static const config_setting text_tower_settings[] = {
    TOWER, {"vocab_size", CONFIG_READ}, {"max_position_embeddings", CONFIG_READ}, {NULL, NULL}};

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

/* ---- towers ---- */

/* Where transformers finds an old *_config_dict it takes that, with defaults for what it lacks, and nothing
 * of the newer section. A tower of which nothing is said has defaults alone. */
static config_section find_tower(config_reader *r, config_section top, const char *old, const char *current) {
    const char *key = config_is_off(config_find(top, old)) ? current : old;
    if (config_is_off(config_find(top, key))) return (config_section){key, NULL};
    return config_read_section(r, top, key, key);
}

/* What was added to a tree; a setting that is lost for lack of memory would be one of another value. */
static cJSON *added(config_reader *r, cJSON *item) {
    if (!item) config_refuse(r, HL_FAILED, "there is no memory to read it");
    return item;
}

static void add_number(config_reader *r, cJSON *to, const char *key, double number) {
    added(r, cJSON_AddNumberToObject(to, key, number));
}

static void add_word(config_reader *r, cJSON *to, const char *key, const char *word) {
    added(r, cJSON_AddStringToObject(to, key, word));
}

static cJSON *add_object(config_reader *r, cJSON *to, const char *key) {
    return added(r, cJSON_AddObjectToObject(to, key));
}

/* open_clip says a ratio, of which width * ratio is cut to a whole number. */
static void add_hidden(config_reader *r, cJSON *to, size_t width, size_t hidden) {
    add_number(r, to, "mlp_ratio", nextafter((double)hidden / (double)width, INFINITY));
}

typedef struct tower {
    size_t width, hidden, layers, heads;
    double epsilon;
    const char *activation; /* "quick_gelu", "gelu", "gelu_pytorch_tanh" */
} tower;

static tower read_tower(config_reader *r, config_section from, size_t width, size_t heads) {
    static const char *const activations[] = {"quick_gelu", "gelu", "gelu_pytorch_tanh", "gelu_new", NULL};
    tower out = {.epsilon = 1e-5, .activation = activations[0]};
    out.width = config_read_size(r, from, "hidden_size", width, 1, OPEN_CLIP_WIDTH);
    out.hidden = config_read_size(r, from, "intermediate_size", 4 * width, 1, OPEN_CLIP_HIDDEN);
    out.layers = config_read_size(r, from, "num_hidden_layers", 12, 1, OPEN_CLIP_LAYERS);
    out.heads = config_read_size(r, from, "num_attention_heads", heads, 1, OPEN_CLIP_WIDTH);
    if (out.width % out.heads != 0) {
        config_refuse(r, HL_FAILED, "%s.num_attention_heads: is %zu, which does not divide the width %zu",
                      from.path, out.heads, out.width);
    }
    const cJSON *act = config_find(from, "hidden_act"), *eps = config_find(from, "layer_norm_eps");
    const char *const *known = activations;
    while (act && *known && !is_word(act, *known)) ++known;
    if (act) out.activation = *known;
    if (act && !*known) {
        config_refuse(r, HL_USAGE, "%s.hidden_act: expected quick_gelu, gelu or gelu_pytorch_tanh",
                      from.path);
        out.activation = activations[0];
    }
    if (eps) out.epsilon = cJSON_IsNumber(eps) ? eps->valuedouble : NAN;
    if (!(out.epsilon > 0 && out.epsilon <= 1)) {
        config_refuse(r, HL_FAILED, "%s.layer_norm_eps: expected a number above 0, such as 1e-5", from.path);
    }
    return out;
}

static void add_tower(config_reader *r, cJSON *to, const tower *from) {
    add_number(r, to, "width", (double)from->width);
    add_number(r, to, "layers", (double)from->layers);
    add_hidden(r, to, from->width, from->hidden);
    add_number(r, add_object(r, to, "norm_kwargs"), "eps", from->epsilon);
    if (strcmp(from->activation, "gelu_pytorch_tanh") == 0 || strcmp(from->activation, "gelu_new") == 0) {
        add_word(r, add_object(r, to, "act_kwargs"), "approximate", "tanh");
    }
}

static tower translate_vision(config_reader *r, config_section from, cJSON *model) {
    config_check_settings(r, from, image_tower_settings);
    tower shape = read_tower(r, from, 768, 12);
    size_t patch = config_read_side(r, from, "patch_size", 32, OPEN_CLIP_IMAGE);
    size_t image = config_read_side(r, from, "image_size", 224, OPEN_CLIP_IMAGE);
    config_read_size(r, from, "num_channels", 3, 3, 3);
    cJSON *to = add_object(r, model, "vision_cfg");
    add_tower(r, to, &shape);
    add_number(r, to, "head_width", (double)(shape.width / shape.heads));
    add_number(r, to, "patch_size", (double)patch);
    add_number(r, to, "image_size", (double)image);
    return shape;
}

/* An end of number 2 is from a time when configurations had it wrong: the largest id is the end's. */
static void add_pooling(config_reader *r, config_section from, size_t vocabulary, cJSON *to) {
    if (!config_find(from, "eos_token_id")) return;
    size_t end = config_read_size(r, from, "eos_token_id", END_BY_SIZE, 0, MAX_VOCABULARY);
    if (end == END_BY_SIZE) return;
    if (end >= vocabulary) {
        config_refuse(r, HL_FAILED, "%s.eos_token_id: is %zu, of a vocabulary of %zu", from.path, end,
                      vocabulary);
    }
    add_word(r, to, "pool_type", "eos");
    add_number(r, to, "eos_id", (double)end);
}

static tower translate_text(config_reader *r, config_section from, cJSON *model) {
    config_check_settings(r, from, text_tower_settings);
    tower shape = read_tower(r, from, 512, 8);
    size_t vocabulary = config_read_size(r, from, "vocab_size", 49408, 1, MAX_VOCABULARY);
    cJSON *to = add_object(r, model, "text_cfg");
    add_tower(r, to, &shape);
    add_number(r, to, "heads", (double)shape.heads);
    add_number(r, to, "vocab_size", (double)vocabulary);
    add_number(r, to, "context_length",
               (double)config_read_size(r, from, "max_position_embeddings", 77, 2, MAX_CONTEXT));
    add_pooling(r, from, vocabulary, to);
    return shape;
}

/* quick_gelu is one for both towers with open_clip. */
static void add_activation(config_reader *r, const tower *image, const tower *text, cJSON *model) {
    bool quick = strcmp(image->activation, "quick_gelu") == 0;
    added(r, cJSON_AddBoolToObject(model, "quick_gelu", quick));
    if (text && quick != (strcmp(text->activation, "quick_gelu") == 0)) {
        config_refuse(r, HL_USAGE, "hidden_act: is %s for images and %s for texts, expected one for both",
                      image->activation, text->activation);
    }
}

void hugging_face_translate(config_reader *r, const cJSON *config, cJSON **out, bool *projected) {
    const config_section top = {"", config};
    cJSON *model = add_object(r, *out = cJSON_CreateObject(), "model_cfg");
    bool alone = is_vision_only(config);
    *projected = !alone || !is_architecture(config, "CLIPVisionModel");
    if (!hugging_face_is_clip(config)) {
        const cJSON *type = config_find(top, "model_type");
        config_refuse(r, HL_USAGE, "model_type: is %.64s, expected clip or clip_vision_model",
                      cJSON_IsString(type) ? type->valuestring : "missing");
        return;
    }
    if (!alone) config_check_settings(r, top, top_settings);
    config_section vision = alone ? top : find_tower(r, top, "vision_config_dict", "vision_config");
    if (alone) vision.path = "config.json";
    config_section text = find_tower(r, top, "text_config_dict", "text_config");
    if (r->status) return;
    tower image = translate_vision(r, vision, model), texts;
    if (alone)
        added(r, cJSON_AddFalseToObject(model, "text_cfg"));
    else
        texts = translate_text(r, text, model);
    add_activation(r, &image, alone ? NULL : &texts, model);
    size_t dim = config_read_size(r, top, "projection_dim", PROJECTION, 1, OPEN_CLIP_WIDTH);
    add_number(r, model, "embed_dim", (double)(*projected ? dim : image.width));
}

/* ---- images ---- */

static const config_setting preprocessor_settings[] = {{"size", CONFIG_READ},
                                                       {"crop_size", CONFIG_READ},
                                                       {"resample", CONFIG_READ},
                                                       {"rescale_factor", CONFIG_READ},
                                                       {"image_mean", CONFIG_READ},
                                                       {"image_std", CONFIG_READ},
                                                       {"do_center_crop", CONFIG_READ},
                                                       {"do_resize", "true"},
                                                       {"do_rescale", "true"},
                                                       {"do_normalize", "true"},
                                                       {"do_convert_rgb", CONFIG_WITHOUT_EFFECT},
                                                       {"image_processor_type", CONFIG_WITHOUT_EFFECT},
                                                       {"feature_extractor_type", CONFIG_WITHOUT_EFFECT},
                                                       {"processor_class", CONFIG_WITHOUT_EFFECT},
                                                       {"use_square_size", CONFIG_WITHOUT_EFFECT},
                                                       {"_valid_processor_keys", CONFIG_WITHOUT_EFFECT},
                                                       {NULL, NULL}};

/* 224, {"shortest_edge": 224}, {"height": 224, "width": 224}; *height 0: it is not said. */
static void read_box(config_reader *r, config_section top, const char *key, size_t *height, size_t *width) {
    *height = *width = 0;
    if (!config_find(top, key)) return;
    if (!cJSON_IsObject(config_find(top, key))) {
        *height = *width = config_read_size(r, top, key, 0, 1, OPEN_CLIP_IMAGE);
        return;
    }
    config_section size = config_read_section(r, top, key, key);
    if (config_find(size, "shortest_edge")) {
        *height = *width = config_read_size(r, size, "shortest_edge", 0, 1, OPEN_CLIP_IMAGE);
    } else {
        *height = config_read_size(r, size, "height", 0, 1, OPEN_CLIP_IMAGE);
        *width = config_read_size(r, size, "width", 0, 1, OPEN_CLIP_IMAGE);
    }
}

static void add_channels(config_reader *r, config_section top, const char *key, const char *open_clip_key,
                         double low, cJSON *to) {
    float numbers[3];
    if (!config_find(top, key)) return;
    config_read_channels(r, top, key, low, numbers);
    cJSON *copy = added(r, cJSON_Duplicate(config_find(top, key), true));
    if (!cJSON_AddItemToObject(to, open_clip_key, copy)) cJSON_Delete(copy), added(r, NULL);
}

static void add_resize(config_reader *r, config_section top, cJSON *to) {
    size_t height, width, cut_height, cut_width;
    bool cuts = !config_find(top, "do_center_crop") || config_read_bool(r, top, "do_center_crop");
    bool squashes = !cuts && config_find((config_section){"size", config_find(top, "size")}, "height");
    read_box(r, top, "size", &height, &width);
    read_box(r, top, "crop_size", &cut_height, &cut_width);
    if (!cuts && !squashes) {
        config_refuse(r, HL_USAGE, "do_center_crop: is false, which leaves images of any shape");
    }
    if (cuts && cut_height && height && (cut_height != height || cut_width != width)) {
        config_refuse(r, HL_USAGE, "crop_size: expected what size says, %zu x %zu", height, width);
    }
    if (squashes) add_word(r, to, "resize_mode", "squash");
    if (!height) height = cut_height, width = cut_width;
    if (!height) return;
    const double numbers[] = {(double)height, (double)width};
    cJSON *sides = added(r, cJSON_CreateDoubleArray(numbers, 2));
    if (!cJSON_AddItemToObject(to, "size", sides)) cJSON_Delete(sides), added(r, NULL);
}

void hugging_face_add_preprocess(config_reader *r, const cJSON *preprocessor, cJSON *to) {
    const config_section top = {"", preprocessor};
    cJSON *cfg = add_object(r, to, "preprocess_cfg");
    config_check_settings(r, top, preprocessor_settings);
    add_channels(r, top, "image_mean", "mean", -1e3, cfg);
    add_channels(r, top, "image_std", "std", 1e-6, cfg);
    size_t resample = config_read_size(r, top, "resample", 3, 2, 3); /* Pillow's numbers */
    add_word(r, cfg, "interpolation", resample == 2 ? "bilinear" : "bicubic");
    const cJSON *factor = config_find(top, "rescale_factor");
    if (factor && !(cJSON_IsNumber(factor) && fabs(factor->valuedouble * 255 - 1) < 1e-6)) {
        config_refuse(r, HL_USAGE, "rescale_factor: expected 1/255");
    }
    add_resize(r, top, cfg);
}
