/* The only place that knows names of tensors: the image tower's own ones are timm's, the text tower's
 * open_clip's; and where transformers' SiglipModel keeps the same. */
#include "siglip.h"

#include "open-clip/open_clip.h"

static const layer_names image_layers = {"visual.trunk.blocks.", {TIMM_LAYER_SLOTS}};

static const char *const image_names[IMAGE_SLOTS] = {[IMAGE_POSITION] = "visual.trunk.pos_embed",
                                                     [PATCH_WEIGHT] = "visual.trunk.patch_embed.proj.weight",
                                                     [PATCH_BIAS] = "visual.trunk.patch_embed.proj.bias",
                                                     [LN_POST_GAIN] = "visual.trunk.norm.weight",
                                                     [LN_POST_SHIFT] = "visual.trunk.norm.bias"};

#define POOL "visual.trunk.attn_pool."
static const char *const pool_names[POOL_SLOTS] = {[POOL_QUERY] = POOL "latent",
                                                   [POOL_QKV_WEIGHT] = POOL "qkv.weight",
                                                   [POOL_QKV_BIAS] = POOL "qkv.bias",
                                                   [POOL_OUT_WEIGHT] = POOL "proj.weight",
                                                   [POOL_OUT_BIAS] = POOL "proj.bias",
                                                   [POOL_NORM_GAIN] = POOL "norm.weight",
                                                   [POOL_NORM_SHIFT] = POOL "norm.bias",
                                                   [POOL_MLP_IN_WEIGHT] = POOL "mlp.fc1.weight",
                                                   [POOL_MLP_IN_BIAS] = POOL "mlp.fc1.bias",
                                                   [POOL_MLP_OUT_WEIGHT] = POOL "mlp.fc2.weight",
                                                   [POOL_MLP_OUT_BIAS] = POOL "mlp.fc2.bias"};

/* ---- open_clip's files ---- */

static const tensor_name timm_pool[] = {TENSOR_AS(TENSOR_RESHAPED, "latent", "latent"),
                                        TENSOR("qkv.weight", "q.weight", "kv.weight"),
                                        TENSOR("qkv.bias", "q.bias", "kv.bias"), TENSORS_END};
static const tensor_name timm_places[] = {TENSOR_AS(TENSOR_RESHAPED, "pos_embed", "pos_embed"), TENSORS_END};

static const tensor_group open_clip_groups[] = {{POOL, POOL, timm_pool},
                                                {"visual.trunk.", "visual.trunk.", timm_places},
                                                OPEN_CLIP_CUSTOM_TEXT,
                                                {"", "", NULL},
                                                TENSORS_END};

/* ---- Hugging Face's ---- */

#define ATTENTION_AND_MLP(OWN_QKV, OWN_OUT, OWN_IN, OWN_MLP_OUT)                                             \
    TENSOR(OWN_QKV "weight", "self_attn.q_proj.weight", "self_attn.k_proj.weight",                           \
           "self_attn.v_proj.weight"),                                                                       \
        TENSOR(OWN_QKV "bias", "self_attn.q_proj.bias", "self_attn.k_proj.bias", "self_attn.v_proj.bias"),   \
        TENSOR(OWN_OUT "weight", "self_attn.out_proj.weight"),                                               \
        TENSOR(OWN_OUT "bias", "self_attn.out_proj.bias"), TENSOR(OWN_IN "weight", "mlp.fc1.weight"),        \
        TENSOR(OWN_IN "bias", "mlp.fc1.bias"), TENSOR(OWN_MLP_OUT "weight", "mlp.fc2.weight"),               \
        TENSOR(OWN_MLP_OUT "bias", "mlp.fc2.bias")
#define NORM(OWN, THEIRS) TENSOR(OWN ".weight", THEIRS ".weight"), TENSOR(OWN ".bias", THEIRS ".bias")

