/* What every CLIP-like model has, whatever its image tower is: how it is opened, loaded and closed, weights,
 * a text tower with its tokenizer, and what it says about itself. A plugin's own hl_model and hl_session
 * begin with these structs; it says in a two_towers_kind what is its own, and names the functions below in
 * its table. */
#ifndef TWO_TOWERS_H
#define TWO_TOWERS_H

#include "checkpoint/model_folder.h"
#include "checkpoint/try.h"
#include "tokenizer/tokenizer.h"
#include "transformer/text_tower.h"

enum { TWO_TOWERS_FACTS = 8, TWO_TOWERS_FACT_ROOM = 256 };

/* What a plugin does itself. Its models and sessions come zeroed, and are closed whatever they lack. */
typedef struct two_towers_kind {
    const char *plugin; /* "clip-vit", for messages */
    size_t model_size, session_size;

    /* Reads the configuration, opens weights and texts, describes. */
    hl_status (*open)(hl_model *model, const hl_model_source *source, const hl_value *const *values,
                      hl_error *error);

    /* Of the image tower. */
    void (*close)(hl_model *model);
    hl_status (*load)(hl_model *model, loader *from);
    hl_status (*open_session)(const hl_model *model, size_t batch, hl_session *session, hl_error *error);
    void (*close_session)(hl_session *session);
} two_towers_kind;

/* First in a plugin's hl_model. */
typedef struct two_towers {
    const two_towers_kind *kind;
    const hl_host *host;
    char *name; /* the folder's */
    checkpoint weights;
    tokenizer *tokenizer; /* NULL, and text.shape too: no texts */
    text_tower text;
    hl_compute compute; /* after `load` */

    hl_model_info info;
    char *summary;
    hl_fact facts[TWO_TOWERS_FACTS];
    char fact_texts[TWO_TOWERS_FACTS][TWO_TOWERS_FACT_ROOM];
} two_towers;

/* First in a plugin's hl_session. */
typedef struct two_towers_session {
    const hl_model *model;
    text_session text;
} two_towers_session;

/* hl_model_api.open. */
hl_status two_towers_open(const two_towers_kind *kind, const hl_host *host, const hl_model_source *source,
                          const hl_value *const *values, hl_model **model, hl_error *error);

/* The option that says which file of weights is meant; see checkpoint_rules.named. */
#define WEIGHTS_OPTION                                                                                       \
    {                                                                                                        \
        .name = "weights", .type = HL_STRING, .fallback = "~",                                               \
        .help = "the file of weights in the model's folder, where there are several"                         \
    }

/* The text that a user gave for an option; NULL: none. A test may have no values at all. */
const char *two_towers_asked(const hl_value *const *values, int option);

/* Once the weights are open: the tokenizer, and the text tower's place among them. `texts` outlives the
 * model. */
hl_status two_towers_open_texts(two_towers *self, const hl_model_source *source, const text_shape *texts,
                                const tokenizer_rules *rules, hl_error *error);

/* ---- what it says about itself ---- */

/* Its name, and a line in printf's format, which info then shows. */
__attribute__((format(printf, 3, 4))) hl_status two_towers_describe(two_towers *self, hl_error *error,
                                                                    const char *summary, ...);

/* Adds a fact, at most TWO_TOWERS_FACTS. */
__attribute__((format(printf, 3, 4))) void two_towers_state(two_towers *self, const char *name,
                                                            const char *value, ...);

/* What weights do not show and is most often wrong. */
const char *activation_name(hl_activation activation);

/* Scale and bias of the score, where the file has them; with a bias it was trained with a sigmoid. `biased`:
 * as all of its family are, so that nothing is known of one without. */
hl_status two_towers_state_score(two_towers *self, bool biased, hl_error *error);

/* hl_model_api.digest: of the stored numbers or the seed, and of whatever of the configuration changes what
 * the image tower computes, which a text in printf's format says. */
__attribute__((format(printf, 4, 5))) hl_status two_towers_digest(const two_towers *self, char out[33],
                                                                  hl_error *error, const char *image, ...);

/* " text 12 512 ...": the text tower's shape, behind what `out` says. */
void two_towers_add_texts(const text_shape *text, char *out, size_t room);

/* ---- functions for the table ---- */

#define TWO_TOWERS_FUNCTIONS                                                                                 \
    .close = two_towers_close, .info = two_towers_info, .load = two_towers_load,                             \
    .open_session = two_towers_open_session, .close_session = two_towers_close_session,                      \
    .tokenize = two_towers_tokenize, .encode_texts = two_towers_encode_texts,                                \
    .count_tokens = two_towers_count_tokens

void two_towers_close(hl_model *model);
const hl_model_info *two_towers_info(const hl_model *model);
hl_status two_towers_load(hl_model *model, const hl_compute *compute, hl_error *error);
hl_status two_towers_open_session(const hl_model *model, size_t batch, hl_session **session, hl_error *error);
void two_towers_close_session(hl_session *session);
hl_status two_towers_tokenize(const hl_model *model, const char *text, int32_t *ids, hl_error *error);
hl_status two_towers_count_tokens(const hl_model *model, const char *text, size_t *count, hl_error *error);
hl_status two_towers_encode_texts(hl_session *session, const int32_t *ids, size_t count, float *out,
                                  hl_error *error);

#endif
