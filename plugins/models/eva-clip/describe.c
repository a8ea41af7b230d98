/* What a model says about itself, and what tells it from any other. */
#include "eva_clip.h"

static hl_status summarise(hl_model *model, const char *path, hl_error *error) {
    const image_shape *image = &model->config.image;
    return two_towers_describe(&model->base, path, error,
                               "EVA-02, %zu layers x %zu heads of width %zu, patch %zu, %zu pixels",
                               image->layers.layers, image->layers.heads, head_width(&image->layers),
                               image->patch, image->image_height);
}

static hl_status state_facts(hl_model *model, hl_error *error) {
    const image_shape *shape = &model->config.image;
    size_t parameters;
    TRY(tensors_count_image(&model->config, &parameters, error));
    two_towers_state(&model->base, "activation", "swiglu");
    two_towers_state(&model->base, "parameters", "%zu", parameters);
    if (!image_tower_resizes_places(&model->image)) return HL_OK;
    two_towers_state(&model->base, "positions", "resized from %zu x %zu to %zu x %zu",
                     model->image.places_rows, model->image.places_cols, shape->grid_rows, shape->grid_cols);
    return HL_OK;
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const eva_config *config = &model->config;
    TRY(image_tower_describe(&model->image, error));
    const component_table *components = &model->image.components;
    model->base.info = (hl_model_info){
        .size = sizeof model->base.info,
        .embed_dim = (uint32_t)config->image.embed_dim,
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
        .pooled_count = 1, /* the class token's */
    };
    TRY(state_facts(model, error));
    TRY(two_towers_state_score(&model->base, error));
    return summarise(model, path, error);
}

hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    const float *mean = model->config.preprocess.mean, *deviation = model->config.preprocess.deviation;
    return two_towers_digest(
        &model->base, out, error,
        PLUGIN_NAME " embed %zu image %zu patch %zu layers %zu width %zu heads %zu hidden %zu "
                    "mean %a %a %a deviation %a %a %a",
        image->embed_dim, image->image_height, image->patch, layers->layers, layers->width, layers->heads,
        layers->hidden, (double)mean[0], (double)mean[1], (double)mean[2], (double)deviation[0],
        (double)deviation[1], (double)deviation[2]);
}
