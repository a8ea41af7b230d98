/* The descriptor of eva-clip and its table of functions: the shared parts, wired. */
#include "eva_clip.h"

#include "headlight/plugin.h"
#include <stdlib.h>

enum { WEIGHTS, IMAGE_SIZE }; /* rows of the table, and of the values that `open` gets */

static const hl_option options[] = {[WEIGHTS] = WEIGHTS_OPTION, [IMAGE_SIZE] = IMAGE_SIZE_OPTION};

/* A configuration that this plugin refuses is still more its business than anybody else's, and its error says
 * why. */
static int recognises(const hl_host *host, const char *path) {
    char *file;
    vit_config config;
    config_find_file(host, path, &file, NULL);
    int sure = !file ? 0 : config_read(host, path, file, &config, NULL) == HL_OK ? 95 : 20;
    free(file);
    return sure;
}

static void close_model(hl_model *model) {
    vit_close(model);
    free(model->config_file);
}

static hl_status find_config(hl_model *model, const hl_model_source *source, hl_error *error) {
    const hl_host *host = model->vit.base.host;
    TRY(config_find_file(host, source->path, &model->config_file, error));
    if (!model->config_file) {
        return hl_fail(
            error, HL_USAGE,
            "%s: no configuration of an EVA-02: eva-clip reads open_clip_config.json, or EVA-CLIP's, such "
            "as EVA02-CLIP-B-16.json",
            source->path);
    }
    const model_files files = {PLUGIN_NAME, model->config_file, OPEN_CLIP_WEIGHTS,
                               "as OpenCLIP and EVA-CLIP publish them"};
    TRY(model_folder_check(&files, source->path, !source->random_weights, error));
    return config_read(host, source->path, model->config_file, &model->config, error);
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    const char *named = two_towers_asked(values, WEIGHTS);
    two_towers *base = &model->vit.base;
    TRY(find_config(model, source, error));
    TRY(vit_set_size(&model->config, two_towers_asked(values, IMAGE_SIZE), error));
    tensors_name(&model->config);
    TRY(tensors_open(base->host, source, named, model->config_file, &model->config, &base->weights, error));
    TRY(vit_open(&model->vit, &model->config, source, error));
    return describe_model(model, error);
}

static const two_towers_kind kind = {.plugin = PLUGIN_NAME,
                                     .model_size = sizeof(hl_model),
                                     .open = open_parts,
                                     .close = close_model,
                                     VIT_KIND};

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    return two_towers_open(&kind, host, source, values, model, error);
}

static const hl_model_api api = {
    .size = sizeof api,
    .recognises = recognises,
    .open = open_model,
    .digest = digest_model,
    TWO_TOWERS_FUNCTIONS,
    VIT_FUNCTIONS,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0", "EVA-02 CLIP, from open_clip's files or EVA-CLIP's own"),
    HL_OPTIONS(options),
    .api = &api,
};
