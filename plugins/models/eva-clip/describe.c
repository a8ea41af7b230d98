/* What a model says about itself, and what tells it from any other. */
#include "checkpoint/model_folder.h"
#include "checkpoint/try.h"
#include "eva_clip.h"

#include <inttypes.h>
#include <math.h>
#include <xxhash.h>

static hl_status make_texts(hl_model *model, const char *path, hl_error *error) {
    const image_shape *image = &model->config.image;
    model->name = model_folder_name(path);
    if (asprintf(&model->summary, "EVA-02, %zu layers x %zu heads of width %zu, patch %zu, %zu pixels",
                 image->layers.layers, image->layers.heads, head_width(&image->layers), image->patch,
                 image->image_height) < 0) {
        model->summary = NULL;
    }
    if (!model->name || !model->summary) return hl_no_memory(error, "the model's name");
    model->info.name = model->name;
    model->info.summary = model->summary;
    return HL_OK;
}

static void state_fact(hl_model *model, const char *name, const char *value) {
    model->facts[model->info.fact_count++] = (hl_fact){name, value};
    model->info.facts = model->facts;
}

static hl_status state_facts(hl_model *model, hl_error *error) {
    const image_shape *shape = &model->config.image;
    size_t parameters;
    TRY(tensors_count_image(&model->config, &parameters, error));
    snprintf(model->parameters, sizeof model->parameters, "%zu", parameters);
    state_fact(model, "activation", "swiglu");
    state_fact(model, "parameters", model->parameters);
    if (!image_tower_resizes_places(&model->image)) return HL_OK;
    snprintf(model->positions, sizeof model->positions, "resized from %zu x %zu to %zu x %zu",
             model->image.places_rows, model->image.places_cols, shape->grid_rows, shape->grid_cols);
    state_fact(model, "positions", model->positions);
    return HL_OK;
}

/* Files hold the logarithm of the scale. */
static hl_status state_score(hl_model *model, hl_error *error) {
    bool has_scale;
    float scale = 0;
    TRY(checkpoint_scalar(&model->weights, "logit_scale", &has_scale, &scale, error));
    double multiplied = exp((double)scale);
    if (!has_scale || !isfinite(multiplied)) return HL_OK;
    model->info.score = HL_SCORE_SOFTMAX;
    model->info.logit_scale = multiplied;
    return HL_OK;
}

hl_status describe_model(hl_model *model, const char *path, hl_error *error) {
    const eva_config *config = &model->config;
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
        .pooled_count = 1, /* the class token's */
    };
    TRY(state_facts(model, error));
    TRY(state_score(model, error));
    return make_texts(model, path, error);
}

/* Stored weights have the shapes of both towers; what a seed makes of the text tower depends on its own. */
static void add_text_tower(const text_shape *text, char *out, size_t room) {
    const tower_shape *layers = &text->layers;
    size_t used = strlen(out);
    snprintf(out + used, room - used, " text %zu %zu %zu %zu context %zu vocabulary %zu", layers->layers,
             layers->width, layers->heads, layers->hidden, text->context, text->vocab_size);
}

hl_status digest_model(const hl_model *model, char out[33], hl_error *error) {
    const image_shape *image = &model->config.image;
    const tower_shape *layers = &image->layers;
    const float *mean = model->config.preprocess.mean, *deviation = model->config.preprocess.deviation;
    char weights[128], text[768];
    TRY(checkpoint_digest(&model->weights, weights, error));
    if (!model->weights.file) add_text_tower(&model->config.text, weights, sizeof weights);
    int length =
        snprintf(text, sizeof text,
                 "%s %s embed %zu image %zu patch %zu layers %zu width %zu heads %zu hidden %zu mean %a %a "
                 "%a deviation %a %a %a",
                 PLUGIN_NAME, weights, image->embed_dim, image->image_height, image->patch, layers->layers,
                 layers->width, layers->heads, layers->hidden, (double)mean[0], (double)mean[1],
                 (double)mean[2], (double)deviation[0], (double)deviation[1], (double)deviation[2]);
    XXH128_hash_t hash = XXH3_128bits(text, (size_t)length);
    snprintf(out, 33, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
    return HL_OK;
}
