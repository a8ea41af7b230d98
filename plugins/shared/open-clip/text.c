/* text_cfg, and the names of the text tower's tensors. */
#include "open_clip.h"

#include <string.h>

enum { MAX_CONTEXT = 1 << 16, MAX_VOCABULARY = 1 << 24 };

static const config_setting text_settings[] = {
    {"layers", CONFIG_READ},
    {"width", CONFIG_READ},
    {"heads", CONFIG_READ},
    {"mlp_ratio", CONFIG_READ},
    {"context_length", CONFIG_READ},
    {"vocab_size", CONFIG_READ},
    {"ls_init_value", CONFIG_READ},
    {"act_kwargs", CONFIG_READ},
    {"norm_kwargs", CONFIG_READ},
    {"no_causal_mask", CONFIG_READ},
    {"pool_type", CONFIG_READ},
    {"eos_id", CONFIG_READ},
    {"proj_type", CONFIG_READ},
    {"proj_bias", CONFIG_READ},
    {"hf_tokenizer_name", CONFIG_READ},
    {"tokenizer_kwargs", CONFIG_READ},
    {"final_ln_after_pool", CONFIG_WITHOUT_EFFECT}, /* a norm of rows, of which one is taken */
    {"text_arch", "clip"},
    {"block_type", "default"},
    {"qkv_bias", "true"},
    {"bos_id", CONFIG_WITHOUT_EFFECT}, /* of text_arch modern, as those below */
    {"pos_embed", CONFIG_WITHOUT_EFFECT},
    {"rope_temperature", CONFIG_WITHOUT_EFFECT},
    {"mlp_type", CONFIG_WITHOUT_EFFECT},
    {"norm_eps", CONFIG_WITHOUT_EFFECT},
    {"norm_placement", CONFIG_WITHOUT_EFFECT},
    {"attention_mode", "causal"},
    {"output_tokens", CONFIG_WITHOUT_EFFECT},
    {"tiktoken_name", CONFIG_WITHOUT_EFFECT},       /* of tokenizer_type */
    {"hf_model_pretrained", CONFIG_WITHOUT_EFFECT}, /* of hf_model_name */
    {"hf_proj_type", CONFIG_WITHOUT_EFFECT},
    {"hf_pooler_type", CONFIG_WITHOUT_EFFECT},
    {"hf_model_config", CONFIG_WITHOUT_EFFECT},
    {NULL, NULL}};

/* ---- names ---- */

static const layer_names plain_layers = {"transformer.resblocks.", {OPEN_CLIP_LAYER_SLOTS}};
static const layer_names scaled_layers = {"transformer.resblocks.",
                                          {OPEN_CLIP_LAYER_SLOTS, OPEN_CLIP_SCALE_SLOTS}};

#define BEFORE_PROJECTION                                                                                    \
    [TOKEN_EMBEDDING] = "token_embedding.weight", [TEXT_POSITION] = "positional_embedding",                  \
    [LN_FINAL_GAIN] = "ln_final.weight", [LN_FINAL_SHIFT] = "ln_final.bias"

static const char *const unprojected_names[TEXT_SLOTS] = {BEFORE_PROJECTION};
static const char *const plain_names[TEXT_SLOTS] = {BEFORE_PROJECTION, [TEXT_PROJECTION] = "text_projection"};
static const char *const linear_names[TEXT_SLOTS] = {
    BEFORE_PROJECTION, [TEXT_PROJECTION] = "text_projection.weight",
    [TEXT_PROJECTION_BIAS] = "text_projection.bias"};

const tensor_name open_clip_linear_text[] = {
    TENSOR_AS(TENSOR_TRANSPOSED, "text_projection.weight", "text_projection.weight"), TENSORS_END};

const tensor_name open_clip_custom_text[] = {
    TENSOR("token_embedding.weight", "text.token_embedding.weight"),
    TENSOR("positional_embedding", "text.positional_embedding"),
    TENSOR("ln_final.weight", "text.ln_final.weight"),
    TENSOR("ln_final.bias", "text.ln_final.bias"),
    TENSOR("text_projection", "text.text_projection"),
    TENSOR_AS(TENSOR_TRANSPOSED, "text_projection.weight", "text.text_projection.weight"),
    TENSOR("text_projection.bias", "text.text_projection.bias"),
    TENSORS_END};

