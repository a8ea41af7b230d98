/* Inside selections: the writing of an entry, term by term. */
#ifndef SELECTION_TERMS_H
#define SELECTION_TERMS_H

#include "core/registry/selection.h"
#include <stdbool.h>

typedef enum term_kind {
    TERM_HEADS = 1,
    TERM_MLP,
    TERM_INPUT,
    TERM_REMAINDER,
    TERM_AGGREGATE,
    TERM_EMBEDDING
} term_kind;

typedef struct selection_term {
    term_kind kind;
    int32_t first, last; /* layers; -1: all */
    const char *group;   /* in the entry, in place of a layer's number: "pool" of "pool.H5"; NULL: none */
    size_t group_length;
    int32_t head;  /* its number within the layer; -1: all */
    double weight; /* not 0; 1 where none is written */
} selection_term;

/* The whole entry as one term without a weight. False when it is none. */
bool term_alone(const char *entry, selection_term *out);

/* Whether it is a sum, or meant as one. */
bool term_is_sum(const char *entry);

/* Takes the first term off a sum. *text becomes what follows it, with the sign of the next term, NULL after
 * the last one. The error is the end of a sentence: "expected ..., got ...". */
hl_status term_next(const char **text, uint32_t flags, selection_term *out, hl_error *error);

#endif
