/* The descriptor of clip-vit and its table of functions: the shared parts, wired. */
#include "clip_vit.h"
#include "shapes.h"

#include "headlight/plugin.h"
#include <stdlib.h>
#include <string.h>

enum { WEIGHTS, ACTIVATION, IMAGE_SIZE }; /* rows of the table, and of the values that `open` gets */

static const char *const activations[] = {"gelu", "quick_gelu", NULL};

static const hl_option options[] = {
    [WEIGHTS] = WEIGHTS_OPTION,
    [ACTIVATION] = {.name = "activation",
                    .type = HL_CHOICE,
                    .fallback = "~",
                    .choices = activations,
                    .help = "the activation that the model was trained with, where no configuration says it, "
                            "or a wrong one"},
    [IMAGE_SIZE] = IMAGE_SIZE_OPTION};

static const model_files files = {PLUGIN_NAME, CONFIG_FILE, WEIGHTS_FILE,
                                  "as OpenCLIP publishes them, or config.json and model.safetensors, as "
                                  "transformers' CLIPModel has them, or "
                                  "weights as PyTorch saves them (.pt, .bin); "
                                  "open_clip.push_to_hf_hub.save_for_hf writes the first two from "
                                  "any model that open_clip loads"};

static bool has_weights(const char *path, const char *named) {
    char *weights;
    bool others;
    hl_status status = model_folder_weights(path, WEIGHTS_FILE, named, &weights, &others, NULL);
    bool some = status != HL_OK || weights; /* several that could be meant are some, too */
    free(weights);
    return some;
}

/* Whether weights without a configuration are of this kind; else `error` says why not. */
static bool are_known_shapes(const hl_host *host, const char *path, hl_error *error) {
    const hl_model_source source = {.size = sizeof source, .path = path};
    clip_config config;
    return shapes_read(host, &source, NULL, true, &config, error) == HL_OK;
}

/* A folder whose configuration this plugin refuses is still more its business than anybody else's, and its
 * error says why. */
static int recognises(const hl_host *host, const char *path) {
    const char *file = config_file(host, path);
    clip_config config;
    if (!file) return has_weights(path, NULL) && are_known_shapes(host, path, NULL) ? 50 : 0;
    return config_read(host, path, file, &config, NULL) == HL_OK ? 90 : 10;
}

/* Of weights without a configuration, why they are none of this plugin's. */
static void hint(const hl_host *host, const char *path, char *out, size_t room) {
    hl_error why = {""};
    if (config_file(host, path) || !has_weights(path, NULL) || are_known_shapes(host, path, &why)) {
        model_folder_hint(&files, path, out, room);
        return;
    }
    model_folder_list(&files, path, out, room);
    size_t used = strlen(out);
    snprintf(out + used, room - used, "; %s", why.message);
}

/* From the weights' shapes. */
static hl_status assume_config(const hl_host *host, const hl_model_source *source,
                               const hl_value *const *values, clip_config *config, hl_error *error) {
    TRY(shapes_read(host, source, two_towers_asked(values, WEIGHTS), two_towers_asked(values, ACTIVATION),
                    config, error));
    host->log(host, HL_LOG_WARNING, "%s: without a configuration; assumed: %s", source->path,
              config->assumed);
    return HL_OK;
}

static hl_status read_config(const hl_host *host, const hl_model_source *source, const char *file,
                             clip_config *config, hl_error *error) {
    const model_files wanted = {PLUGIN_NAME, file, WEIGHTS_FILE, files.origin};
    TRY(model_folder_check(&wanted, source->path, !source->random_weights, error));
    return config_read(host, source->path, file, config, error);
}

static hl_status find_config(const hl_host *host, const hl_model_source *source,
                             const hl_value *const *values, clip_config *config, hl_error *error) {
    const char *file = config_file(host, source->path), *activation = two_towers_asked(values, ACTIVATION);
    bool by_shapes =
        !file && !source->random_weights && has_weights(source->path, two_towers_asked(values, WEIGHTS));
    if (by_shapes)
        TRY(assume_config(host, source, values, config, error));
    else
        TRY(read_config(host, source, file ? file : CONFIG_FILE, config, error));
    if (!activation) return HL_OK;
    bool quick = strcmp(activation, "quick_gelu") == 0;
    config->vit.image.layers.activation = config->vit.text.layers.activation =
        quick ? HL_QUICK_GELU : HL_GELU;
    return HL_OK;
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    clip_config *config = &model->config;
    two_towers *base = &model->vit.base;
    TRY(find_config(base->host, source, values, config, error));
    TRY(vit_set_size(&config->vit, two_towers_asked(values, IMAGE_SIZE), error));
    tensors_name(config);
    TRY(tensors_open(base->host, source, two_towers_asked(values, WEIGHTS), config, &base->weights, error));
    TRY(vit_open(&model->vit, &config->vit, source, error));
    return describe_model(model, error);
}

static const two_towers_kind kind = {
    .plugin = PLUGIN_NAME, .model_size = sizeof(hl_model), .open = open_parts, .close = vit_close, VIT_KIND};

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    return two_towers_open(&kind, host, source, values, model, error);
}

static const hl_model_api api = {
    .size = sizeof api,
    .recognises = recognises,
    .hint = hint,
    .open = open_model,
    .digest = digest_model,
    TWO_TOWERS_FUNCTIONS,
    VIT_FUNCTIONS,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0",
              "CLIP with a ViT image tower, in open_clip's, OpenAI's or transformers' files"),
    HL_OPTIONS(options),
    .api = &api,
};
