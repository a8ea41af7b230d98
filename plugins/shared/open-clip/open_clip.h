/* open_clip_config.json as all models of open_clip have it: the outermost sections, the text tower and its
 * tokenizer, how images are prepared. What vision_cfg says of a tower is each plugin's own. All of it is read
 * strictly (configuration.h): what would make another model is refused by name. */
#ifndef OPEN_CLIP_H
#define OPEN_CLIP_H

#include "configuration/configuration.h"
#include "tokenizer/tokenizer.h"
#include "transformer/text_tower.h"

#define OPEN_CLIP_CONFIG  "open_clip_config.json"
#define OPEN_CLIP_WEIGHTS "open_clip_model.safetensors"

/* What sizes may be, so that products of a batch, tokens and columns cannot overflow. */
enum {
    OPEN_CLIP_LAYERS = 1 << 10,
    OPEN_CLIP_WIDTH = 1 << 16,
    OPEN_CLIP_HIDDEN = 1 << 18,
    OPEN_CLIP_IMAGE = 1 << 14,
    OPEN_CLIP_GRID = 1 << 10
};

typedef struct open_clip_config {
    config_section top, vision, text;
    bool has_texts; /* false: text_cfg says so, as in "text_cfg": false */
    size_t embed_dim;
    bool quick_gelu;
} open_clip_config;

void open_clip_read(config_reader *r, const cJSON *json, open_clip_config *out);

/* Whether the configuration in the folder is of a family, right or wrong, as its vision_cfg tells. Never
 * fails. */
bool open_clip_is(const hl_host *host, const char *folder, bool (*family)(const cJSON *vision));

/* Activation and epsilon of a tower. */
void open_clip_read_functions(config_reader *r, const open_clip_config *config, config_section tower,
                              tower_shape *out);

/* The text tower as CLIP's TextTransformer, with its names, and its tokenizer. */
void open_clip_read_text(config_reader *r, const open_clip_config *config, text_shape *out,
                         tokenizer_rules *rules);

/* What open_clip calls the tensors of a layer, for a list of layer_names.slots; with a scale the second too.
 */
#define OPEN_CLIP_LAYER_SLOTS                                                                                \
    [LN_1_GAIN] = "ln_1.weight", [LN_1_SHIFT] = "ln_1.bias", [QKV_WEIGHT] = "attn.in_proj_weight",           \
    [QKV_BIAS] = "attn.in_proj_bias", [OUT_WEIGHT] = "attn.out_proj.weight",                                 \
    [OUT_BIAS] = "attn.out_proj.bias", [LN_2_GAIN] = "ln_2.weight", [LN_2_SHIFT] = "ln_2.bias",              \
    [MLP_IN_WEIGHT] = "mlp.c_fc.weight", [MLP_IN_BIAS] = "mlp.c_fc.bias",                                    \
    [MLP_OUT_WEIGHT] = "mlp.c_proj.weight", [MLP_OUT_BIAS] = "mlp.c_proj.bias"
#define OPEN_CLIP_SCALE_SLOTS [OUT_SCALE] = "ls_1.gamma", [MLP_OUT_SCALE] = "ls_2.gamma"

/* The names of a text tower with a projection, with a bias or without, for who has its shape from elsewhere.
 */
void open_clip_name_text(text_shape *out, bool biased);

/* height, width: of the model's images. */
void open_clip_read_preprocess(config_reader *r, const open_clip_config *config, size_t height, size_t width,
                               hl_preprocess *out);

/* The same where nothing is said: CLIP's own. */
void open_clip_usual_preprocess(size_t height, size_t width, hl_preprocess *out);

/* Two sides of an image: 224, [224, 288]; height first. Missing: they stay. */
void open_clip_read_sides(config_reader *r, config_section from, const char *key, size_t *height,
                          size_t *width);

/* For a naming (checkpoint/naming.h) of files that keep the text tower's tensors below `text.`. */
extern const tensor_name open_clip_custom_text[];

/* The groups of such a naming that are about the text tower. */
#define OPEN_CLIP_CUSTOM_TEXT                                                                                \
    {"transformer.resblocks.#.", "text.transformer.resblocks.#.", NULL}, {                                   \
        "", "", open_clip_custom_text                                                                        \
    }

/* For a naming of files that do not; it may be all there is. */
extern const tensor_name open_clip_linear_text[];
#define OPEN_CLIP_TEXT                                                                                       \
    {"", "", open_clip_linear_text}, {                                                                       \
        "", "", NULL                                                                                         \
    }

/* Names for checkpoint_rules.harmless: what open_clip's and OpenAI's files hold and no embedding depends on.
 */
extern const char *const open_clip_harmless[];

#endif
