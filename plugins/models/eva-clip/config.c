/* A configuration -> vit_config. Refuses by name whatever would make another model than this plugin computes.
 * Never looks at weights. */
#include "config.h"

#include "open-clip/timm.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Four numbers for each of three in the width, and a third of them for the gate. */
#define MLP_RATIO (4.0 * 2 / 3)

typedef struct timm_shape {
    const char *name;
    size_t image;
    timm_tower tower;
} timm_shape;

static const timm_shape timm_shapes[] = {
    {"eva02_base_patch16_clip_224", 224, {16, 768, 12, 12, MLP_RATIO}},
    {"eva02_large_patch14_clip_224", 224, {14, 1024, 24, 16, MLP_RATIO}},
    {"eva02_large_patch14_clip_336", 336, {14, 1024, 24, 16, MLP_RATIO}},
};

/* The same in all of them. */
static const double rotary_side = 16;
static const float epsilon = 1e-6F;

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

static void read_image_tower(config_reader *r, const open_clip_config *from, image_shape *image) {
    const timm_shape *timm = find_timm(r, from->vision);
    tower_shape *layers = &image->layers;
    if (!timm) return;
    image->image_height = image->image_width = timm->image;
    timm_read(r, from->vision, "token", &timm->tower, image);
    layers->activation = HL_SILU;
    layers->gated = true;
    layers->epsilon = epsilon;
    image->rotary_side = rotary_side;
    image->pooling = IMAGE_POOL_CLASS;
    image->embed_dim = from->embed_dim;
    if (r->status == HL_OK && head_width(layers) % 4 != 0) {
        config_refuse(r, HL_FAILED,
                      "%s: %zu heads of a width of %zu; expected heads of a multiple of 4 numbers, which "
                      "rotary positions need",
                      from->vision.path, layers->heads, layers->width);
    }
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
