/* What several judges found consistent: for each head, how many of its descriptions, of all and of the first
 * ones, with its own label and with another head's. */
#ifndef JUDGED_H
#define JUDGED_H

#include "head-properties/head-properties.h"

typedef enum judged_by { OWN_LABEL = 0, ANOTHER_LABEL, LABELS } judged_by;

typedef struct judged_head {
    size_t judged, consistent;             /* descriptions */
    size_t first_judged, first_consistent; /* of the first ones */
    uint64_t seen;                         /* which of the first ones were judged */
} judged_head;

enum { JUDGED_MOST_FIRST = 64 };

typedef struct judged {
    head_list heads;    /* of layers in which some judge judges a head */
    const char **names; /* of the steps */
    size_t count;
    judged_head *found[LABELS]; /* count x heads */
    bool has[LABELS];           /* whether any judge judges so */
    property_table concepts;
    size_t *concept; /* count x heads: the property of the labels that were judged, or NO_PROPERTY */
} judged;

/* `labels`: the steps whose labels were judged, one for each judge or one for all; left out: the nearest
 * one. `first`: how many descriptions are the first ones. */
hl_status judged_open(const hl_ask *ask, const hl_value *heads, const hl_value *layers,
                      const hl_value *labels, size_t first, judged *out, hl_error *error);
void judged_close(judged *self); /* accepts a zeroed one */

#endif
