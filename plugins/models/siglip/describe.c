/* What a model says about itself, and what tells it from any other. */
#include "siglip.h"

#include "checkpoint/model_folder.h"
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

static hl_status make_texts(hl_model *model, const char *path, hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    model->name = model_folder_name(path);
    if (asprintf(
            &model->summary,
            "SigLIP, attention pooling of %zu heads over %zu layers x %zu heads of width %zu, patch %zu, "
            "%zu pixels",
            model->config.pool.heads, layers->layers, layers->heads, head_width(layers), image->patch,
            image->image_height) < 0) {
        model->summary = NULL;
    }
    if (!model->name || !model->summary) return hl_no_memory(error, "the model's name");
    model->info.name = model->name;
    model->info.summary = model->summary;
    return HL_OK;
}

static const char *activation_name(hl_activation activation) {
    static const char *const names[] = {
        [HL_IDENTITY] = "none",       [HL_GELU] = "gelu", [HL_QUICK_GELU] = "quick_gelu",
        [HL_GELU_TANH] = "gelu_tanh", [HL_SILU] = "silu", [HL_RELU] = "relu"};
    return names[activation];
}

static void state_fact(hl_model *model, const char *name, const char *value) {
    model->facts[model->info.fact_count++] = (hl_fact){name, value};
    model->info.facts = model->facts;
}

/* The activation follows from the layout, and weights do not show it. */
static hl_status state_facts(hl_model *model, hl_error *error) {
    const siglip_config *config = &model->config;
    hl_activation image = config->image.layers.activation, text = config->text.layers.activation;
    size_t parameters;
    TRY(tensors_count_image(config, &parameters, error));
    snprintf(model->parameters, sizeof model->parameters, "%zu", parameters);
    state_fact(model, "activation", activation_name(image));
    state_fact(model, "parameters", model->parameters);
    state_fact(model, "level", model->image.top.by_layers ? "layers" : "pooling");
    if (config->has_texts && text != image) state_fact(model, "text_activation", activation_name(text));
    return HL_OK;
}

/* The files hold the logarithm of the scale. */
static hl_status state_score(hl_model *model, hl_error *error) {
    bool has_scale, has_bias;
    float scale = 0, bias = 0;
    TRY(checkpoint_scalar(&model->weights, "logit_scale", &has_scale, &scale, error));
    TRY(checkpoint_scalar(&model->weights, "logit_bias", &has_bias, &bias, error));
    double multiplied = exp((double)scale);
    if (!has_scale || !has_bias || !isfinite(multiplied) || !isfinite(bias)) return HL_OK;
    model->info.score = HL_SCORE_SIGMOID;
    model->info.logit_scale = multiplied;
    model->info.logit_bias = (double)bias;
    return HL_OK;
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const siglip_config *config = &model->config;
    const component_table *components = &model->image.top.components;
    model->info = (hl_model_info){
        .size = sizeof model->info,
        .embed_dim = (uint32_t)config->pool.embed_dim,
        .context = (uint32_t)config->text.context,
        .pad_id = model->tokenizer ? tokenizer_pad(model->tokenizer) : 0,
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
    return make_texts(model, path, error);
}

/* Stored weights have the shapes of both towers; what a seed makes of the text tower depends on its own. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const siglip_config *config = &model->config;
    const tower_shape *image = &config->image.layers, *text = &config->text.layers;
    char weights[33], all[512];
    TRY(checkpoint_digest(&model->weights, weights, error));
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
