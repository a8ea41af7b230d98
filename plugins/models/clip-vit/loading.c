/* Puts a model's weights on the backend. The token embedding stays in the file: texts read the few rows that
 * they need. */
#include "clip_vit.h"

#include <stdlib.h>

static hl_status load_image_tower(hl_model *model, loader *from) {
    const clip_config *config = &model->config;
#define SPEC(SLOT) outer_tensor(config, SLOT)
    const hl_weight_source patch = {.role = HL_ROLE_PATCH, .layer = -1, .out = config->image.width};
    const tensor_spec no_bias = {.rank = 0};
    TRY(load_linear(from, &patch, SPEC(PATCH_WEIGHT), no_bias, 0, &model->patch));
    TRY(load_vector(from, SPEC(CLASS_EMBEDDING), &model->class_embedding));
    TRY(load_vector(from, SPEC(IMAGE_POSITION), &model->image_position));
    TRY(load_norm(from, SPEC(LN_PRE_GAIN), SPEC(LN_PRE_SHIFT), &model->ln_pre));
    TRY(tower_load(from, &model->image));
    TRY(load_norm(from, SPEC(LN_POST_GAIN), SPEC(LN_POST_SHIFT), &model->ln_post));
    return load_projection(from, SPEC(IMAGE_PROJECTION), &model->image_projection);
}

static hl_status load_text_tower(hl_model *model, loader *from) {
    const clip_config *config = &model->config;
    tensor_spec position = SPEC(TEXT_POSITION);
    TRY(checkpoint_take(from->weights, &position, &model->text_position, from->error));
    TRY(tower_load(from, &model->text));
    TRY(load_norm(from, SPEC(LN_FINAL_GAIN), SPEC(LN_FINAL_SHIFT), &model->ln_final));
    return load_projection(from, SPEC(TEXT_PROJECTION), &model->text_projection);
#undef SPEC
}

hl_status load_model(hl_model *model, const hl_compute *compute, hl_error *error) {
    model->compute = *compute;
    const clip_config *config = &model->config;
    model->image = (tower){&config->image, config->activation, &model->compute, true, NULL};
    model->text = (tower){&config->text, config->activation, &model->compute, false, NULL};
    loader from = {.weights = &model->weights, .compute = &model->compute, .error = error};
    hl_status status = load_image_tower(model, &from);
    if (status == HL_OK) status = load_text_tower(model, &from);
    free(from.numbers);
    return status ? status : prepare_bases(model, error);
}

void unload_model(hl_model *model) {
    free(model->text_position);
    free(model->projected);
    const hl_compute *c = &model->compute;
    if (!c->api) return;
    tower_free(&model->image);
    tower_free(&model->text);
    c->api->free_weight(c->backend, model->patch);
    c->api->free_weight(c->backend, model->image_projection);
    c->api->free_weight(c->backend, model->text_projection);
    c->api->free_tensor(c->backend, model->class_embedding);
    c->api->free_tensor(c->backend, model->image_position);
    free_norm(c, &model->ln_pre);
    free_norm(c, &model->ln_post);
    free_norm(c, &model->ln_final);
}
