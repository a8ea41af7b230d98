/* CLIP's tokenizer: a text -> token ids. What open_clip's does without ftfy: HTML entities resolved twice,
 * white space folded, Unicode lower case, CLIP's pattern with its regard for no case, byte-pair encoding. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "headlight/host.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tokenizer tokenizer;

/* Only remembers where the merges are; they are read when the first text comes. `pad` fills up what a text
 * leaves of its context. NULL: no memory. */
tokenizer *tokenizer_open(const hl_host *host, const char *folder, size_t vocab_size, int32_t pad);
void tokenizer_close(tokenizer *t); /* accepts NULL */

/* ids: `context` numbers: start, the text's, end, padding; a longer text is cut and keeps its end.
 * [any thread] */
hl_status tokenizer_run(tokenizer *t, const char *text, size_t context, int32_t *ids, hl_error *error);

/* All ids of a text, start and end included, whether or not they fit a context. [any thread] */
hl_status tokenizer_count(tokenizer *t, const char *text, size_t *count, hl_error *error);

#endif