static const tensor_name hf_image_layer[] = {
    ATTENTION_AND_MLP("attn.qkv.", "attn.proj.", "mlp.fc1.", "mlp.fc2."), NORM("norm1", "layer_norm1"),
    NORM("norm2", "layer_norm2"), TENSORS_END};
static const tensor_name hf_text_layer[] = {
    ATTENTION_AND_MLP("attn.in_proj_", "attn.out_proj.", "mlp.c_fc.", "mlp.c_proj."),
    NORM("ln_1", "layer_norm1"), NORM("ln_2", "layer_norm2"), TENSORS_END};

static const tensor_name hf_image[] = {TENSOR("pos_embed", "embeddings.position_embedding.weight"),
                                       NORM("patch_embed.proj", "embeddings.patch_embedding"),
                                       NORM("norm", "post_layernorm"),
                                       TENSOR_AS(TENSOR_RESHAPED, "attn_pool.latent", "head.probe"),
                                       TENSOR("attn_pool.qkv.weight", "head.attention.in_proj_weight"),
                                       TENSOR("attn_pool.qkv.bias", "head.attention.in_proj_bias"),
                                       NORM("attn_pool.proj", "head.attention.out_proj"),
                                       NORM("attn_pool.norm", "head.layernorm"),
                                       NORM("attn_pool.mlp.fc1", "head.mlp.fc1"),
                                       NORM("attn_pool.mlp.fc2", "head.mlp.fc2"),
                                       TENSORS_END};
static const tensor_name hf_text[] = {TENSOR("token_embedding.weight", "embeddings.token_embedding.weight"),
                                      TENSOR("positional_embedding", "embeddings.position_embedding.weight"),
                                      NORM("ln_final", "final_layer_norm"),
                                      TENSOR_AS(TENSOR_TRANSPOSED, "text_projection.weight", "head.weight"),
                                      TENSOR("text_projection.bias", "head.bias"),
                                      TENSORS_END};

static const tensor_group hf_groups[] = {
    {"visual.trunk.blocks.#.", "vision_model.encoder.layers.#.", hf_image_layer},
    {"visual.trunk.", "vision_model.", hf_image},
    {"transformer.resblocks.#.", "text_model.encoder.layers.#.", hf_text_layer},
    {"", "text_model.", hf_text},
    {"logit_", "logit_", NULL},
    TENSORS_END};

static const tensor_naming namings[] = {{.label = "open_clip's", .groups = open_clip_groups},
                                        {.label = "Hugging Face's", .groups = hf_groups}};

/* ---- all of them ---- */

/* open_clip's configuration has named the text tower. */
void tensors_name(siglip_config *config) {
    config->vit.image.layers.names = &image_layers;
    config->vit.image.names = image_names;
    config->pool.names = pool_names;
    if (config->layout == LAYOUT_HUGGING_FACE) open_clip_name_text(&config->vit.text, true);
}

hl_status tensors_count_image(const siglip_config *config, size_t *out, hl_error *error) {
    tensor_spec pool[POOL_SLOTS];
    size_t count = pool_tensors(&config->pool, pool);
    TRY(vit_count_numbers(&config->vit, out, error));
    for (size_t i = 0; i < count; ++i) *out += tensor_elements(&pool[i]);
    return HL_OK;
}

hl_status tensors_open(const hl_host *host, const hl_model_source *source, const char *named,
                       const siglip_config *config, checkpoint *out, hl_error *error) {
    tensor_spec pool[POOL_SLOTS];
    size_t count = pool_tensors(&config->pool, pool);
    const checkpoint_rules rules = {.plugin = PLUGIN_NAME,
                                    .file = siglip_weights_file(config->layout),
                                    .named = named,
                                    .configuration = siglip_config_file(config->layout),
                                    .namings = namings,
                                    .naming_count = sizeof namings / sizeof *namings,
                                    .harmless = open_clip_harmless};
    return vit_open_weights(host, source, &config->vit, pool, count, rules, out, error);
}
