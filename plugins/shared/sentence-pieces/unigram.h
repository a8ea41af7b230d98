/* A unigram language model over pieces (Kudo 2018, section 3.1): of all ways to cut a word into pieces the
 * most probable one. As Hugging Face's tokenizers compute it, in double precision. */
#ifndef UNIGRAM_H
#define UNIGRAM_H

#include "headlight/error.h"
#include "text/prefixes.h"
#include "text/token_ids.h"

typedef struct unigram unigram;

/* A piece's id is its number in the table. Takes pieces and scores (logarithms, one for each piece, malloc)
 * over, also on failure. `unknown`: the id of what is no piece. */
hl_status unigram_make(string_table *pieces, double *scores, uint32_t unknown, unigram **out,
                       hl_error *error);
void unigram_free(unigram *self); /* accepts NULL */

/* Appends the ids of a word; characters that are no pieces become one unknown id together. [any thread] */
hl_status unigram_encode(const void *self, const char *word, size_t length, token_ids *out, hl_error *error);

#endif
