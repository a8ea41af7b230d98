/* The descriptor of clip-vit and its table of functions. */
#include "folder.h"
#include "trace.h"

#include "headlight/plugin.h"
#include <stdlib.h>
#include <unistd.h>

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
    folder_hint(path, out, room);
}

static void close_model(hl_model *model) {
    if (!model) return;
    unload_model(model);
    checkpoint_close(&model->weights);
    tokenizer_close(model->tokenizer);
    free(model->components);
    free(model->component_names);
    free(model->name);
    free(model->summary);
    free(model);
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, hl_error *error) {
    TRY(folder_check(source->path, !source->random_weights, error));
    TRY(config_read(model->host, source->path, &model->config, error));
    TRY(checkpoint_open(model->host, source, &model->config, &model->weights, error));
    TRY(describe_model(model, source->path, error));
    model->tokenizer = tokenizer_open(model->host, source->path, model->config.vocab_size);
    return model->tokenizer ? HL_OK : hl_no_memory(error, "the tokenizer");
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

static hl_status tokenize(const hl_model *model, const char *text, int32_t *ids, hl_error *error) {
    return tokenizer_run(model->tokenizer, text, model->config.context, ids, error);
}

static hl_status count_tokens(const hl_model *model, const char *text, size_t *count, hl_error *error) {
    return tokenizer_count(model->tokenizer, text, count, error);
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
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, "clip-vit", "1.0.0", "CLIP with a ViT image tower, from open_clip's files"),
    .api = &api,
};
