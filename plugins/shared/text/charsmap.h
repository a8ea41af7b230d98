/* A precompiled map of characters, as sentencepiece's models and tokenizer.json carry it: a trie of what is
 * replaced (a double array in darts-clone's units) and the replacements, each ended by NUL. */
#ifndef CHARSMAP_H
#define CHARSMAP_H

#include "buffer.h"
#include "headlight/error.h"
#include <stdint.h>

typedef struct charsmap {
    uint32_t *units;
    size_t unit_count;
    char *replacements; /* ended by a NUL of its own */
    size_t length;
} charsmap;

/* Reads the bytes; refuses sizes that do not fit. No bytes: nothing is replaced. `name` is for messages. */
hl_status charsmap_read(const char *name, const void *bytes, size_t count, charsmap *out, hl_error *error);
void charsmap_free(charsmap *map);

/* A text of valid UTF-8 stays one, whatever the map says.
 * What the text's longest, or shortest, known beginning becomes, and its length; NULL: nothing is known. */
const char *charsmap_longest(const charsmap *map, const char *text, size_t length, size_t *used);
const char *charsmap_shortest(const charsmap *map, const char *text, size_t length, size_t *used);

#endif