/* How logits are scaled and shifted, the causal mask and numbers of positions, which follow from the context
 * (also below a tower that transformers made), and sizes that the configuration has. */
const char *const open_clip_harmless[] = {
    "logit_scale",    "logit_bias", "attn_mask",     "position_ids",   "input_resolution",
    "context_length", "vocab_size", ".position_ids", "text.attn_mask", NULL};

void open_clip_name_text(text_shape *out, bool biased) {
    out->names = biased ? linear_names : plain_names;
    out->layers.names = &plain_layers;
}

/* ---- text_cfg ---- */

static bool says(config_section from, const char *key, const char *word) {
    const cJSON *item = config_find(from, key);
    return cJSON_IsString(item) && strcmp(item->valuestring, word) == 0;
}

/* Which token becomes the embedding. */
static void read_pooling(config_reader *r, config_section section, text_shape *text) {
    text->pooled = text_pooled_at_largest;
    if (says(section, "pool_type", "last")) text->pooled = text_pooled_at_last;
    if (says(section, "pool_type", "eos")) {
        text->pooled = text_pooled_at_end;
        text->end_id = (int32_t)config_read_size(r, section, "eos_id", 2, 0, MAX_VOCABULARY);
        return;
    }
    bool known = says(section, "pool_type", "last") || says(section, "pool_type", "argmax");
    if (!known && !config_is_off(config_find(section, "pool_type"))) {
        config_refuse(r, HL_USAGE, "%s.pool_type: expected argmax, last or eos; %s pools no other way",
                      section.path, r->plugin);
    }
}

static const char *const *read_projection(config_reader *r, config_section section, const text_shape *text) {
    bool biased = config_read_bool(r, section, "proj_bias");
    const cJSON *type = config_find(section, "proj_type");
    bool none = says(section, "proj_type", "none");
    if (!none && !config_is_off(type) && !says(section, "proj_type", "linear")) {
        config_refuse(r, HL_USAGE, "%s.proj_type: expected linear or none; %s has no other projection",
                      section.path, r->plugin);
    }
    if (!none) return biased ? linear_names : plain_names;
    if (text->layers.width != text->embed_dim) {
        config_refuse(r, HL_FAILED,
                      "%s.proj_type: there is no projection, but the width %zu is not embed_dim, %zu",
                      section.path, text->layers.width, text->embed_dim);
    }
    return unprojected_names;
}

void open_clip_read_text(config_reader *r, const open_clip_config *config, text_shape *out,
                         tokenizer_rules *rules) {
    config_section section = config->text;
    tower_shape *layers = &out->layers;
    *out = (text_shape){.embed_dim = config->embed_dim};
    config_check_settings(r, section, text_settings);
    layers->layers = config_read_size(r, section, "layers", 12, 1, OPEN_CLIP_LAYERS);
    layers->width = config_read_size(r, section, "width", 512, 1, OPEN_CLIP_WIDTH);
    layers->heads = config_read_size(r, section, "heads", 8, 1, OPEN_CLIP_WIDTH);
    layers->hidden = config_read_hidden(r, section, "mlp_ratio", layers->width, OPEN_CLIP_HIDDEN);
    if (layers->width % layers->heads != 0) {
        config_refuse(r, HL_FAILED, "%s.heads: is %zu, which does not divide the width %zu", section.path,
                      layers->heads, layers->width);
    }
    open_clip_read_functions(r, config, section, layers);
    layers->names = config_is_off(config_find(section, "ls_init_value")) ? &plain_layers : &scaled_layers;
    out->mask = config_read_bool(r, section, "no_causal_mask") ? HL_MASK_NONE : HL_MASK_CAUSAL;
    out->context = config_read_size(r, section, "context_length", 77, 2, MAX_CONTEXT);
    tokenizer_read_settings(r, section, rules);
    size_t fewest = rules->style == TOKENIZER_SIMPLE ? TOKENIZER_SIMPLE_LEAST : 1;
    out->vocab_size = config_read_size(r, section, "vocab_size", 49408, fewest, MAX_VOCABULARY);
    rules->vocab_size = out->vocab_size;
    rules->context = out->context;
    read_pooling(r, section, out);
    out->names = read_projection(r, section, out);
}
