/* What every CLIP-like model has, whatever its image tower is: weights, a text tower with its tokenizer, and
 * what it says about itself. A plugin's own hl_model and hl_session begin with these structs; the functions
 * of hl_model_api that are about them are then here, ready to be named in its table. */
#ifndef TWO_TOWERS_H
#define TWO_TOWERS_H

#include "checkpoint/model_folder.h"
#include "checkpoint/try.h"
#include "tokenizer/tokenizer.h"
#include "transformer/text_tower.h"

enum { TWO_TOWERS_FACTS = 8, TWO_TOWERS_FACT_ROOM = 256 };

/* First in a plugin's hl_model, which is zeroed when it is made. */
typedef struct two_towers {
    const hl_host *host;
    const char *plugin; /* "clip-vit" */
    checkpoint weights;
    tokenizer *tokenizer; /* NULL, and text.shape too: no texts */
    text_tower text;
    hl_compute compute; /* after `load` */

    hl_model_info info;
    char *name, *summary;
    hl_fact facts[TWO_TOWERS_FACTS];
    char fact_texts[TWO_TOWERS_FACTS][TWO_TOWERS_FACT_ROOM];
} two_towers;

/* First in a plugin's hl_session. */
typedef struct two_towers_session {
    const hl_model *model;
    text_session text;
} two_towers_session;

/* Once the weights are open: the tokenizer, and the text tower's place among them. `texts` outlives the
 * model. */
hl_status two_towers_open_texts(two_towers *self, const hl_model_source *source, const text_shape *texts,
                                const tokenizer_rules *rules, hl_error *error);

/* Tokenizer, weights, texts; not the model itself. Accepts one that is zeroed or opened in part. */
void two_towers_close(two_towers *self);

/* ---- what it says about itself ---- */

/* The folder's name, and a line in printf's format, which info then shows. */
__attribute__((format(printf, 4, 5))) hl_status two_towers_describe(two_towers *self, const char *path,
                                                                    hl_error *error, const char *summary,
                                                                    ...);

/* Adds a fact, at most TWO_TOWERS_FACTS. */
__attribute__((format(printf, 3, 4))) void two_towers_state(two_towers *self, const char *name,
                                                            const char *value, ...);

/* What weights do not show and is most often wrong. */
const char *activation_name(hl_activation activation);

/* Scale and bias of the score, where the file has them; with a bias it was trained with a sigmoid. */
hl_status two_towers_state_score(two_towers *self, hl_error *error);

/* hl_model_api.digest: of the stored numbers or the seed, and of whatever of the configuration changes what
 * the image tower computes, which a text in printf's format says. */
__attribute__((format(printf, 4, 5))) hl_status two_towers_digest(const two_towers *self, char out[33],
                                                                  hl_error *error, const char *image, ...);

/* ---- functions for the table ---- */

const hl_model_info *two_towers_info(const hl_model *model);
hl_status two_towers_tokenize(const hl_model *model, const char *text, int32_t *ids, hl_error *error);
hl_status two_towers_count_tokens(const hl_model *model, const char *text, size_t *count, hl_error *error);
hl_status two_towers_encode_texts(hl_session *session, const int32_t *ids, size_t count, float *out,
                                  hl_error *error);

/* ---- sessions ---- */

void two_towers_session_begin(two_towers_session *self, const hl_model *model, size_t batch);
void two_towers_session_end(two_towers_session *self);

#endif
