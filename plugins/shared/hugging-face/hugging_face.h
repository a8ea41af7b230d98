/* What Hugging Face's files say of any model: config.json's sections for a tower, and
 * preprocessor_config.json. They leave out whatever is the default of the model's class in transformers, so
 * the caller sets that before. All of it is read strictly (configuration.h). */
#ifndef HUGGING_FACE_H
#define HUGGING_FACE_H

#include "configuration/configuration.h"
#include "transformer/image_tower.h"

#define HUGGING_FACE_CONFIG "config.json"

/* A section for a tower; one that is missing is all defaults. */
config_section hugging_face_find_tower(config_reader *r, config_section from, const char *key);

/* hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, hidden_act, layer_norm_eps. */
void hugging_face_read_tower(config_reader *r, config_section from, tower_shape *io);

/* The same of a tower for images, and image_size and patch_size, both square. */
void hugging_face_read_image_tower(config_reader *r, config_section from, image_shape *io);

/* Settings of any section, for a list of config_setting, that change nothing: whose it is, how training
 * began, and, in files of older versions, how texts would be generated. */
#define HUGGING_FACE_REMARKS                                                                                 \
    {"architectures", CONFIG_WITHOUT_EFFECT}, {"model_type", CONFIG_READ},                                   \
        {"initializer_factor", CONFIG_WITHOUT_EFFECT}, {"initializer_range", CONFIG_WITHOUT_EFFECT},         \
        {"attention_dropout", CONFIG_WITHOUT_EFFECT}, {"dropout", CONFIG_WITHOUT_EFFECT},                    \
        {"torch_dtype", CONFIG_WITHOUT_EFFECT}, {"dtype", CONFIG_WITHOUT_EFFECT},                            \
        {"transformers_version", CONFIG_WITHOUT_EFFECT}, {"_name_or_path", CONFIG_WITHOUT_EFFECT},           \
        {"_commit_hash", CONFIG_WITHOUT_EFFECT}, {"id2label", CONFIG_WITHOUT_EFFECT},                        \
        {"label2id", CONFIG_WITHOUT_EFFECT}, {"length_penalty", CONFIG_WITHOUT_EFFECT},                      \
        {"repetition_penalty", CONFIG_WITHOUT_EFFECT}, {"max_length", CONFIG_WITHOUT_EFFECT},                \
        {"min_length", CONFIG_WITHOUT_EFFECT}, {"num_beams", CONFIG_WITHOUT_EFFECT},                         \
        {"num_beam_groups", CONFIG_WITHOUT_EFFECT}, {"num_return_sequences", CONFIG_WITHOUT_EFFECT},         \
        {"return_dict", CONFIG_WITHOUT_EFFECT}, {"temperature", CONFIG_WITHOUT_EFFECT},                      \
        {"top_k", CONFIG_WITHOUT_EFFECT}, {"top_p", CONFIG_WITHOUT_EFFECT},                                  \
        {"typical_p", CONFIG_WITHOUT_EFFECT}, {"tie_word_embeddings", CONFIG_WITHOUT_EFFECT},                \
        {"early_stopping", CONFIG_WITHOUT_EFFECT}, {"_attn_implementation", CONFIG_WITHOUT_EFFECT},          \
        {"_attn_implementation_autoset", CONFIG_WITHOUT_EFFECT},                                             \
        {"gradient_checkpointing", CONFIG_WITHOUT_EFFECT}, {"bos_token_id", CONFIG_WITHOUT_EFFECT}, {        \
        "pad_token_id", CONFIG_WITHOUT_EFFECT                                                                \
    }

/* The same of a section for a tower: what hugging_face_read_tower reads, besides. */
#define HUGGING_FACE_TOWER                                                                                   \
    HUGGING_FACE_REMARKS, {"hidden_size", CONFIG_READ}, {"intermediate_size", CONFIG_READ},                  \
        {"num_hidden_layers", CONFIG_READ}, {"num_attention_heads", CONFIG_READ},                            \
        {"hidden_act", CONFIG_READ}, {                                                                       \
        "layer_norm_eps", CONFIG_READ                                                                        \
    }

/* The same for hugging_face_read_image_tower. */
#define HUGGING_FACE_IMAGE_TOWER                                                                             \
    HUGGING_FACE_TOWER, {"image_size", CONFIG_READ}, {"patch_size", CONFIG_READ}, {                          \
        "num_channels", CONFIG_READ                                                                          \
    }

/* FOLDER/preprocessor_config.json -> *io, whose height and width are the model's. *there: whether it is
 * there; where not, *io stays. `plugin` is for messages. */
hl_status hugging_face_read_preprocessor(const hl_host *host, const char *plugin, const char *folder,
                                         hl_preprocess *io, bool *there, hl_error *error);

/* The same of a text, of which text[length] is NUL. */
hl_status hugging_face_parse_preprocessor(const char *plugin, const char *name, const char *text,
                                          size_t length, hl_preprocess *io, hl_error *error);

#endif
