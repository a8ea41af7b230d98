/* The descriptor of clip-resnet and its table of functions: trunk, pooling and text tower, wired. */
#include "resnet.h"

#include "headlight/plugin.h"
#include <stdlib.h>

enum { WEIGHTS }; /* rows of the table, and of the values that `open` gets */

static const hl_option options[] = {[WEIGHTS] = WEIGHTS_OPTION};

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
    trunk_free(&model->trunk);
    pooled_free(&model->image);
    free(model->positions);
}

static hl_status describe(hl_model *model, hl_error *error) {
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
    TRY(two_towers_state_score(&model->base, false, error));
    return two_towers_describe(
        &model->base, error,
        "ResNet, attention pooling of %zu heads of width %zu over %zu-%zu-%zu-%zu blocks, %zu pixels",
        config->pool.heads, pool_head_width(&config->pool), blocks[0], blocks[1], blocks[2], blocks[3],
        config->trunk.image);
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    resnet_config *config = &model->config;
    two_towers *base = &model->base;
    TRY(model_folder_check(&files, source->path, !source->random_weights, error));
    TRY(read_config(base->host, source->path, config, error));
    tensors_name(config);
    TRY(tensors_open(base->host, source, two_towers_asked(values, WEIGHTS), config, &base->weights, error));
    TRY(two_towers_open_texts(base, source, &config->text, &config->tokenizer, error));
    model->trunk.shape = &config->trunk;
    model->image.pool.shape = &config->pool;
    model->image.layer = TRUNK_STAGES;
    model->image.host = base->host;
    model->image.plugin = PLUGIN_NAME;
    model->image.model = base->name;
    TRY(pooled_describe(&model->image, error));
    return describe(model, error);
}

static hl_status load_image(hl_model *model, loader *from) {
    const tensor_spec none = {.rank = 0}, positions = tensors_positions(&model->config);
    TRY(trunk_load(&model->trunk, from));
    TRY(pooled_load(&model->image, from, none, none));
    return checkpoint_take(from->weights, &positions, &model->positions, from->error);
}

static const two_towers_kind kind = {.plugin = PLUGIN_NAME,
                                     .model_size = sizeof(hl_model),
                                     .session_size = sizeof(hl_session),
                                     .open = open_parts,
                                     .close = close_model,
                                     .load = load_image,
                                     .open_session = session_open_images,
                                     .close_session = session_close_images};

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    return two_towers_open(&kind, host, source, values, model, error);
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

static const hl_model_api api = {
    .size = sizeof api,
    .recognises = recognises,
    .hint = hint,
    .open = open_model,
    .basis = make_basis,
    .value_gram = make_value_gram,
    .digest = make_digest,
    .encode_images = session_encode_images,
    TWO_TOWERS_FUNCTIONS,
    POOLED_TRACE_FUNCTIONS,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0",
              "CLIP with a ModifiedResNet image tower, from open_clip's files"),
    HL_OPTIONS(options),
    .api = &api,
};
