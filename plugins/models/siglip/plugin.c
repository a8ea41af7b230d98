/* The descriptor of siglip and its table of functions: the shared parts, wired. */
#include "siglip.h"

#include "headlight/plugin.h"
#include <stdlib.h>

enum { LEVEL, WEIGHTS, IMAGE_SIZE }; /* rows of the table, and of the values that `open` gets */

static const char *const levels[] = {"pooling", "layers", NULL};

static const hl_option options[] = {
    [LEVEL] = {.name = "level",
               .type = HL_CHOICE,
               .fallback = "pooling",
               .choices = levels,
               .help = "what the embedding is taken apart into: the heads of the attention that pools the "
                       "patches, or all layers' heads and MLPs, through that pooling"},
    [WEIGHTS] = WEIGHTS_OPTION,
    [IMAGE_SIZE] = IMAGE_SIZE_OPTION};

static model_files files_of(siglip_layout layout) {
    return (model_files){PLUGIN_NAME, siglip_config_file(layout), siglip_weights_file(layout),
                         layout == LAYOUT_OPEN_CLIP
                             ? "as OpenCLIP publishes them"
                             : "as transformers' SiglipModel.save_pretrained writes them"};
}

/* A folder of this family whose configuration is refused is still more its business than anybody else's, and
 * its error says why. */
static int recognises(const hl_host *host, const char *path) {
    siglip_layout layout;
    siglip_config config;
    if (!config_find_layout(path, &layout) || !config_is_siglip(host, path, layout)) return 0;
    return config_read(host, path, layout, &config, NULL) == HL_OK ? 95 : 60;
}

static void hint(const hl_host *host, const char *path, char *out, size_t room) {
    (void)host;
    siglip_layout layout = LAYOUT_OPEN_CLIP;
    config_find_layout(path, &layout);
    const model_files files = files_of(layout);
    model_folder_hint(&files, path, out, room);
}

static void close_model(hl_model *model) {
    pooled_tower_free(&model->image);
}

static hl_status open_parts(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                            hl_error *error) {
    bool by_layers = values && values[LEVEL]->integer == 1;
    const char *named = two_towers_asked(values, WEIGHTS);
    siglip_config *config = &model->config;
    two_towers *base = &model->base;
    image_tower *trunk = &model->image.trunk;
    siglip_layout layout = LAYOUT_OPEN_CLIP;
    config_find_layout(source->path, &layout);
    const model_files files = files_of(layout);
    TRY(model_folder_check(&files, source->path, !source->random_weights, error));
    TRY(config_read(base->host, source->path, layout, config, error));
    TRY(vit_set_size(&config->vit, two_towers_asked(values, IMAGE_SIZE), error));
    config->pool.tokens = image_cells(&config->vit.image);
    TRY(tensors_open(base->host, source, named, config, &base->weights, error));
    trunk->shape = &config->vit.image;
    model->image.top.pool.shape = &config->pool;
    trunk->weights = &base->weights;
    trunk->host = base->host;
    trunk->plugin = PLUGIN_NAME;
    trunk->model = base->name;
    if (config->vit.has_texts)
        TRY(two_towers_open_texts(base, source, &config->vit.text, &config->vit.tokenizer, error));
    TRY(pooled_tower_describe(&model->image, by_layers, error));
    return describe_model(model, error);
}

static hl_status load_image(hl_model *model, loader *from) {
    return pooled_tower_load(&model->image, from);
}

static hl_status open_images(const hl_model *model, size_t batch, hl_session *session, hl_error *error) {
    return pooled_tower_session_open(&model->image, batch, &session->image, error);
}

static void close_images(hl_session *session) {
    pooled_tower_session_close(&session->image);
}

static const two_towers_kind kind = {.plugin = PLUGIN_NAME,
                                     .model_size = sizeof(hl_model),
                                     .session_size = sizeof(hl_session),
                                     .open = open_parts,
                                     .close = close_model,
                                     .load = load_image,
                                     .open_session = open_images,
                                     .close_session = close_images};

static hl_status open_model(const hl_host *host, const hl_model_source *source, const hl_value *const *values,
                            hl_model **model, hl_error *error) {
    return two_towers_open(&kind, host, source, values, model, error);
}

static hl_status make_basis(const hl_model *model, uint32_t basis, float *out, hl_error *error) {
    return pooled_basis(&model->image.top, basis, out, error);
}

static hl_status make_value_gram(const hl_model *model, uint32_t component, double *out, hl_error *error) {
    return pooled_tower_value_gram(&model->image, component, out, error);
}

static hl_status encode_images(hl_session *session, const float *pixels, size_t count,
                               const hl_request *request, hl_trace **traces, hl_error *error) {
    return pooled_tower_encode(&session->image, pixels, count, request, traces, error);
}

static const hl_model_api api = {
    .size = sizeof api,
    .recognises = recognises,
    .hint = hint,
    .open = open_model,
    .basis = make_basis,
    .value_gram = make_value_gram,
    .digest = digest_model,
    .encode_images = encode_images,
    TWO_TOWERS_FUNCTIONS,
    POOLED_TRACE_FUNCTIONS,
};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_MODEL, PLUGIN_NAME, "1.0.0",
              "SigLIP and SigLIP 2 of fixed resolution, from open_clip's files or Hugging Face's"),
    HL_OPTIONS(options),
    .api = &api,
};
