/* The only place that knows names of tensors: timm's within open_clip's, which are this plugin's own but for
 * what lies there in parts, and EVA-CLIP's. */
#include "tensors.h"

#include "open-clip/timm.h"

#define BLOCKS "visual.trunk.blocks."

static const layer_names image_layers = {
    BLOCKS,
    {TIMM_LAYER_SLOTS, [HEADS_NORM_GAIN] = "attn.norm.weight", [HEADS_NORM_SHIFT] = "attn.norm.bias",
     [MLP_NORM_GAIN] = "mlp.norm.weight", [MLP_NORM_SHIFT] = "mlp.norm.bias"}};

static const char *const image_names[IMAGE_SLOTS] = {
    [CLASS_EMBEDDING] = "visual.trunk.cls_token",
    [IMAGE_POSITION] = "visual.trunk.pos_embed",
    [PATCH_WEIGHT] = "visual.trunk.patch_embed.proj.weight",
    [PATCH_BIAS] = "visual.trunk.patch_embed.proj.bias",
    [LN_POST_GAIN] = "visual.trunk.norm.weight",
    [LN_POST_SHIFT] = "visual.trunk.norm.bias",
    [IMAGE_PROJECTION] = "visual.trunk.head.weight",
    [PROJECTION_BIAS] = "visual.trunk.head.bias",
};

/* Keys have no bias. A gate lies above what it gates. */
static const tensor_name timm_layer[] = {
    TENSOR("attn.qkv.weight", "attn.q_proj.weight", "attn.k_proj.weight", "attn.v_proj.weight"),
    TENSOR("attn.qkv.bias", "attn.q_proj.bias", TENSOR_OF_ZEROS, "attn.v_proj.bias"),
    TENSOR("mlp.fc1.weight", "mlp.fc1_g.weight", "mlp.fc1_x.weight"),
    TENSOR("mlp.fc1.bias", "mlp.fc1_g.bias", "mlp.fc1_x.bias"), TENSORS_END};

static const tensor_name eva_layer[] = {
    TENSOR("attn.qkv.weight", "attn.q_proj.weight", "attn.k_proj.weight", "attn.v_proj.weight"),
    TENSOR("attn.qkv.bias", "attn.q_bias", TENSOR_OF_ZEROS, "attn.v_bias"),
    TENSOR("attn.norm.weight", "attn.inner_attn_ln.weight"),
    TENSOR("attn.norm.bias", "attn.inner_attn_ln.bias"),
    TENSOR("mlp.fc1.weight", "mlp.w1.weight", "mlp.w2.weight"),
    TENSOR("mlp.fc1.bias", "mlp.w1.bias", "mlp.w2.bias"),
    TENSOR("mlp.norm.weight", "mlp.ffn_ln.weight"),
    TENSOR("mlp.norm.bias", "mlp.ffn_ln.bias"),
    TENSOR("mlp.fc2.weight", "mlp.w3.weight"),
    TENSOR("mlp.fc2.bias", "mlp.w3.bias"),
    TENSORS_END};

static const tensor_name others[] = {TENSOR_AS(TENSOR_RESHAPED, "cls_token", "cls_token"),
                                     TENSOR_AS(TENSOR_RESHAPED, "pos_embed", "pos_embed"),
                                     TENSOR_AS(TENSOR_TRANSPOSED, "head.weight", "head.weight"), TENSORS_END};

static const tensor_group timm_groups[] = {{BLOCKS "#.", BLOCKS "#.", timm_layer},
                                           {"visual.trunk.", "visual.trunk.", others},
                                           OPEN_CLIP_CUSTOM_TEXT,
                                           {"", "", NULL},
                                           TENSORS_END};

static const tensor_group eva_groups[] = {{BLOCKS "#.", "visual.blocks.#.", eva_layer},
                                          {"visual.trunk.", "visual.", others},
                                          {"visual.trunk.", "visual.", NULL},
                                          OPEN_CLIP_CUSTOM_TEXT,
                                          {"", "", NULL},
                                          TENSORS_END};

/* Rotary positions follow from the grid. */
static const char *const rotary_tables[] = {".rope.freqs_cos", ".rope.freqs_sin", NULL};

static const tensor_naming namings[] = {
    {.label = "timm's", .groups = timm_groups},
    {.label = "EVA-CLIP's", .groups = eva_groups, .harmless = rotary_tables}};

void tensors_name(vit_config *config) {
    config->image.layers.names = &image_layers;
    config->image.names = image_names;
}

hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const char *file, const vit_config *config, checkpoint *out, hl_error *error) {
    const checkpoint_rules rules = {.plugin = PLUGIN_NAME,
                                    .file = OPEN_CLIP_WEIGHTS,
                                    .named = named,
                                    .configuration = file,
                                    .namings = namings,
                                    .naming_count = sizeof namings / sizeof *namings,
                                    .harmless = open_clip_harmless};
    return vit_open_weights(host, source, config, NULL, 0, rules, out, error);
}
