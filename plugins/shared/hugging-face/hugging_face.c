/* See hugging_face.h. */
#include "hugging_face.h"

#include <math.h>
#include <string.h>

enum { MAX_LAYERS = 1 << 10, MAX_WIDTH = 1 << 16, MAX_HIDDEN = 1 << 18, MAX_IMAGE = 1 << 14 };

/* ---- towers ---- */

config_section hugging_face_find_tower(config_reader *r, config_section from, const char *key) {
    return config_find(from, key) ? config_read_section(r, from, key, key) : (config_section){key, NULL};
}

static void read_activation(config_reader *r, config_section from, hl_activation *io) {
    static const struct {
        const char *name;
        hl_activation activation;
    } known[] = {{"gelu_pytorch_tanh", HL_GELU_TANH}, {"gelu_new", HL_GELU_TANH}, {"gelu", HL_GELU},
                 {"quick_gelu", HL_QUICK_GELU},       {"silu", HL_SILU},          {"relu", HL_RELU}};
    const cJSON *word = config_find(from, "hidden_act");
    if (!word) return;
    for (size_t i = 0; cJSON_IsString(word) && i < sizeof known / sizeof *known; ++i) {
        if (strcmp(word->valuestring, known[i].name) != 0) continue;
        *io = known[i].activation;
        return;
    }
    config_refuse(r, HL_USAGE, "%s.hidden_act: expected quick_gelu, gelu, gelu_pytorch_tanh, silu or relu",
                  from.path);
}

void hugging_face_read_tower(config_reader *r, config_section from, tower_shape *io) {
    const cJSON *epsilon = config_find(from, "layer_norm_eps");
    double value = epsilon ? cJSON_IsNumber(epsilon) ? epsilon->valuedouble : NAN : (double)io->epsilon;
    if (!(value > 0 && value <= 1))
        config_refuse(r, HL_FAILED, "%s.layer_norm_eps: expected a number above 0, such as 1e-5", from.path);
    io->epsilon = (float)value;
    read_activation(r, from, &io->activation);
    io->width = config_read_size(r, from, "hidden_size", io->width, 1, MAX_WIDTH);
    io->hidden = config_read_size(r, from, "intermediate_size", io->hidden, 1, MAX_HIDDEN);
    io->layers = config_read_size(r, from, "num_hidden_layers", io->layers, 1, MAX_LAYERS);
    io->heads = config_read_size(r, from, "num_attention_heads", io->heads, 1, MAX_WIDTH);
    if (io->width % io->heads != 0) {
        config_refuse(r, HL_FAILED, "%s.num_attention_heads: is %zu, which does not divide the width %zu",
                      from.path, io->heads, io->width);
    }
}

void hugging_face_read_image_tower(config_reader *r, config_section from, image_shape *io) {
    hugging_face_read_tower(r, from, &io->layers);
    io->image_height = config_read_side(r, from, "image_size", io->image_height, MAX_IMAGE);
    io->image_width = io->image_height;
    io->patch = config_read_side(r, from, "patch_size", io->patch, MAX_IMAGE);
    config_read_size(r, from, "num_channels", 3, 3, 3);
}

/* ---- preprocessor_config.json ---- */

static const config_setting preprocessor_settings[] = {{"size", CONFIG_READ},
                                                       {"crop_size", CONFIG_READ},
                                                       {"do_center_crop", CONFIG_READ},
                                                       {"resample", CONFIG_READ},
                                                       {"rescale_factor", CONFIG_READ},
                                                       {"image_mean", CONFIG_READ},
                                                       {"image_std", CONFIG_READ},
                                                       {"do_resize", "true"},
                                                       {"do_rescale", "true"},
                                                       {"do_normalize", "true"},
                                                       {"do_convert_rgb", CONFIG_WITHOUT_EFFECT},
                                                       {"use_square_size", CONFIG_WITHOUT_EFFECT},
                                                       {"feature_extractor_type", CONFIG_WITHOUT_EFFECT},
                                                       {"image_processor_type", CONFIG_WITHOUT_EFFECT},
                                                       {"processor_class", CONFIG_WITHOUT_EFFECT},
                                                       {"_valid_processor_keys", CONFIG_WITHOUT_EFFECT},
                                                       {NULL, NULL}};

