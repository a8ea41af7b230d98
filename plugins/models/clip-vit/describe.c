/* What a model says about itself. */
#include "clip_vit.h"

static hl_status summarise(hl_model *model, hl_error *error) {
    const image_shape *image = &model->config.vit.image;
    const tower_shape *layers = &image->layers;
    char size[48];
    vit_tell_size(image, size);
    return two_towers_describe(&model->vit.base, error,
                               "ViT, %zu layers x %zu heads of width %zu, patch %zu, %s", layers->layers,
                               layers->heads, head_width(layers), image->patch, size);
}

/* What weights do not show and is most often wrong; the image tower's size, by which models are compared; and
 * what was made fit. */
hl_status describe_model(hl_model *model, hl_error *error) {
    static const char *const poolings[] = {
        [IMAGE_POOL_MEAN] = "mean", [IMAGE_POOL_MEAN_OF_NORMS] = "mean_of_norms"};
    const image_shape *shape = &model->config.vit.image;
    two_towers *base = &model->vit.base;
    size_t numbers;
    TRY(vit_count_numbers(&model->config.vit, &numbers, error));
    two_towers_state(base, "activation", "%s", activation_name(shape->layers.activation));
    two_towers_state(base, "parameters", "%zu", numbers);
    if (model->config.assumed[0]) two_towers_state(base, "assumed", "%s", model->config.assumed);
    if (!model->config.is_projected)
        two_towers_state(base, "projection", "none: its pooled output, which no text shares");
    if (shape->pooling != IMAGE_POOL_CLASS) two_towers_state(base, "pooling", "%s", poolings[shape->pooling]);
    vit_state_places(base, &model->vit.image);
    TRY(two_towers_state_score(base, false, error));
    return summarise(model, error);
}
