/* WordPiece as BERT uses it (Devlin et al. 2019): a word is cut from the left into the longest pieces there
 * are; pieces that do not begin a word are written with "##". */
#ifndef WORD_PIECES_H
#define WORD_PIECES_H

#include "headlight/error.h"
#include "text/prefixes.h"
#include "text/token_ids.h"

typedef struct word_pieces word_pieces;

/* Takes pieces and ids (one for each piece, malloc) over, also on failure. `unknown`: the id of a word that
 * cannot be cut, or is longer than `most` characters. */
hl_status word_pieces_make(string_table *pieces, int32_t *ids, const char *prefix, int32_t unknown,
                           size_t most, word_pieces **out, hl_error *error);
void word_pieces_free(word_pieces *self); /* accepts NULL */

/* Appends the ids of a word. [any thread] */
hl_status word_pieces_encode(const void *self, const char *word, size_t length, token_ids *out,
                             hl_error *error);

/* Takes white space off the text and says how long its next word is: up to white space, punctuation each by
 * itself; 0: there is none. */
size_t word_pieces_next(const char **text, size_t *length);

#endif
