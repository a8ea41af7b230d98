/* The only place that knows names of tensors: open_clip's, which are OpenAI's. */
#include "resnet.h"

#include <stdlib.h>

static const char *const pool_names[POOL_SLOTS] = {
    [POOL_QKV_WEIGHT] = "visual.attnpool.qkv.weight",
    [POOL_QKV_BIAS] = "visual.attnpool.qkv.bias",
    [POOL_OUT_WEIGHT] = "visual.attnpool.c_proj.weight",
    [POOL_OUT_BIAS] = "visual.attnpool.c_proj.bias",
};

static const tensor_name pool_parts[] = {
    TENSOR("qkv.weight", "q_proj.weight", "k_proj.weight", "v_proj.weight"),
    TENSOR("qkv.bias", "q_proj.bias", "k_proj.bias", "v_proj.bias"),
    TENSOR("c_proj.weight", "c_proj.weight"),
    TENSOR("c_proj.bias", "c_proj.bias"),
    TENSOR("positional_embedding", "positional_embedding"),
    TENSORS_END};

#define POOL_PARTS                                                                                           \
    { "visual.attnpool.", "visual.attnpool.", pool_parts }

static const tensor_group groups[] = {POOL_PARTS, OPEN_CLIP_TEXT, TENSORS_END};
static const tensor_group custom_text_groups[] = {
    POOL_PARTS, OPEN_CLIP_CUSTOM_TEXT, {"", "", NULL}, TENSORS_END};

/* How many batches a batch norm has seen. */
static const char *const counters[] = {".num_batches_tracked", NULL};

static const tensor_naming namings[] = {
    {.label = "open_clip's", .groups = groups, .harmless = counters},
    {.label = "open_clip's", .groups = custom_text_groups, .harmless = counters}};

void tensors_name(resnet_config *config) {
    config->pool.names = pool_names;
}

tensor_spec tensors_positions(const resnet_config *config) {
    const tensor_spec spec = {"", 2, {config->pool.tokens, config->pool.width}, 0, 0.5F, false};
    return tensor_named(spec, "visual.attnpool.positional_embedding");
}

/* Of the image tower, then, with `texts`, of the text tower. free() *out. */
static hl_status list_tensors(const resnet_config *config, bool texts, tensor_spec **out, size_t *count,
                              hl_error *error) {
    const tower_shape *layers = &config->text.layers;
    size_t most =
        trunk_tensor_count(&config->trunk) + POOL_SLOTS + 1 + TEXT_SLOTS + layers->layers * LAYER_SLOTS;
    tensor_spec *all = *out = calloc(most, sizeof *all);
    if (!all) return hl_no_memory(error, "the names of tensors");
    TRY(trunk_tensors(&config->trunk, all, count, error));
    *count += pool_tensors(&config->pool, all + *count);
    all[(*count)++] = tensors_positions(config);
    if (!texts) return HL_OK;
    *count += text_tensors(&config->text, all + *count);
    *count += layer_tensors(layers, all + *count);
    return HL_OK;
}

hl_status tensors_count_image(const resnet_config *config, size_t *out, hl_error *error) {
    tensor_spec *all;
    size_t count;
    hl_status status = list_tensors(config, false, &all, &count, error);
    *out = 0;
    for (size_t i = 0; status == HL_OK && i < count; ++i) *out += tensor_elements(&all[i]);
    free(all);
    return status;
}

hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const resnet_config *config, checkpoint *out, hl_error *error) {
    const tensor_beyond beyond[] = {layer_beyond(&config->text.layers)};
    tensor_spec *all;
    size_t count;
    hl_status status = list_tensors(config, true, &all, &count, error);
    const checkpoint_rules rules = {.plugin = PLUGIN_NAME,
                                    .file = OPEN_CLIP_WEIGHTS,
                                    .named = named,
                                    .configuration = OPEN_CLIP_CONFIG,
                                    .namings = namings,
                                    .naming_count = sizeof namings / sizeof *namings,
                                    .tensors = all,
                                    .tensor_count = count,
                                    .beyond = beyond,
                                    .beyond_count = 1,
                                    .harmless = open_clip_harmless};
    if (status == HL_OK) status = checkpoint_open(host, source, &rules, out, error);
    free(all);
    return status;
}