/* 224, {"shortest_edge": 224}, {"height": 224, "width": 224}; false: it is not said. */
static bool read_size(config_reader *r, config_section top, const char *key, size_t *height, size_t *width) {
    const cJSON *item = config_find(top, key);
    if (!item) return false;
    if (!cJSON_IsObject(item)) {
        *height = *width = config_read_size(r, top, key, 0, 1, MAX_IMAGE);
        return true;
    }
    const config_section size = {key, item};
    bool edge = config_find(size, "shortest_edge") != NULL;
    *height = config_read_size(r, size, edge ? "shortest_edge" : "height", 0, 1, MAX_IMAGE);
    *width = edge ? *height : config_read_size(r, size, "width", 0, 1, MAX_IMAGE);
    return true;
}

/* Images become as large as the model's. What is cut to a size has kept its proportions. */
static void read_resize(config_reader *r, config_section top, hl_preprocess *io) {
    bool cuts = io->resize == HL_RESIZE_COVER;
    size_t height = io->height, width = io->width;
    if (config_find(top, "do_center_crop")) {
        bool wide = config_find((config_section){"size", config_find(top, "size")}, "height") != NULL;
        cuts = config_read_bool(r, top, "do_center_crop");
        if (!cuts && io->resize == HL_RESIZE_COVER && !wide)
            config_refuse(r, HL_USAGE, "do_center_crop: is false, which leaves images of any shape");
        io->resize = cuts ? HL_RESIZE_COVER : HL_RESIZE_SQUASH;
    }
    bool sized = read_size(r, top, "size", &height, &width);
    size_t cut_height = height, cut_width = width;
    if (cuts) read_size(r, top, "crop_size", &cut_height, &cut_width);
    if (sized && (cut_height != height || cut_width != width))
        config_refuse(r, HL_USAGE, "crop_size: expected what size says, %zu x %zu", height, width);
    if (cut_height != io->height || cut_width != io->width)
        config_refuse(r, HL_FAILED, "size: expected the model's image_size, %u x %u", io->height, io->width);
}

/* Interpolations are Pillow's numbers. */
static void read_preprocessor(config_reader *r, const cJSON *json, hl_preprocess *io) {
    const config_section top = {"", json};
    config_check_settings(r, top, preprocessor_settings);
    config_read_channels(r, top, "image_mean", -1e3, io->mean);
    config_read_channels(r, top, "image_std", 1e-6, io->deviation);
    size_t usual = io->interpolation == HL_BILINEAR ? 2 : 3;
    io->interpolation = config_read_size(r, top, "resample", usual, 2, 3) == 2 ? HL_BILINEAR : HL_BICUBIC;
    const cJSON *factor = config_find(top, "rescale_factor");
    if (factor && !(cJSON_IsNumber(factor) && fabs(factor->valuedouble * 255 - 1) < 1e-6))
        config_refuse(r, HL_USAGE, "rescale_factor: expected 1/255");
    read_resize(r, top, io);
}

hl_status hugging_face_parse_preprocessor(const char *plugin, const char *name, const char *text,
                                          size_t length, hl_preprocess *io, hl_error *error) {
    cJSON *json;
    hl_status status = config_parse_json(name, text, length, &json, error);
    if (status) return status;
    config_reader r = {plugin, name, HL_OK, error};
    read_preprocessor(&r, json, io);
    cJSON_Delete(json);
    return r.status;
}

typedef struct target {
    const char *plugin;
    hl_preprocess *io;
} target;

static hl_status parse(const char *path, const char *text, size_t length, void *out, hl_error *error) {
    const target *to = out;
    return hugging_face_parse_preprocessor(to->plugin, path, text, length, to->io, error);
}

hl_status hugging_face_read_preprocessor(const hl_host *host, const char *plugin, const char *folder,
                                         hl_preprocess *io, bool *there, hl_error *error) {
    static const char file[] = "preprocessor_config.json";
    *there = config_is_there(folder, file);
    target to = {plugin, io};
    return *there ? config_read_file(host, folder, file, parse, &to, error) : HL_OK;
}
