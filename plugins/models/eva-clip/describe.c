/* What a model says about itself, and what tells it from any other. */
#include "eva_clip.h"

static hl_status summarise(hl_model *model, hl_error *error) {
    const image_shape *image = &model->config.image;
    char size[48];
    vit_tell_size(image, size);
    return two_towers_describe(
        &model->vit.base, error, "EVA-02, %zu layers x %zu heads of width %zu, patch %zu, %s",
        image->layers.layers, image->layers.heads, head_width(&image->layers), image->patch, size);
}

hl_status describe_model(hl_model *model, hl_error *error) {
    const tower_shape *layers = &model->config.image.layers;
    two_towers *base = &model->vit.base;
    size_t numbers;
    TRY(vit_count_numbers(&model->config, &numbers, error));
    numbers -= layers->layers * layers->width; /* keys have no bias */
    two_towers_state(base, "activation", "swiglu");
    two_towers_state(base, "parameters", "%zu", numbers);
    vit_state_places(base, &model->vit.image);
    TRY(two_towers_state_score(base, false, error));
    return summarise(model, error);
}

hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    const float *mean = model->config.preprocess.mean, *deviation = model->config.preprocess.deviation;
    char by[32];
    vit_tell_width(image, by);
    return two_towers_digest(
        &model->vit.base, out, error,
        PLUGIN_NAME " embed %zu image %zu%s patch %zu layers %zu width %zu heads %zu hidden %zu "
                    "mean %a %a %a deviation %a %a %a",
        image->embed_dim, image->image_height, by, image->patch, layers->layers, layers->width, layers->heads,
        layers->hidden, (double)mean[0], (double)mean[1], (double)mean[2], (double)deviation[0],
        (double)deviation[1], (double)deviation[2]);
}
