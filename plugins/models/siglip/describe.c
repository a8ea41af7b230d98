/* What a model says about itself, and what tells it from any other. */
#include "siglip.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

static hl_status summarise(hl_model *model, const char *path, hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    return two_towers_describe(&model->base, path, error,
                               "SigLIP, attention pooling of %zu heads over %zu layers x %zu heads of width "
                               "%zu, patch %zu, %zu pixels",
                               model->config.pool.heads, layers->layers, layers->heads, head_width(layers),
                               image->patch, image->image_height);
}

/* The activation follows from the layout, and weights do not show it. */
static hl_status state_facts(hl_model *model, hl_error *error) {
    const siglip_config *config = &model->config;
    hl_activation image = config->image.layers.activation, text = config->text.layers.activation;
    size_t parameters;
    TRY(tensors_count_image(config, &parameters, error));
    two_towers_state(&model->base, "activation", "%s", activation_name(image));
    two_towers_state(&model->base, "parameters", "%zu", parameters);
    two_towers_state(&model->base, "level", "%s", model->image.top.by_layers ? "layers" : "pooling");
    if (config->has_texts && text != image)
        two_towers_state(&model->base, "text_activation", "%s", activation_name(text));
    return HL_OK;
}

/* The files hold the logarithm of the scale. */
static hl_status state_score(hl_model *model, hl_error *error) {
    bool has_scale, has_bias;
    float scale = 0, bias = 0;
    TRY(checkpoint_scalar(&model->base.weights, "logit_scale", &has_scale, &scale, error));
    TRY(checkpoint_scalar(&model->base.weights, "logit_bias", &has_bias, &bias, error));
    double multiplied = exp((double)scale);
    if (!has_scale || !has_bias || !isfinite(multiplied) || !isfinite(bias)) return HL_OK;
    model->base.info.score = HL_SCORE_SIGMOID;
    model->base.info.logit_scale = multiplied;
    model->base.info.logit_bias = (double)bias;
    return HL_OK;
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const siglip_config *config = &model->config;
    const component_table *components = &model->image.top.components;
    model->base.info = (hl_model_info){
        .size = sizeof model->base.info,
        .embed_dim = (uint32_t)config->pool.embed_dim,
        .preprocess = &config->preprocess,
        .grid_rows = (uint32_t)config->image.grid_rows,
        .grid_cols = (uint32_t)config->image.grid_cols,
        .patch_height = (uint32_t)config->image.patch,
        .patch_width = (uint32_t)config->image.patch,
        .component_count = components->count,
        .component_size = sizeof *components->rows,
        .components = components->rows,
        .basis_count = components->basis_count,
        .pooled_count = (uint32_t)(model->image.top.by_layers ? config->pool.tokens : 1),
    };
    TRY(state_facts(model, error));
    TRY(state_score(model, error));
    return summarise(model, path, error);
}

/* Stored weights have the shapes of both towers; what a seed makes of the text tower depends on its own. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const siglip_config *config = &model->config;
    const tower_shape *image = &config->image.layers, *text = &config->text.layers;
    char weights[33], all[512];
    TRY(checkpoint_digest(&model->base.weights, weights, error));
    int length =
        snprintf(all, sizeof all,
                 "%s image %zu patch %zu layers %zu width %zu heads %zu hidden %zu activation %d "
                 "epsilon %a text %zu %zu %zu %zu context %zu vocabulary %zu",
                 weights, config->image.image_height, config->image.patch, image->layers, image->width,
                 image->heads, image->hidden, (int)image->activation, (double)image->epsilon, text->layers,
                 text->width, text->heads, text->hidden, config->text.context, config->text.vocab_size);
    XXH128_hash_t hash = XXH3_128bits(all, (size_t)length);
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
    return HL_OK;
}
