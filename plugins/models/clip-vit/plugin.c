/* The descriptor of clip-vit and its table of functions: the shared parts, wired. */
#include "checkpoint/model_folder.h"
#include "checkpoint/try.h"
#include "clip_vit.h"

#include "headlight/plugin.h"
#include <stdlib.h>
#include <unistd.h>

static const model_files files = {
    PLUGIN_NAME, CONFIG_FILE, WEIGHTS_FILE,
    "as OpenCLIP publishes them; open_clip.push_to_hf_hub.save_for_hf writes both from "
    "any model that open_clip loads"};

/* A folder whose configuration this plugin refuses is still more its business than anybody else's, and its
 * error says why. */
static int recognises(const hl_host *host, const char *path) {
    char *file = NULL;
    if (asprintf(&file, "%s/%s", path, CONFIG_FILE) < 0) return 0;
    bool there = access(file, F_OK) == 0;
    free(file);
    clip_config config;
    if (!there) return 0;
    return config_read(host, path, &config, NULL) == HL_OK ? 90 : 10;
}

static void hint(const hl_host *host, const char *path, char *out, size_t room) {
    (void)host;
    model_folder_hint(&files, path, out, room);
}

static void close_model(hl_model *model) {
    if (!model) return;
    image_tower_free(&model->image);
    text_tower_free(&model->text);
    checkpoint_close(&model->weights);
    tokenizer_close(model->tokenizer);
    free(model->name);
    free(model->summary);
    free(model);
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, hl_error *error) {
    clip_config *config = &model->config;
    TRY(model_folder_check(&files, source->path, !source->random_weights, error));
    TRY(config_read(model->host, source->path, config, error));
    tensors_name(config);
    TRY(tensors_open(model->host, source, config, &model->weights, error));
    model->image.shape = &config->image;
    model->text.shape = &config->text;
    model->image.weights = model->text.weights = &model->weights;
    model->image.host = model->text.host = model->host;
    model->image.plugin = model->text.plugin = PLUGIN_NAME;
    TRY(tokenizer_open(model->host, source->path, &config->tokenizer, &model->tokenizer, error));
    TRY(describe_model(model, source->path, error));
    model->image.model = model->text.model = model->name;
    return HL_OK;
}

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    (void)values; /* there are no options */
    hl_model *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a model");
    out->host = host;
    hl_status status = open_parts(out, source, error);
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
    if (status == HL_OK) status = text_tower_load(&model->text, &from);
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
    text_session_close(&session->text);
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
    .hint = hint,
    .count_tokens = count_tokens,
    .value_gram = make_value_gram,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0", "CLIP with a ViT image tower, from open_clip's files"),
    .api = &api,
};
