/* Texts that a model reads only in part: whatever follows the last token that fits has no say, so that two
 * texts which differ there get the same results. Whoever takes texts from a user says so. */
#ifndef CUT_TEXTS_H
#define CUT_TEXTS_H

#include "core/engine/engine.h"
#include "core/tree/tree.h"

typedef struct cut_text {
    char *text;
    size_t tokens; /* all of them; the model reads `context` */
} cut_text;

/* Zeroed: none yet. */
typedef struct cut_texts {
    cut_text *all; /* each once, in the order in which they came */
    size_t count;
    size_t *slots, slot_count; /* by what they say: 1 + index, or 0; a power of two */
} cut_texts;

/* Adds `text` when it is longer than the model reads. Fails for a text that cannot become token ids. A plugin
 * that does not count tokens cuts unseen. */
hl_status cut_texts_check(cut_texts *self, const engine *model, const char *text, hl_error *error);

/* Adds one that is known to be longer; what is there already counts once. */
hl_status cut_texts_add(cut_texts *self, const char *text, size_t tokens, hl_error *error);

/* One line of the log for each of the first few, and one for the rest. */
void cut_texts_warn(const cut_texts *self, const engine *model);

/* Adds "truncated": [{"text", "tokens", "context"}, ...], when there are any. */
void cut_texts_describe(const cut_texts *self, uint32_t context, hl_item *root);

void cut_texts_free(cut_texts *self);

#endif
