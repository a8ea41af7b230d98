/* What is behind hl_ask: one caller's conversation with a loaded model. */
#ifndef ASKER_H
#define ASKER_H

#include "core/asking/images.h"
#include "core/asking/nearest.h"
#include "core/asking/queries.h"
#include "core/engine/cut_texts.h"
#include "headlight/ask.h"
#include "headlight/library.h"

typedef struct asked_model asked_model; /* what all conversations with one model share */
typedef struct asker asker;

/* What the steps of the extractor chain found, for those who may ask for it; see hl_ask. Any may be NULL. */
typedef struct asker_findings {
    void *user;
    const hl_description *(*description)(void *user, const char *step, size_t index);
    const hl_label *(*label)(void *user, const char *step, size_t index);
    const hl_verdict *(*verdict)(void *user, const char *step, size_t index);
    const char *(*source)(void *user, size_t index);
    hl_status (*property)(void *user, const char *name, const hl_selection **selection, hl_error *error);
} asker_findings;

/* The engine outlives it, and is loaded when the first question needs it. `picture_side`: see images.h. */
hl_status asked_model_open(engine *model, size_t picture_side, asked_model **out, hl_error *error);
/* The host and the engine go with the model. */
void asked_model_own(asked_model *self, host *made);
void asked_model_close(asked_model *self); /* accepts NULL; once its conversations are over */
image_store *asked_model_images(asked_model *self);

/* Under the call of whoever asks. `gallery`, that of the experiment, outlives it and may be NULL; so may
 * `findings`. */
hl_status asker_open(asked_model *model, nearest *gallery, const asker_findings *findings, asker **out,
                     hl_error *error);
void asker_close(asker *self); /* accepts NULL */
const hl_ask *asker_interface(const asker *self);

/* From now on texts that are encoded and cut are added to `cut`; NULL: nowhere. [while nobody asks] */
void asker_note_cut(const hl_ask *ask, cut_texts *cut);
void asker_warn_cut(const hl_ask *ask, const cut_texts *cut); /* to the log */

/* From now on what needs the weights, or the experiment's gallery, is refused: HL_NEEDS_..., 0: nothing is.
 * For steps that did not say that they need it. [while nobody asks] */
void asker_withhold(const hl_ask *ask, uint32_t needs);

#endif
