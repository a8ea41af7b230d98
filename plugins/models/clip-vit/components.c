/* The component table and what a model says about itself. */
#include "clip_vit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t per_image[] = {HL_PER_IMAGE, HL_PER_IMAGE, HL_PER_IMAGE};

static void add_component(hl_model *model, uint32_t index, hl_component row) {
    row.name = model->component_names[index].text;
    row.scalars = per_image;
    model->components[index] = row;
}

static void add_layer(hl_model *model, size_t layer) {
    const tower_shape *shape = &model->config.image;
    for (size_t head = 0; head < shape->heads; ++head) {
        uint32_t index = head_component(&model->config, layer, head);
        snprintf(model->component_names[index].text, sizeof(struct component_name), "L%zu.H%zu", layer, head);
        add_component(model, index,
                      (hl_component){.kind = HL_HEAD,
                                     .layer = (int32_t)layer,
                                     .index = (int32_t)head,
                                     .width = (uint32_t)head_width(&model->config),
                                     .scalar_count = 3,
                                     .basis = (uint32_t)(layer * shape->heads + head),
                                     .has_tokens = true});
    }
    uint32_t index = mlp_component(&model->config, layer);
    snprintf(model->component_names[index].text, sizeof(struct component_name), "L%zu.MLP", layer);
    add_component(model, index,
                  (hl_component){.kind = HL_MLP,
                                 .layer = (int32_t)layer,
                                 .index = -1,
                                 .width = (uint32_t)shape->width,
                                 .scalar_count = 2,
                                 .basis = (uint32_t)(shape->layers * shape->heads)});
}

static hl_status make_components(hl_model *model, hl_error *error) {
    const tower_shape *shape = &model->config.image;
    size_t count = 1 + shape->layers * (shape->heads + 1);
    model->components = calloc(count, sizeof *model->components);
    model->component_names = calloc(count, sizeof *model->component_names);
    if (!model->components || !model->component_names) return hl_no_memory(error, "the component table");
    strcpy(model->component_names[0].text, "input");
    add_component(model, 0,
                  (hl_component){.kind = HL_INPUT,
                                 .layer = -1,
                                 .index = -1,
                                 .width = (uint32_t)shape->width,
                                 .scalar_count = 2,
                                 .basis = (uint32_t)(shape->layers * shape->heads)});
    for (size_t layer = 0; layer < shape->layers; ++layer) add_layer(model, layer);
    model->info.component_count = (uint32_t)count;
    model->info.component_size = sizeof *model->components;
    model->info.components = model->components;
    model->info.basis_count = (uint32_t)(shape->layers * shape->heads + 1);
    return HL_OK;
}

/* The folder's own name, however the path is written; a folder above it may be nobody's business. */
static char *folder_name(const char *path) {
    errno = 0;
    char *whole = realpath(path, NULL);
    if (!whole) return errno == ENOMEM ? NULL : strdup(path);
    const char *slash = strrchr(whole, '/');
    char *name = strdup(slash[1] ? slash + 1 : whole);
    free(whole);
    return name;
}

static hl_status make_texts(hl_model *model, const char *path, hl_error *error) {
    const clip_config *config = &model->config;
    model->name = folder_name(path);
    if (asprintf(&model->summary, "ViT, %zu layers x %zu heads of width %zu, patch %zu, %zu pixels",
                 config->image.layers, config->image.heads, head_width(config), config->patch,
                 config->image_size) < 0) {
        model->summary = NULL;
    }
    if (!model->name || !model->summary) return hl_no_memory(error, "the model's name");
    model->info.name = model->name;
    model->info.summary = model->summary;
    return HL_OK;
}

/* The one setting that weights do not show and that is most often wrong. */
static void state_facts(hl_model *model) {
    static const hl_fact gelu = {"activation", "gelu"}, quick_gelu = {"activation", "quick_gelu"};
    model->info.facts = model->config.activation == HL_QUICK_GELU ? &quick_gelu : &gelu;
    model->info.fact_count = 1;
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const clip_config *config = &model->config;
    model->info = (hl_model_info){
        .size = sizeof model->info,
        .embed_dim = (uint32_t)config->embed_dim,
        .context = (uint32_t)config->context,
        .preprocess = &model->preprocess,
        .prefix_tokens = 1,
        .grid_rows = (uint32_t)config->grid,
        .grid_cols = (uint32_t)config->grid,
        .patch_height = (uint32_t)config->patch,
        .patch_width = (uint32_t)config->patch,
    };
    model->preprocess = (hl_preprocess){.size = sizeof model->preprocess,
                                        .resize = HL_RESIZE_COVER,
                                        .interpolation = HL_BICUBIC,
                                        .height = (uint32_t)config->image_size,
                                        .width = (uint32_t)config->image_size};
    memcpy(model->preprocess.mean, config->mean, sizeof config->mean);
    memcpy(model->preprocess.deviation, config->deviation, sizeof config->deviation);
    state_facts(model);
    TRY(make_texts(model, path, error));
    return make_components(model, error);
}
