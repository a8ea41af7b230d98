/* What a model says about itself. */
#include "clip_vit.h"

#include "checkpoint/model_folder.h"
#include "checkpoint/try.h"
#include <math.h>
#include <string.h>

static hl_status make_texts(hl_model *model, const char *path, hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    char by[32] = "";
    if (image->image_width != image->image_height) snprintf(by, sizeof by, " x %zu", image->image_width);
    model->name = model_folder_name(path);
    if (asprintf(&model->summary, "ViT, %zu layers x %zu heads of width %zu, patch %zu, %zu%s pixels",
                 layers->layers, layers->heads, head_width(layers), image->patch, image->image_height,
                 by) < 0) {
        model->summary = NULL;
    }
    if (!model->name || !model->summary) return hl_no_memory(error, "the model's name");
    model->info.name = model->name;
    model->info.summary = model->summary;
    return HL_OK;
}

static const char *activation_name(hl_activation activation) {
    return activation == HL_QUICK_GELU ? "quick_gelu" : activation == HL_GELU_TANH ? "gelu_tanh" : "gelu";
}

static void state_fact(hl_model *model, const char *name, const char *value) {
    model->facts[model->info.fact_count++] = (hl_fact){name, value};
    model->info.facts = model->facts;
}

/* What weights do not show and is most often wrong; the image tower's size, by which models are compared; and
 * what was made fit. */
static hl_status state_facts(hl_model *model, hl_error *error) {
    static const char *const poolings[] = {
        [IMAGE_POOL_MEAN] = "mean", [IMAGE_POOL_MEAN_OF_NORMS] = "mean_of_norms"};
    const image_shape *shape = &model->config.image;
    size_t parameters;
    TRY(tensors_count_image(&model->config, &parameters, error));
    snprintf(model->parameters, sizeof model->parameters, "%zu", parameters);
    state_fact(model, "activation", activation_name(shape->layers.activation));
    state_fact(model, "parameters", model->parameters);
    if (model->config.assumed[0]) state_fact(model, "assumed", model->config.assumed);
    if (!model->config.is_projected)
        state_fact(model, "projection", "none: its pooled output, which no text shares");
    if (shape->pooling != IMAGE_POOL_CLASS) state_fact(model, "pooling", poolings[shape->pooling]);
    if (!image_tower_resizes_places(&model->image)) return HL_OK;
    snprintf(model->positions, sizeof model->positions, "resized from %zu x %zu to %zu x %zu",
             model->image.places_rows, model->image.places_cols, shape->grid_rows, shape->grid_cols);
    state_fact(model, "positions", model->positions);
    return HL_OK;
}

/* CLIP's files hold the logarithm of the scale, and no bias but where it was trained with a sigmoid. */
static hl_status state_score(hl_model *model, hl_error *error) {
    bool has_scale, has_bias;
    float scale = 0, bias = 0;
    TRY(checkpoint_scalar(&model->weights, "logit_scale", &has_scale, &scale, error));
    TRY(checkpoint_scalar(&model->weights, "logit_bias", &has_bias, &bias, error));
    double multiplied = exp((double)scale);
    if (!has_scale || !isfinite(multiplied) || !isfinite(bias)) return HL_OK;
    model->info.score = has_bias ? HL_SCORE_SIGMOID : HL_SCORE_SOFTMAX;
    model->info.logit_scale = multiplied;
    model->info.logit_bias = (double)bias;
    return HL_OK;
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const clip_config *config = &model->config;
    TRY(image_tower_describe(&model->image, error));
    const component_table *components = &model->image.components;
    model->info = (hl_model_info){
        .size = sizeof model->info,
        .embed_dim = (uint32_t)config->image.embed_dim,
        .context = (uint32_t)config->text.context,
        .pad_id = config->has_texts ? tokenizer_pad(model->tokenizer) : 0,
        .preprocess = &config->preprocess,
        .prefix_tokens = (uint32_t)image_prefix(&config->image),
        .grid_rows = (uint32_t)config->image.grid_rows,
        .grid_cols = (uint32_t)config->image.grid_cols,
        .patch_height = (uint32_t)config->image.patch,
        .patch_width = (uint32_t)config->image.patch,
        .component_count = components->count,
        .component_size = sizeof *components->rows,
        .components = components->rows,
        .basis_count = components->basis_count,
        .pooled_first = (uint32_t)image_pooled_rows(&config->image).first,
        .pooled_count = (uint32_t)image_pooled_rows(&config->image).count,
    };
    TRY(state_facts(model, error));
    TRY(state_score(model, error));
    return make_texts(model, path, error);
}
