/* The descriptor of eva-clip and its table of functions: the shared parts, wired. */
#include "checkpoint/model_folder.h"
#include "checkpoint/try.h"
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
    text_tower_free(&model->text);
    checkpoint_close(&model->weights);
    tokenizer_close(model->tokenizer);
    free(model->name);
    free(model->summary);
    free(model->config_file);
    free(model);
}

static hl_status find_config(hl_model *model, const hl_model_source *source, hl_error *error) {
    TRY(config_find_file(model->host, source->path, &model->config_file, error));
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
    return config_read(model->host, source->path, model->config_file, &model->config, error);
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    const char *named = values && values[0]->given ? values[0]->string : NULL;
    eva_config *config = &model->config;
    TRY(find_config(model, source, error));
    tensors_name(config);
    TRY(tensors_open(model->host, source, named, model->config_file, config, &model->weights, error));
    model->image.shape = &config->image;
    model->text.shape = &config->text;
    model->image.weights = model->text.weights = &model->weights;
    model->image.host = model->text.host = model->host;
    model->image.plugin = model->text.plugin = PLUGIN_NAME;
    if (config->has_texts)
        TRY(tokenizer_open(model->host, source->path, &config->tokenizer, &model->tokenizer, error));
    TRY(describe_model(model, source->path, error));
    model->image.model = model->text.model = model->name;
    return HL_OK;
}

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    hl_model *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a model");
    out->host = host;
    hl_status status = open_parts(out, source, values, error);
    if (status == HL_OK) {
        *model = out;
    } else {
        close_model(out);
    }
    return status;
}

static const hl_model_info *info(const hl_model *model) {
    return &model->info;
}

static hl_status load_model(hl_model *model, const hl_compute *compute, hl_error *error) {
    model->compute = *compute;
    loader from = {.weights = &model->weights, .compute = &model->compute, .error = error};
    hl_status status = image_tower_load(&model->image, &from);
    if (status == HL_OK && model->config.has_texts) status = text_tower_load(&model->text, &from);
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
    if (session->model->config.has_texts) text_session_close(&session->text);
    free(session);
}

static hl_status open_session(const hl_model *model, size_t batch, hl_session **session, hl_error *error) {
    hl_session *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a session");
    out->model = model;
    out->text = (text_session){.tower = &model->text, .batch = batch};
    hl_status status = image_session_open(&model->image, batch, &out->image, error);
    if (status == HL_OK) {
        *session = out;
    } else {
        close_session(out);
    }
    return status;
}

static hl_status tokenize(const hl_model *model, const char *text, int32_t *ids, hl_error *error) {
    return tokenizer_run(model->tokenizer, text, ids, error);
}

static hl_status count_tokens(const hl_model *model, const char *text, size_t *count, hl_error *error) {
    return tokenizer_count(model->tokenizer, text, count, error);
}

static hl_status encode_texts(hl_session *session, const int32_t *ids, size_t count, float *out,
                              hl_error *error) {
    return text_session_encode(&session->text, ids, count, out, error);
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
    .info = info,
    .load = load_model,
    .basis = make_basis,
    .open_session = open_session,
    .close_session = close_session,
    .tokenize = tokenize,
    .encode_texts = encode_texts,
    .encode_images = encode_images,
    .retain = trace_retain,
    .release = trace_release,
    .bytes = trace_bytes,
    .embedding = trace_embedding,
    .code = trace_code,
    .token_codes = trace_token_codes,
    .digest = digest_model,
    .count_tokens = count_tokens,
    .value_gram = make_value_gram,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0", "EVA-02 CLIP, from open_clip's files or EVA-CLIP's own"),
    HL_OPTIONS(options),
    .api = &api,
};
