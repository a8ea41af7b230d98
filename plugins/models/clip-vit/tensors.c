/* The only place that knows names of tensors: open_clip's, which are this plugin's own, and in which other
 * layouts people have the same tensors. */
#include "tensors.h"

#include <string.h>

static const layer_names plain_layers = {"visual.transformer.resblocks.", {OPEN_CLIP_LAYER_SLOTS}};
static const layer_names scaled_layers = {"visual.transformer.resblocks.",
                                          {OPEN_CLIP_LAYER_SLOTS, OPEN_CLIP_SCALE_SLOTS}};

static const char *const image_names[IMAGE_SLOTS] = {
    [CLASS_EMBEDDING] = "visual.class_embedding", [IMAGE_POSITION] = "visual.positional_embedding",
    [PATCH_WEIGHT] = "visual.conv1.weight",       [LN_PRE_GAIN] = "visual.ln_pre.weight",
    [LN_PRE_SHIFT] = "visual.ln_pre.bias",        [LN_POST_GAIN] = "visual.ln_post.weight",
    [LN_POST_SHIFT] = "visual.ln_post.bias",      [IMAGE_PROJECTION] = "visual.proj",
    [PROJECTION_BIAS] = "visual.proj.bias",
};

static const tensor_name hugging_face_layer[] = {
    TENSOR("ln_1.weight", "layer_norm1.weight"),
    TENSOR("ln_1.bias", "layer_norm1.bias"),
    TENSOR("attn.in_proj_weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight",
           "self_attn.v_proj.weight"),
    TENSOR("attn.in_proj_bias", "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"),
    TENSOR("attn.out_proj.weight", "self_attn.out_proj.weight"),
    TENSOR("attn.out_proj.bias", "self_attn.out_proj.bias"),
    TENSOR("ln_2.weight", "layer_norm2.weight"),
    TENSOR("ln_2.bias", "layer_norm2.bias"),
    TENSOR("mlp.c_fc.weight", "mlp.fc1.weight"),
    TENSOR("mlp.c_fc.bias", "mlp.fc1.bias"),
    TENSOR("mlp.c_proj.weight", "mlp.fc2.weight"),
    TENSOR("mlp.c_proj.bias", "mlp.fc2.bias"),
    TENSORS_END};

static const tensor_name hugging_face_others[] = {
    TENSOR("visual.class_embedding", "vision_model.embeddings.class_embedding"),
    TENSOR("visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"),
    TENSOR("visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"),
    TENSOR("visual.ln_pre.weight", "vision_model.pre_layrnorm.weight"),
    TENSOR("visual.ln_pre.bias", "vision_model.pre_layrnorm.bias"),
    TENSOR("visual.ln_post.weight", "vision_model.post_layernorm.weight"),
    TENSOR("visual.ln_post.bias", "vision_model.post_layernorm.bias"),
    TENSOR_AS(TENSOR_TRANSPOSED, "visual.proj", "visual_projection.weight"),
    TENSOR("token_embedding.weight", "text_model.embeddings.token_embedding.weight"),
    TENSOR("positional_embedding", "text_model.embeddings.position_embedding.weight"),
    TENSOR("ln_final.weight", "text_model.final_layer_norm.weight"),
    TENSOR("ln_final.bias", "text_model.final_layer_norm.bias"),
    TENSOR_AS(TENSOR_TRANSPOSED, "text_projection", "text_projection.weight"),
    TENSOR("logit_scale", "logit_scale"),
    TENSOR("logit_bias", "logit_bias"),
    TENSORS_END};

static const tensor_group hugging_face_groups[] = {
    {"visual.transformer.resblocks.#.", "vision_model.encoder.layers.#.", hugging_face_layer},
    {"transformer.resblocks.#.", "text_model.encoder.layers.#.", hugging_face_layer},
    {"", "", hugging_face_others},
    TENSORS_END};

/* CLIPVisionModel: what it pools is all there is. */
static const tensor_name no_projection[] = {TENSOR("visual.proj", TENSOR_IDENTITY), TENSORS_END};

static const tensor_group unprojected_groups[] = {
    {"visual.transformer.resblocks.#.", "vision_model.encoder.layers.#.", hugging_face_layer},
    {"", "", no_projection},
    {"", "", hugging_face_others},
    TENSORS_END};

static const tensor_group open_clip_groups[] = {OPEN_CLIP_TEXT, TENSORS_END};

