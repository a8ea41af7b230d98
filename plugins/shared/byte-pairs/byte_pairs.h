/* A byte-pair encoding whose symbols are the pieces of a vocabulary with ids of its own, as tokenizer.json or
 * vocab.json and merges.txt give it. */
#ifndef BYTE_PAIRS_H
#define BYTE_PAIRS_H

#include "pair_table.h"
#include "text/string_table.h"
#include "text/token_ids.h"

/* How a word is cut into first symbols. */
typedef struct byte_pair_rules {
    bool byte_level;     /* bytes by their names (byte_names.h); else characters */
    bool byte_fallback;  /* a character that is no piece: its bytes, as <0x0A> */
    bool joins_unknown;  /* neighbours that are no pieces become one unknown id */
    const char *suffix;  /* of a word's last symbol: "</w>"; "": none */
    const char *unknown; /* the piece for what is none; NULL: it is left out */
} byte_pair_rules;

typedef struct byte_pairs byte_pairs;

/* Takes pieces and ids (one for each piece, malloc) over, also on failure. */
hl_status byte_pairs_make(const byte_pair_rules *rules, string_table *pieces, int32_t *ids, byte_pairs **out,
                          hl_error *error);
void byte_pairs_free(byte_pairs *self); /* accepts NULL */

/* The next merge. Refuses, without naming the file, one of symbols that are no pieces, or that gives none. */
hl_status byte_pairs_add(byte_pairs *self, const char *left, size_t left_length, const char *right,
                         size_t right_length, hl_error *error);

/* Appends the ids of a word. [any thread] */
hl_status byte_pairs_encode(const void *self, const char *word, size_t length, token_ids *out,
                            hl_error *error);

#endif
