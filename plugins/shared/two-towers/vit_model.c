/* See vit_model.h. */
#include "vit_model.h"

#include <stdlib.h>
#include <string.h>

hl_status vit_set_size(vit_config *self, const char *size, hl_error *error) {
    if (!size) return HL_OK;
    TRY(image_shape_set_size(&self->image, size, error));
    self->preprocess.height = (uint32_t)self->image.image_height;
    self->preprocess.width = (uint32_t)self->image.image_width;
    return HL_OK;
}

/* ---- weights ---- */

/* Of the image tower, then, with `texts`, of the text tower. free() *out. */
static hl_status list_tensors(const vit_config *config, bool texts, size_t others, tensor_spec **out,
                              size_t *count, hl_error *error) {
    const tower_shape *image = &config->image.layers, *text = &config->text.layers;
    size_t layers = image->layers + (texts ? text->layers : 0);
    tensor_spec *all = *out = calloc(IMAGE_SLOTS + TEXT_SLOTS + layers * LAYER_SLOTS + others, sizeof *all);
    if (!all) return hl_no_memory(error, "the names of tensors");
    *count = image_tensors(&config->image, all);
    *count += layer_tensors(image, all + *count);
    if (!texts) return HL_OK;
    *count += text_tensors(&config->text, all + *count);
    *count += layer_tensors(text, all + *count);
    return HL_OK;
}

hl_status vit_open_weights(const hl_host *host, const hl_model_source *source, const vit_config *config,
                           const tensor_spec *others, size_t other_count, checkpoint_rules rules,
                           checkpoint *out, hl_error *error) {
    const tower_shape *image = &config->image.layers, *text = &config->text.layers;
    const tensor_beyond beyond[] = {layer_beyond(image), layer_beyond(config->has_texts ? text : image)};
    tensor_spec *all;
    size_t count;
    TRY(list_tensors(config, config->has_texts, other_count, &all, &count, error));
    if (other_count) memcpy(all + count, others, other_count * sizeof *all);
    rules.tensors = all;
    rules.tensor_count = count + other_count;
    rules.beyond = beyond;
    rules.beyond_count = sizeof beyond / sizeof *beyond;
    hl_status status = checkpoint_open(host, source, &rules, out, error);
    free(all);
    return status;
}

hl_status vit_count_numbers(const vit_config *config, size_t *out, hl_error *error) {
    tensor_spec *all;
    size_t count;
    TRY(list_tensors(config, false, 0, &all, &count, error));
    *out = 0;
    for (size_t i = 0; i < count; ++i) *out += tensor_elements(&all[i]);
    free(all);
    return HL_OK;
}

/* ---- what it says about itself ---- */

hl_model_info vit_info(const vit_config *config, const component_table *components, pooling pooled) {
    const image_shape *image = &config->image;
    return (hl_model_info){
        .size = sizeof(hl_model_info),
        .embed_dim = (uint32_t)image->embed_dim,
        .preprocess = &config->preprocess,
        .prefix_tokens = (uint32_t)image_prefix(image),
        .grid_rows = (uint32_t)image->grid_rows,
        .grid_cols = (uint32_t)image->grid_cols,
        .patch_height = (uint32_t)image->patch,
        .patch_width = (uint32_t)image->patch,
        .component_count = components->count,
        .component_size = sizeof *components->rows,
        .components = components->rows,
        .basis_count = components->basis_count,
        .pooled_first = (uint32_t)pooled.first,
        .pooled_count = (uint32_t)pooled.count,
    };
}

static bool is_square(const image_shape *shape) {
    return shape->image_width == shape->image_height;
}

void vit_tell_size(const image_shape *shape, char out[48]) {
    if (is_square(shape))
        snprintf(out, 48, "%zu pixels", shape->image_height);
    else
        snprintf(out, 48, "%zu x %zu pixels", shape->image_height, shape->image_width);
}

void vit_tell_width(const image_shape *shape, char out[32]) {
    out[0] = '\0';
    if (!is_square(shape)) snprintf(out, 32, " by %zu", shape->image_width);
}

void vit_state_places(two_towers *self, const image_tower *tower) {
    if (!image_tower_resizes_places(tower)) return;
    two_towers_state(self, "positions", "resized from %zu x %zu to %zu x %zu", tower->places_rows,
                     tower->places_cols, tower->shape->grid_rows, tower->shape->grid_cols);
}

/* ---- models whose image tower pools itself ---- */

static vit_model *of(hl_model *model) {
    return (vit_model *)(void *)model;
}

static const image_tower *tower_of(const hl_model *model) {
    return &((const vit_model *)(const void *)model)->image;
}

hl_status vit_open(vit_model *self, const vit_config *config, const hl_model_source *source,
                   hl_error *error) {
    two_towers *base = &self->base;
    image_tower *image = &self->image;
    image->shape = &config->image;
    image->weights = &base->weights;
    image->host = base->host;
    image->plugin = base->kind->plugin;
    image->model = base->name;
    if (config->has_texts) TRY(two_towers_open_texts(base, source, &config->text, &config->tokenizer, error));
    TRY(image_tower_describe(image, error));
    base->info = vit_info(config, &image->components, image_pooled_rows(&config->image));
    return HL_OK;
}

void vit_close(hl_model *model) {
    image_tower_free(&of(model)->image);
}

hl_status vit_load(hl_model *model, loader *from) {
    return image_tower_load(&of(model)->image, from);
}

hl_status vit_open_session(const hl_model *model, size_t batch, hl_session *session, hl_error *error) {
    return image_session_open(tower_of(model), batch, &((vit_session *)(void *)session)->image, error);
}

void vit_close_session(hl_session *session) {
    image_session_close(&((vit_session *)(void *)session)->image);
}

hl_status vit_basis(const hl_model *model, uint32_t basis, float *out, hl_error *error) {
    return image_tower_basis(tower_of(model), basis, out, error);
}

hl_status vit_queries(const hl_model *model, const float *vector, float *out, hl_error *error) {
    return image_tower_queries(tower_of(model), vector, out, error);
}

hl_status vit_value_gram(const hl_model *model, uint32_t component, double *out, hl_error *error) {
    return image_tower_value_gram(tower_of(model), component, out, error);
}

hl_status vit_encode_images(hl_session *session, const float *pixels, size_t count, const hl_request *request,
                            hl_trace **traces, hl_error *error) {
    return image_session_encode(&((vit_session *)(void *)session)->image, pixels, count, request, traces,
                                error);
}
