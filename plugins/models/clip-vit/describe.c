/* What a model says about itself. */
#include "clip_vit.h"

#include "checkpoint/model_folder.h"
#include "checkpoint/try.h"
#include <math.h>
#include <string.h>

static hl_status make_texts(hl_model *model, const char *path, hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    model->name = model_folder_name(path);
    if (asprintf(&model->summary, "ViT, %zu layers x %zu heads of width %zu, patch %zu, %zu pixels",
                 layers->layers, layers->heads, head_width(layers), image->patch, image->image_height) < 0) {
        model->summary = NULL;
    }
    if (!model->name || !model->summary) return hl_no_memory(error, "the model's name");
    model->info.name = model->name;
    model->info.summary = model->summary;
    return HL_OK;
}

/* The one setting that weights do not show and that is most often wrong; and the image tower's size, by which
 * models are compared. */
static hl_status state_facts(hl_model *model, hl_error *error) {
    bool quick = model->config.image.layers.activation == HL_QUICK_GELU;
    size_t parameters;
    TRY(tensors_count_image(&model->config, &parameters, error));
    snprintf(model->parameters, sizeof model->parameters, "%zu", parameters);
    model->facts[0] = (hl_fact){"activation", quick ? "quick_gelu" : "gelu"};
    model->facts[1] = (hl_fact){"parameters", model->parameters};
    model->info.facts = model->facts;
    model->info.fact_count = sizeof model->facts / sizeof *model->facts;
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

static void state_preprocess(hl_model *model) {
    const clip_config *config = &model->config;
    model->preprocess = (hl_preprocess){.size = sizeof model->preprocess,
                                        .resize = HL_RESIZE_COVER,
                                        .interpolation = HL_BICUBIC,
                                        .height = (uint32_t)config->image.image_height,
                                        .width = (uint32_t)config->image.image_width};
    memcpy(model->preprocess.mean, config->mean, sizeof config->mean);
    memcpy(model->preprocess.deviation, config->deviation, sizeof config->deviation);
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const clip_config *config = &model->config;
    TRY(image_tower_describe(&model->image, error));
    const component_table *components = &model->image.components;
    model->info = (hl_model_info){
        .size = sizeof model->info,
        .embed_dim = (uint32_t)config->image.embed_dim,
        .context = (uint32_t)config->text.context,
        .pad_id = tokenizer_pad(model->tokenizer),
        .preprocess = &model->preprocess,
        .prefix_tokens = (uint32_t)image_prefix(&config->image),
        .grid_rows = (uint32_t)config->image.grid_rows,
        .grid_cols = (uint32_t)config->image.grid_cols,
        .patch_height = (uint32_t)config->image.patch,
        .patch_width = (uint32_t)config->image.patch,
        .component_count = components->count,
        .component_size = sizeof *components->rows,
        .components = components->rows,
        .basis_count = components->basis_count,
    };
    state_preprocess(model);
    TRY(state_facts(model, error));
    TRY(state_score(model, error));
    return make_texts(model, path, error);
}
