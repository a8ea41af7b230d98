/* A cleaned text -> ids, as CLIP's own tokenizer makes them: split by its pattern with its regard for no
 * case, each word encoded by the merges. */
#ifndef WORDS_H
#define WORDS_H

#include "merges.h"
#include "text/token_ids.h"

/* Takes what lies between words off the text and says how long the next word is; 0: there is none.
 * `any_case`: by CLIP's own pattern, which disregards case and knows <start_of_text> and <end_of_text>; else
 * by the same pattern as tokenizer.json has it, to which case matters. */
size_t words_next(const char **text, size_t *length, bool any_case);

/* `text` is valid UTF-8. Stops when `out` is full. */
hl_status words_encode(const merges *table, const char *text, size_t length, token_ids *out, hl_error *error);

#endif
