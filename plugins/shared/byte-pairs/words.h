/* A cleaned text -> ids, as CLIP's own tokenizer makes them: split by its pattern with its regard for no
 * case, each word encoded by the merges. */
#ifndef WORDS_H
#define WORDS_H

#include "merges.h"
#include "text/token_ids.h"

/* `text` is valid UTF-8. Stops when `out` is full. */
hl_status words_encode(const merges *table, const char *text, size_t length, token_ids *out, hl_error *error);

#endif
