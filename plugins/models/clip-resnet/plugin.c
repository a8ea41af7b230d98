/* The descriptor of clip-resnet and its table of functions: trunk, pooling and text tower, wired. */
#include "resnet.h"

#include "headlight/plugin.h"
#include <stdlib.h>

static const model_files files = {PLUGIN_NAME, OPEN_CLIP_CONFIG, OPEN_CLIP_WEIGHTS,
                                  "as OpenCLIP publishes them"};

static hl_status read_config(const hl_host *host, const char *path, resnet_config *out, hl_error *error) {
    return config_read_file(host, path, OPEN_CLIP_CONFIG, config_parse, out, error);
}

static bool has_stages(const cJSON *vision) {
    return cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(vision, "layers"));
}

/* A folder of this family whose configuration is refused is still more its business than anybody else's, and
 * its error says why. */
static int recognises(const hl_host *host, const char *path) {
    resnet_config config;
    if (!open_clip_is(host, path, has_stages)) return 0;
    return read_config(host, path, &config, NULL) == HL_OK ? 95 : 60;
}

static void hint(const hl_host *host, const char *path, char *out, size_t room) {
    (void)host;
    model_folder_hint(&files, path, out, room);
}

static void close_model(hl_model *model) {
    if (!model) return;
    trunk_free(&model->trunk);
    pooled_free(&model->image);
    free(model->positions);
    two_towers_close(&model->base);
    free(model);
}

static hl_status describe(hl_model *model, const char *path, hl_error *error) {
    const resnet_config *config = &model->config;
    const component_table *components = &model->image.components;
    const size_t *blocks = config->trunk.blocks;
    uint32_t grid = (uint32_t)trunk_grid(&config->trunk);
    size_t parameters;
    model->base.info = (hl_model_info){
        .size = sizeof model->base.info,
        .embed_dim = (uint32_t)config->pool.embed_dim,
        .preprocess = &config->preprocess,
        .prefix_tokens = 1, /* the mean of the cells */
        .grid_rows = grid,
        .grid_cols = grid,
        .patch_height = TRUNK_REDUCTION,
        .patch_width = TRUNK_REDUCTION,
        .component_count = components->count,
        .component_size = sizeof *components->rows,
        .components = components->rows,
        .basis_count = components->basis_count,
    };
    TRY(tensors_count_image(config, &parameters, error));
    two_towers_state(&model->base, "activation", "relu");
    two_towers_state(&model->base, "text_activation", "%s", activation_name(config->text.layers.activation));
    two_towers_state(&model->base, "parameters", "%zu", parameters);
    TRY(two_towers_state_score(&model->base, error));
    TRY(two_towers_describe(
        &model->base, path, error,
        "ResNet, attention pooling of %zu heads of width %zu over %zu-%zu-%zu-%zu blocks, %zu pixels",
        config->pool.heads, pool_head_width(&config->pool), blocks[0], blocks[1], blocks[2], blocks[3],
        config->trunk.image));
    model->image.model = model->base.name;
    return HL_OK;
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, hl_error *error) {
    resnet_config *config = &model->config;
    two_towers *base = &model->base;
    TRY(model_folder_check(&files, source->path, !source->random_weights, error));
    TRY(read_config(base->host, source->path, config, error));
    tensors_name(config);
    TRY(tensors_open(base->host, source, config, &base->weights, error));
    TRY(two_towers_open_texts(base, source, &config->text, &config->tokenizer, error));
    model->trunk.shape = &config->trunk;
    model->image.pool.shape = &config->pool;
    model->image.layer = TRUNK_STAGES;
    model->image.host = base->host;
    model->image.plugin = PLUGIN_NAME;
    TRY(pooled_describe(&model->image, error));
    return describe(model, source->path, error);
}

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    (void)values; /* there are no options */
    hl_model *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a model");
    out->base.host = host;
    out->base.plugin = PLUGIN_NAME;
    hl_status status = open_parts(out, source, error);
    if (status == HL_OK) {
        *model = out;
    } else {
        close_model(out);
    }
    return status;
}

static hl_status load_model(hl_model *model, const hl_compute *compute, hl_error *error) {
    const tensor_spec none = {.rank = 0}, positions = tensors_positions(&model->config);
    two_towers *base = &model->base;
    base->compute = *compute;
    loader from = {.weights = &base->weights, .compute = &base->compute, .error = error};
    hl_status status = trunk_load(&model->trunk, &from);
    if (status == HL_OK) status = pooled_load(&model->image, &from, none, none);
    if (status == HL_OK) status = checkpoint_take(&base->weights, &positions, &model->positions, error);
    if (status == HL_OK) status = text_tower_load(&base->text, &from);
    free(from.numbers);
    return status;
}

static hl_status make_basis(const hl_model *model, uint32_t basis, float *out, hl_error *error) {
    return pooled_basis(&model->image, basis, out, error);
}

/* There is no norm before the pooling. */
static hl_status make_value_gram(const hl_model *model, uint32_t component, double *out, hl_error *error) {
    return pooled_value_gram(&model->image, component, NULL, out, error);
}

static hl_status make_digest(const hl_model *model, char out[33], hl_error *error) {
    const resnet_config *config = &model->config;
    const float *mean = config->preprocess.mean, *deviation = config->preprocess.deviation;
    const size_t *blocks = config->trunk.blocks;
    return two_towers_digest(
        &model->base, out, error,
        "resnet %zu %zu %zu %zu width %zu image %zu heads %zu embed %zu mean %a %a %a deviation "
        "%a %a %a",
        blocks[0], blocks[1], blocks[2], blocks[3], config->trunk.width, config->trunk.image,
        config->pool.heads, config->pool.embed_dim, (double)mean[0], (double)mean[1], (double)mean[2],
        (double)deviation[0], (double)deviation[1], (double)deviation[2]);
}

static void close_session(hl_session *session) {
    if (!session) return;
    session_close_images(session);
    two_towers_session_end(&session->base);
    free(session);
}

static hl_status open_session(const hl_model *model, size_t batch, hl_session **session, hl_error *error) {
    hl_session *out = calloc(1, sizeof *out);
    if (!out) return hl_no_memory(error, "a session");
    two_towers_session_begin(&out->base, model, batch);
    hl_status status = session_open_images(model, batch, out, error);
    if (status == HL_OK) {
        *session = out;
    } else {
        close_session(out);
    }
    return status;
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
    .encode_images = session_encode_images,
    .retain = pooled_trace_retain,
    .release = pooled_trace_release,
    .bytes = pooled_trace_bytes,
    .embedding = pooled_trace_embedding,
    .code = pooled_trace_code,
    .token_codes = pooled_trace_token_codes,
    .digest = make_digest,
    .hint = hint,
    .count_tokens = two_towers_count_tokens,
    .value_gram = make_value_gram,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0",
              "CLIP with a ModifiedResNet image tower, from open_clip's files"),
    .api = &api,
};
