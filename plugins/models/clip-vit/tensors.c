/* The only place that knows open_clip's names. */
#include "tensors.h"

#include <stdlib.h>

#define SLOTS                                                                                                \
    {                                                                                                        \
        [LN_1_GAIN] = "ln_1.weight", [LN_1_SHIFT] = "ln_1.bias", [QKV_WEIGHT] = "attn.in_proj_weight",       \
        [QKV_BIAS] = "attn.in_proj_bias", [OUT_WEIGHT] = "attn.out_proj.weight",                             \
        [OUT_BIAS] = "attn.out_proj.bias", [LN_2_GAIN] = "ln_2.weight", [LN_2_SHIFT] = "ln_2.bias",          \
        [MLP_IN_WEIGHT] = "mlp.c_fc.weight", [MLP_IN_BIAS] = "mlp.c_fc.bias",                                \
        [MLP_OUT_WEIGHT] = "mlp.c_proj.weight", [MLP_OUT_BIAS] = "mlp.c_proj.bias"                           \
    }

static const layer_names image_layers = {"visual.transformer.resblocks.", SLOTS};
static const layer_names text_layers = {"transformer.resblocks.", SLOTS};

static const char *const image_names[IMAGE_SLOTS] = {
    [CLASS_EMBEDDING] = "visual.class_embedding", [IMAGE_POSITION] = "visual.positional_embedding",
    [PATCH_WEIGHT] = "visual.conv1.weight",       [LN_PRE_GAIN] = "visual.ln_pre.weight",
    [LN_PRE_SHIFT] = "visual.ln_pre.bias",        [LN_POST_GAIN] = "visual.ln_post.weight",
    [LN_POST_SHIFT] = "visual.ln_post.bias",      [IMAGE_PROJECTION] = "visual.proj",
};

static const char *const text_names[TEXT_SLOTS] = {
    [TOKEN_EMBEDDING] = "token_embedding.weight", [TEXT_POSITION] = "positional_embedding",
    [LN_FINAL_GAIN] = "ln_final.weight",          [LN_FINAL_SHIFT] = "ln_final.bias",
    [TEXT_PROJECTION] = "text_projection",
};

/* What open_clip's and OpenAI's files hold and no embedding depends on: how logits are scaled and shifted,
 * the causal mask and numbers of positions, which follow from the context (also below a tower that
 * transformers made), and sizes that the configuration has. */
static const char *const harmless[] = {"logit_scale",  "logit_bias",       "attn_mask",
                                       "position_ids", "input_resolution", "context_length",
                                       "vocab_size",   ".position_ids",    NULL};

void tensors_name(clip_config *config) {
    config->image.layers.names = &image_layers;
    config->image.names = image_names;
    config->text.layers.names = &text_layers;
    config->text.names = text_names;
}

hl_status tensors_count_image(const clip_config *config, size_t *out, hl_error *error) {
    tensor_spec *all = calloc(IMAGE_SLOTS + config->image.layers.layers * LAYER_SLOTS, sizeof *all);
    if (!all) return hl_no_memory(error, "the names of tensors");
    size_t count = image_tensors(&config->image, all);
    count += layer_tensors(&config->image.layers, all + count);
    *out = 0;
    for (size_t i = 0; i < count; ++i) *out += tensor_elements(&all[i]);
    free(all);
    return HL_OK;
}

hl_status tensors_open(const hl_host *host, const hl_model_source *source, const clip_config *config,
                       checkpoint *out, hl_error *error) {
    const tower_shape *image = &config->image.layers, *text = &config->text.layers;
    const tensor_beyond beyond[] = {layer_beyond(image), layer_beyond(text)};
    size_t count = 0, most = IMAGE_SLOTS + TEXT_SLOTS + (image->layers + text->layers) * LAYER_SLOTS;
    tensor_spec *all = calloc(most, sizeof *all);
    if (!all) return hl_no_memory(error, "the names of tensors");
    count += image_tensors(&config->image, all);
    count += text_tensors(&config->text, all + count);
    count += layer_tensors(image, all + count);
    count += layer_tensors(text, all + count);
    const checkpoint_rules rules = {.plugin = PLUGIN_NAME,
                                    .file = WEIGHTS_FILE,
                                    .configuration = CONFIG_FILE,
                                    .naming = "open_clip's",
                                    .tensors = all,
                                    .tensor_count = count,
                                    .beyond = beyond,
                                    .beyond_count = sizeof beyond / sizeof *beyond,
                                    .harmless = harmless};
    hl_status status = checkpoint_open(host, source, &rules, out, error);
    free(all);
    return status;
}
