/* A configuration -> vit_config. Refuses by name whatever would make another model than this plugin computes.
 * Never looks at weights. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* What timm makes of a name. */
typedef struct timm_shape {
    const char *name;
    size_t image, patch, width, layers, heads;
} timm_shape;

static const timm_shape timm_shapes[] = {
    {"eva02_base_patch16_clip_224", 224, 16, 768, 12, 12},
    {"eva02_large_patch14_clip_224", 224, 14, 1024, 24, 16},
    {"eva02_large_patch14_clip_336", 336, 14, 1024, 24, 16},
};

/* The same in all of them. */
static const double timm_mlp_ratio = 4.0 * 2 / 3, rotary_side = 16;
static const float epsilon = 1e-6F;

static const config_setting vision_settings[] = {{"image_size", CONFIG_READ},
                                                 {"timm_model_name", CONFIG_READ},
                                                 {"timm_model_kwargs", CONFIG_READ},
                                                 {"timm_pool", CONFIG_READ},
                                                 {"timm_proj", "none"},
                                                 {"timm_proj_bias", CONFIG_WITHOUT_EFFECT}, /* of timm_proj */
                                                 {"timm_model_pretrained", CONFIG_WITHOUT_EFFECT},
                                                 {"timm_drop", CONFIG_WITHOUT_EFFECT},
                                                 {"timm_drop_path", CONFIG_WITHOUT_EFFECT},
                                                 {"patch_dropout", CONFIG_WITHOUT_EFFECT},
                                                 {"output_tokens", CONFIG_WITHOUT_EFFECT},
                                                 {NULL, NULL}};

static const config_setting kwargs_settings[] = {{"img_size", CONFIG_READ},
                                                 {"patch_size", CONFIG_READ},
                                                 {"embed_dim", CONFIG_READ},
                                                 {"depth", CONFIG_READ},
                                                 {"num_heads", CONFIG_READ},
                                                 {"mlp_ratio", CONFIG_READ},
                                                 {NULL, NULL}};

static const char *timm_name(config_section vision) {
    const cJSON *name = config_find(vision, "timm_model_name");
    return cJSON_IsString(name) ? name->valuestring : "";
}

static const timm_shape *find_timm(config_reader *r, config_section vision) {
    const char *name = timm_name(vision);
    for (size_t i = 0; i < sizeof timm_shapes / sizeof *timm_shapes; ++i) {
        if (strcmp(timm_shapes[i].name, name) == 0) return &timm_shapes[i];
    }
    config_refuse(r, HL_USAGE,
                  "%s.timm_model_name: %.64s is not supported, %s knows eva02_base_patch16_clip_224, "
                  "eva02_large_patch14_clip_224 and eva02_large_patch14_clip_336",
                  vision.path, name, PLUGIN_NAME);
    return NULL;
}

static void read_grid(config_reader *r, config_section vision, config_section kwargs, const timm_shape *timm,
                      image_shape *image) {
    size_t side = config_read_side(r, kwargs, "img_size", timm->image, OPEN_CLIP_IMAGE);
    size_t said = config_read_side(r, vision, "image_size", side, OPEN_CLIP_IMAGE);
    if (said != side) {
        config_refuse(r, HL_FAILED,
                      "%s.image_size: is %zu, but the image tower takes %zu; timm_model_kwargs may "
                      "say another img_size",
                      vision.path, said, side);
    }
    image->image_height = image->image_width = side;
    image->patch = config_read_side(r, kwargs, "patch_size", timm->patch, OPEN_CLIP_IMAGE);
    image->grid_rows = image->grid_cols = side / image->patch;
    if (image->grid_rows < 1 || image->grid_rows > OPEN_CLIP_GRID) {
        config_refuse(r, HL_FAILED, "%s.patch_size: makes %zu patches a side, expected 1 to %d", kwargs.path,
                      image->grid_rows, OPEN_CLIP_GRID);
    }
}

static void read_layers(config_reader *r, config_section kwargs, const timm_shape *timm, tower_shape *out) {
    out->width = config_read_size(r, kwargs, "embed_dim", timm->width, 1, OPEN_CLIP_WIDTH);
    out->layers = config_read_size(r, kwargs, "depth", timm->layers, 1, OPEN_CLIP_LAYERS);
    out->heads = config_read_size(r, kwargs, "num_heads", timm->heads, 1, OPEN_CLIP_WIDTH);
    out->hidden = config_find(kwargs, "mlp_ratio")
                      ? config_read_hidden(r, kwargs, "mlp_ratio", out->width, OPEN_CLIP_HIDDEN)
                      : (size_t)trunc((double)out->width * timm_mlp_ratio);
    out->activation = HL_SILU;
    out->gated = true;
    out->epsilon = epsilon;
    if (out->width % out->heads != 0 || out->width / out->heads % 4 != 0 || out->hidden < 1) {
        config_refuse(
            r, HL_FAILED,
            "%s.num_heads: %zu heads of a width of %zu; expected heads of a multiple of 4 numbers, which "
            "rotary positions need",
            kwargs.path, out->heads, out->width);
    }
}

