/* The descriptor of eva-clip and its table of functions: the shared parts, wired. */
#include "eva_clip.h"

#include "headlight/plugin.h"
#include <stdlib.h>

static const hl_option options[] = {
    {.name = "weights",
     .type = HL_STRING,
     .fallback = "~",
     .help = "the file of weights in the model's folder, where there are several"}};

/* A configuration that this plugin refuses is still more its business than anybody else's, and its error says
 * why. */
static int recognises(const hl_host *host, const char *path) {
    char *file;
    eva_config config;
    config_find_file(host, path, &file, NULL);
    int sure = !file ? 0 : config_read(host, path, file, &config, NULL) == HL_OK ? 95 : 20;
    free(file);
    return sure;
}

static void close_model(hl_model *model) {
    if (!model) return;
    image_tower_free(&model->image);
    two_towers_close(&model->base);
    free(model->config_file);
    free(model);
}

static hl_status find_config(hl_model *model, const hl_model_source *source, hl_error *error) {
    TRY(config_find_file(model->base.host, source->path, &model->config_file, error));
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
    return config_read(model->base.host, source->path, model->config_file, &model->config, error);
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    const char *named = values && values[0]->given ? values[0]->string : NULL;
    eva_config *config = &model->config;
    TRY(find_config(model, source, error));
    tensors_name(config);
    TRY(tensors_open(model->base.host, source, named, model->config_file, config, &model->base.weights,
                     error));
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
    .count_tokens = two_towers_count_tokens,
    .value_gram = make_value_gram,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0", "EVA-02 CLIP, from open_clip's files or EVA-CLIP's own"),
    HL_OPTIONS(options),
    .api = &api,
};
