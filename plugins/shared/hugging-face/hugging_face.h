/* What Hugging Face's files say of any model: config.json's sections for a tower, and
 * preprocessor_config.json. They leave out whatever is the default of the model's class in transformers, so
 * the caller sets that before. All of it is read strictly (configuration.h). */
#ifndef HUGGING_FACE_H
#define HUGGING_FACE_H

#include "configuration/configuration.h"
#include "transformer/layer_tensors.h"

/* hidden_size, intermediate_size, num_hidden_layers, num_attention_heads, hidden_act, layer_norm_eps. */
void hugging_face_read_tower(config_reader *r, config_section from, tower_shape *io);

/* Settings of a section for a tower, for a list of config_setting: those above, and what changes nothing. */
#define HUGGING_FACE_TOWER                                                                                   \
    {"hidden_size", CONFIG_READ}, {"intermediate_size", CONFIG_READ}, {"num_hidden_layers", CONFIG_READ},    \
        {"num_attention_heads", CONFIG_READ}, {"hidden_act", CONFIG_READ}, {"layer_norm_eps", CONFIG_READ},  \
        {"model_type", CONFIG_READ}, {"attention_dropout", CONFIG_WITHOUT_EFFECT},                           \
        {"dropout", CONFIG_WITHOUT_EFFECT}, {"architectures", CONFIG_WITHOUT_EFFECT},                        \
        {"initializer_factor", CONFIG_WITHOUT_EFFECT}, {"initializer_range", CONFIG_WITHOUT_EFFECT},         \
        {"transformers_version", CONFIG_WITHOUT_EFFECT}, {"torch_dtype", CONFIG_WITHOUT_EFFECT}, {           \
        "dtype", CONFIG_WITHOUT_EFFECT                                                                       \
    }

/* FOLDER/preprocessor_config.json -> *io, whose height and width are the model's. *there: whether it is
 * there; where not, *io stays. `plugin` is for messages. */
hl_status hugging_face_read_preprocessor(const hl_host *host, const char *plugin, const char *folder,
                                         hl_preprocess *io, bool *there, hl_error *error);

/* The same of a text, of which text[length] is NUL. */
hl_status hugging_face_parse_preprocessor(const char *plugin, const char *name, const char *text,
                                          size_t length, hl_preprocess *io, hl_error *error);

#endif
