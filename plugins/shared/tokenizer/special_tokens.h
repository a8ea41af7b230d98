/* Tokens that are cut out of a text before the rest of it is brought into form and split: "</s>", "<table>".
 */
#ifndef SPECIAL_TOKENS_H
#define SPECIAL_TOKENS_H

#include "headlight/error.h"
#include "text/prefixes.h"

typedef struct special_token {
    int32_t id;
    bool strips_left, strips_right; /* takes white space beside it along */
} special_token;

typedef struct special_tokens {
    string_table contents;
    special_token *rows; /* by number of its content */
    prefixes prefixes;
} special_tokens;

/* Before special_tokens_ready. false: no memory. */
bool special_tokens_add(special_tokens *all, const char *content, size_t length, special_token row);
bool special_tokens_ready(special_tokens *all);
void special_tokens_free(special_tokens *all);

/* Looks for the first token in a text, of those at one place for the longest; *start and *end are what is cut
 * out. NULL: there is none. */
const special_token *special_tokens_find(const special_tokens *all, const char *text, size_t length,
                                         size_t *start, size_t *end);

#endif
