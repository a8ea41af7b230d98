/* CLIP's tokenizer: a text -> token ids. */
#ifndef TOKENIZER_H
#define TOKENIZER_H

#include "headlight/host.h"
#include <stddef.h>
#include <stdint.h>

typedef struct tokenizer tokenizer;

/* Only remembers where the merges are; they are read when the first text comes. */
tokenizer *tokenizer_open(const hl_host *host, const char *folder, size_t vocab_size); /* NULL: no memory */
void tokenizer_close(tokenizer *t);                                                    /* accepts NULL */

/* ids: `context` numbers: start, the text's, end, zeros; a longer text is cut and keeps its end.
 * [any thread] */
hl_status tokenizer_run(tokenizer *t, const char *text, size_t context, int32_t *ids, hl_error *error);

/* All ids of a text, start and end included, whether or not they fit a context. [any thread] */
hl_status tokenizer_count(tokenizer *t, const char *text, size_t *count, hl_error *error);

#endif
