/* What a model says about itself. */
#include "clip_vit.h"

static hl_status summarise(hl_model *model, const char *path, hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    char by[32] = "";
    if (image->image_width != image->image_height) snprintf(by, sizeof by, " x %zu", image->image_width);
    return two_towers_describe(
        &model->base, path, error, "ViT, %zu layers x %zu heads of width %zu, patch %zu, %zu%s pixels",
        layers->layers, layers->heads, head_width(layers), image->patch, image->image_height, by);
}

/* What weights do not show and is most often wrong; the image tower's size, by which models are compared; and
 * what was made fit. */
static hl_status state_facts(hl_model *model, hl_error *error) {
    static const char *const poolings[] = {
        [IMAGE_POOL_MEAN] = "mean", [IMAGE_POOL_MEAN_OF_NORMS] = "mean_of_norms"};
    const image_shape *shape = &model->config.image;
    size_t parameters;
    TRY(tensors_count_image(&model->config, &parameters, error));
    two_towers_state(&model->base, "activation", "%s", activation_name(shape->layers.activation));
    two_towers_state(&model->base, "parameters", "%zu", parameters);
    if (model->config.assumed[0]) two_towers_state(&model->base, "assumed", "%s", model->config.assumed);
    if (!model->config.is_projected)
        two_towers_state(&model->base, "projection", "none: its pooled output, which no text shares");
    if (shape->pooling != IMAGE_POOL_CLASS)
        two_towers_state(&model->base, "pooling", "%s", poolings[shape->pooling]);
    if (!image_tower_resizes_places(&model->image)) return HL_OK;
    two_towers_state(&model->base, "positions", "resized from %zu x %zu to %zu x %zu",
                     model->image.places_rows, model->image.places_cols, shape->grid_rows, shape->grid_cols);
    return HL_OK;
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const clip_config *config = &model->config;
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
        .pooled_first = (uint32_t)image_pooled_rows(&config->image).first,
        .pooled_count = (uint32_t)image_pooled_rows(&config->image).count,
    };
    TRY(state_facts(model, error));
    TRY(two_towers_state_score(&model->base, error));
    return summarise(model, path, error);
}