static void read_image_tower(config_reader *r, const open_clip_config *from, image_shape *image) {
    config_section vision = from->vision, kwargs = {"model_cfg.vision_cfg.timm_model_kwargs", NULL};
    const timm_shape *timm = find_timm(r, vision);
    if (!timm) return;
    config_check_settings(r, vision, vision_settings);
    if (!config_is_off(config_find(vision, "timm_model_kwargs"))) {
        kwargs = config_read_section(r, vision, "timm_model_kwargs", kwargs.path);
        if (r->status) return;
        config_check_settings(r, kwargs, kwargs_settings);
    }
    const cJSON *pool = config_find(vision, "timm_pool");
    if (!cJSON_IsString(pool) || strcmp(pool->valuestring, "token") != 0) {
        config_refuse(r, HL_USAGE, "%s.timm_pool: expected token; %s pools no other way", vision.path,
                      PLUGIN_NAME);
    }
    read_layers(r, kwargs, timm, &image->layers);
    read_grid(r, vision, kwargs, timm, image);
    image->rotary_side = rotary_side;
    image->pooling = IMAGE_POOL_CLASS;
    image->embed_dim = from->embed_dim;
}

static void read_all(config_reader *r, const cJSON *json, vit_config *out) {
    open_clip_config from;
    open_clip_read(r, json, &from);
    if (r->status) return;
    read_image_tower(r, &from, &out->image);
    out->has_texts = from.has_texts;
    if (from.has_texts) open_clip_read_text(r, &from, &out->text, &out->tokenizer);
    open_clip_read_preprocess(r, &from, out->image.image_height, out->image.image_width, &out->preprocess);
}

/* ---- files ---- */

static hl_status parse(const char *path, const char *text, size_t length, void *out, hl_error *error) {
    cJSON *json;
    hl_status status = config_parse_json(path, text, length, &json, error);
    if (status) return status;
    config_reader r = {PLUGIN_NAME, path, HL_OK, error};
    if (eva_json_is(json)) {
        cJSON *translated = eva_json_translate(&r, json);
        cJSON_Delete(json);
        json = translated;
        if (!json && r.status == HL_OK) return hl_no_memory(error, path);
    }
    if (r.status == HL_OK) read_all(&r, json, out);
    cJSON_Delete(json);
    return r.status;
}

hl_status config_read(const hl_host *host, const char *folder, const char *file, vit_config *out,
                      hl_error *error) {
    *out = (vit_config){.text = {.context = 0}};
    return config_read_file(host, folder, file, parse, out, error);
}

/* Whether a configuration names a model of this family, right or wrong. */
static hl_status look(const char *path, const char *text, size_t length, void *out, hl_error *error) {
    cJSON *json;
    hl_status status = config_parse_json(path, text, length, &json, error);
    if (status) return status;
    const cJSON *model = cJSON_GetObjectItemCaseSensitive(json, "model_cfg");
    const config_section vision = {"", cJSON_GetObjectItemCaseSensitive(model, "vision_cfg")};
    *(bool *)out = eva_json_is(json) || strncmp(timm_name(vision), "eva", 3) == 0;
    cJSON_Delete(json);
    return HL_OK;
}

/* Small files only: a tokenizer is JSON too. */
static int may_be_configuration(const struct dirent *entry) {
    size_t length = strlen(entry->d_name);
    return length > 5 && strcmp(entry->d_name + length - 5, ".json") == 0;
}

static hl_status look_at(const hl_host *host, const char *folder, const char *file, bool *ours,
                         hl_error *error) {
    enum { LARGEST = 1 << 16 };
    struct stat status;
    char *path = NULL;
    *ours = false;
    if (asprintf(&path, "%s/%s", folder, file) < 0) return hl_no_memory(error, "a path");
    bool may_be = stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= LARGEST;
    free(path);
    return may_be ? config_read_file(host, folder, file, look, ours, error) : HL_OK;
}

/* open_clip's comes first. A file that cannot be read is an error where no other is found. */
hl_status config_find_file(const hl_host *host, const char *folder, char **out, hl_error *error) {
    struct dirent **entries = NULL;
    errno = 0;
    int count = scandir(folder, &entries, may_be_configuration, alphasort);
    *out = NULL;
    if (count < 0 && errno == ENOMEM) return hl_no_memory(error, folder);
    bool ours;
    hl_status status = look_at(host, folder, OPEN_CLIP_CONFIG, &ours, error);
    const char *found = ours ? OPEN_CLIP_CONFIG : NULL;
    for (int i = 0; i < count && !found; ++i) {
        hl_status seen = look_at(host, folder, entries[i]->d_name, &ours, status == HL_OK ? error : NULL);
        if (status == HL_OK) status = seen;
        if (ours) found = entries[i]->d_name;
    }
    *out = found ? strdup(found) : NULL;
    if (found) status = *out ? HL_OK : hl_no_memory(error, "a path");
    for (int i = 0; i < count; ++i) free(entries[i]);
    free(entries);
    return status;
}