static const tensor_group custom_text_groups[] = {OPEN_CLIP_CUSTOM_TEXT, {"", "", NULL}, TENSORS_END};

static const tensor_name timm_layer[] = {TENSOR("ln_1.weight", "norm1.weight"),
                                         TENSOR("ln_1.bias", "norm1.bias"),
                                         TENSOR("attn.in_proj_weight", "attn.qkv.weight"),
                                         TENSOR("attn.in_proj_bias", "attn.qkv.bias"),
                                         TENSOR("attn.out_proj.weight", "attn.proj.weight"),
                                         TENSOR("attn.out_proj.bias", "attn.proj.bias"),
                                         TENSOR("ln_2.weight", "norm2.weight"),
                                         TENSOR("ln_2.bias", "norm2.bias"),
                                         TENSOR("mlp.c_fc.weight", "mlp.fc1.weight"),
                                         TENSOR("mlp.c_fc.bias", "mlp.fc1.bias"),
                                         TENSOR("mlp.c_proj.weight", "mlp.fc2.weight"),
                                         TENSOR("mlp.c_proj.bias", "mlp.fc2.bias"),
                                         TENSORS_END};

static const tensor_name timm_others[] = {
    TENSOR_AS(TENSOR_RESHAPED, "visual.class_embedding", "visual.trunk.cls_token"),
    TENSOR_AS(TENSOR_RESHAPED, "visual.positional_embedding", "visual.trunk.pos_embed"),
    TENSOR("visual.conv1.weight", "visual.trunk.patch_embed.proj.weight"),
    TENSOR("visual.ln_pre.weight", "visual.trunk.norm_pre.weight"),
    TENSOR("visual.ln_pre.bias", "visual.trunk.norm_pre.bias"),
    TENSOR("visual.ln_post.weight", "visual.trunk.norm.weight"),
    TENSOR("visual.ln_post.bias", "visual.trunk.norm.bias"),
    TENSOR_AS(TENSOR_TRANSPOSED, "visual.proj", "visual.trunk.head.weight"),
    TENSOR("visual.proj.bias", "visual.trunk.head.bias"),
    TENSORS_END};

static const tensor_group timm_groups[] = {
    {"visual.transformer.resblocks.#.", "visual.trunk.blocks.#.", timm_layer},
    {"", "", timm_others},
    OPEN_CLIP_CUSTOM_TEXT,
    {"", "", NULL},
    TENSORS_END};

static const tensor_naming namings[] = {{.label = "open_clip's", .groups = open_clip_groups},
                                        {.label = "open_clip's", .groups = custom_text_groups},
                                        {.label = "timm's", .groups = timm_groups},
                                        {.label = "Hugging Face's", .groups = hugging_face_groups}};
static const tensor_naming unprojected[] = {{.label = "Hugging Face's", .groups = unprojected_groups}};

void tensors_name(clip_config *config) {
    const char **names = config->image_names;
    memcpy(names, image_names, sizeof image_names);
    if (!config->has_ln_pre) names[LN_PRE_GAIN] = names[LN_PRE_SHIFT] = NULL;
    if (!config->has_projection_bias) names[PROJECTION_BIAS] = NULL;
    config->vit.image.names = names;
    config->vit.image.layers.names = config->has_layer_scale ? &scaled_layers : &plain_layers;
}

static checkpoint_rules rules_of(const char *named) {
    return (checkpoint_rules){.plugin = PLUGIN_NAME,
                              .file = WEIGHTS_FILE,
                              .named = named,
                              .namings = namings,
                              .naming_count = sizeof namings / sizeof *namings,
                              .harmless = open_clip_harmless};
}

hl_status tensors_peek(const hl_host *host, const hl_model_source *source, const char *named,
                       const tensor_spec *specs, size_t count, checkpoint *out, hl_error *error) {
    checkpoint_rules rules = rules_of(named);
    rules.tensors = specs;
    rules.tensor_count = count;
    return checkpoint_peek(host, source, &rules, out, error);
}

hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const clip_config *config, checkpoint *out, hl_error *error) {
    checkpoint_rules rules = rules_of(named);
    rules.configuration = config->file;
    if (!config->is_projected) rules.namings = unprojected, rules.naming_count = 1;
    return vit_open_weights(host, source, &config->vit, NULL, 0, rules, out, error);
}
