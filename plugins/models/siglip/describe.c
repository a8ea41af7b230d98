/* What a model says about itself, and what tells it from any other. */
#include "siglip.h"

static hl_status summarise(hl_model *model, hl_error *error) {
    const image_shape *image = &model->config.vit.image;
    const tower_shape *layers = &image->layers;
    char size[48];
    vit_tell_size(image, size);
    return two_towers_describe(&model->base, error,
                               "SigLIP, attention pooling of %zu heads over %zu layers x %zu heads of width "
                               "%zu, patch %zu, %s",
                               model->config.pool.heads, layers->layers, layers->heads, head_width(layers),
                               image->patch, size);
}

/* The activation follows from the layout, and weights do not show it. */
hl_status describe_model(hl_model *model, hl_error *error) {
    const vit_config *config = &model->config.vit;
    const pooled *top = &model->image.top;
    hl_activation image = config->image.layers.activation, text = config->text.layers.activation;
    two_towers *base = &model->base;
    size_t numbers;
    TRY(tensors_count_image(&model->config, &numbers, error));
    base->info = vit_info(config, &top->components,
                          (pooling){.count = top->by_layers ? model->config.pool.tokens : 1});
    two_towers_state(base, "activation", "%s", activation_name(image));
    two_towers_state(base, "parameters", "%zu", numbers);
    two_towers_state(base, "level", "%s", top->by_layers ? "layers" : "pooling");
    if (config->has_texts && text != image)
        two_towers_state(base, "text_activation", "%s", activation_name(text));
    vit_state_places(base, &model->image.trunk);
    TRY(two_towers_state_score(base, true, error));
    return summarise(model, error);
}

/* The text tower is said although stored weights have its shape, as it always was. */
hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const vit_config *config = &model->config.vit;
    const image_shape *image = &config->image;
    const tower_shape *layers = &image->layers;
    char texts[160] = "", by[32];
    vit_tell_width(image, by);
    two_towers_add_texts(&config->text, texts, sizeof texts);
    return two_towers_digest(
        &model->base, out, error,
        "image %zu%s patch %zu layers %zu width %zu heads %zu hidden %zu activation %d epsilon %a%s",
        image->image_height, by, image->patch, layers->layers, layers->width, layers->heads, layers->hidden,
        (int)layers->activation, (double)layers->epsilon, texts);
}
