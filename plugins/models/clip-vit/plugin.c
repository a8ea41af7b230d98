/* The descriptor of clip-vit and its table of functions: the shared parts, wired. */
#include "clip_vit.h"
#include "shapes.h"

#include "headlight/plugin.h"
#include <stdlib.h>
#include <string.h>

enum { WEIGHTS, ACTIVATION, IMAGE_SIZE }; /* rows of the table, and of the values that `open` gets */

static const char *const activations[] = {"gelu", "quick_gelu", NULL};

static const hl_option options[] = {
    [WEIGHTS] = {.name = "weights",
                 .type = HL_STRING,
                 .fallback = "~",
                 .help = "the file of weights in the model's folder, where there are several"},
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

static void close_model(hl_model *model) {
    if (!model) return;
    image_tower_free(&model->image);
    two_towers_close(&model->base);
    free(model);
}

/* What was asked for; NULL: nothing. A test may have no values at all. */
static const char *asked(const hl_value *const *values, int option) {
    return values && values[option]->given ? values[option]->string : NULL;
}

/* From the weights' shapes. */
static hl_status assume_config(const hl_host *host, const hl_model_source *source,
                               const hl_value *const *values, clip_config *config, hl_error *error) {
    TRY(shapes_read(host, source, asked(values, WEIGHTS), asked(values, ACTIVATION), config, error));
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
    const char *file = config_file(host, source->path), *activation = asked(values, ACTIVATION);
    bool by_shapes = !file && !source->random_weights && has_weights(source->path, asked(values, WEIGHTS));
    if (by_shapes)
        TRY(assume_config(host, source, values, config, error));
    else
        TRY(read_config(host, source, file ? file : CONFIG_FILE, config, error));
    if (!activation) return HL_OK;
    bool quick = strcmp(activation, "quick_gelu") == 0;
    config->image.layers.activation = config->text.layers.activation = quick ? HL_QUICK_GELU : HL_GELU;
    return HL_OK;
}

static hl_status set_size(clip_config *config, const char *size, hl_error *error) {
    if (!size) return HL_OK;
    TRY(image_shape_set_size(&config->image, size, error));
    config->preprocess.height = (uint32_t)config->image.image_height;
    config->preprocess.width = (uint32_t)config->image.image_width;
    return HL_OK;
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    clip_config *config = &model->config;
    TRY(find_config(model->base.host, source, values, config, error));
    TRY(set_size(config, asked(values, IMAGE_SIZE), error));
    tensors_name(config);
    TRY(tensors_open(model->base.host, source, asked(values, WEIGHTS), config, &model->base.weights, error));
    model->image.shape = &config->image;
    model->image.weights = &model->base.weights;
    model->image.host = model->base.host;
    model->image.plugin = PLUGIN_NAME;
    if (config->has_texts)
        TRY(two_towers_open_texts(&model->base, source, &config->text, &config->tokenizer, error));
    TRY(describe_model(model, source->path, error));
    model->image.model = model->base.name;
    return HL_OK;
}

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    hl_model *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a model");
    out->base.host = host;
    out->base.plugin = PLUGIN_NAME;
    hl_status status = open_parts(out, source, values, error);
    if (status == HL_OK) {
        *model = out;
    } else {
        close_model(out);
    }
    return status;
}

static hl_status load_model(hl_model *model, const hl_compute *compute, hl_error *error) {
    model->base.compute = *compute;
    loader from = {.weights = &model->base.weights, .compute = &model->base.compute, .error = error};
    hl_status status = image_tower_load(&model->image, &from);
    if (status == HL_OK && model->config.has_texts) status = text_tower_load(&model->base.text, &from);
    free(from.numbers);
    return status;
}

static hl_status make_basis(const hl_model *model, uint32_t basis, float *out, hl_error *error) {
    return image_tower_basis(&model->image, basis, out, error);
}

static hl_status make_value_gram(const hl_model *model, uint32_t component, double *out, hl_error *error) {
    return image_tower_value_gram(&model->image, component, out, error);
}

static void close_session(hl_session *session) {
    if (!session) return;
    image_session_close(&session->image);
    two_towers_session_end(&session->base);
    free(session);
}

static hl_status open_session(const hl_model *model, size_t batch, hl_session **session, hl_error *error) {
    hl_session *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a session");
    two_towers_session_begin(&out->base, model, batch);
    hl_status status = image_session_open(&model->image, batch, &out->image, error);
    if (status == HL_OK) {
        *session = out;
    } else {
        close_session(out);
    }
    return status;
}

static hl_status encode_images(hl_session *session, const float *pixels, size_t count,
                               const hl_request *request, hl_trace **traces, hl_error *error) {
    return image_session_encode(&session->image, pixels, count, request, traces, error);
}

static const hl_model_api api = {
    .size = sizeof api,
    .recognises = recognises,
    .open = open_model,
    .close = close_model,
    .info = two_towers_info,
    .load = load_model,
    .basis = make_basis,
    .open_session = open_session,
    .close_session = close_session,
    .tokenize = two_towers_tokenize,
    .encode_texts = two_towers_encode_texts,
    .encode_images = encode_images,
    .retain = trace_retain,
    .release = trace_release,
    .bytes = trace_bytes,
    .embedding = trace_embedding,
    .code = trace_code,
    .token_codes = trace_token_codes,
    .digest = digest_model,
    .hint = hint,
    .count_tokens = two_towers_count_tokens,
    .value_gram = make_value_gram,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0",
              "CLIP with a ViT image tower, in open_clip's, OpenAI's or transformers' files"),
    HL_OPTIONS(options),
    .api = &api,
};
