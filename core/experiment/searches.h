/* What the steps of an experiment will search in its gallery. */
#ifndef SEARCHES_H
#define SEARCHES_H

#include "core/experiment/experiment.h"

typedef struct searches {
    const hl_selection **all; /* of all steps that search; owned by their options */
    size_t count;
    bool any; /* whether a step searches at all */
} searches;

/* Once what can be bound to the model is bound. */
hl_status searches_find(const experiment *plan, searches *out, hl_error *error);
void searches_free(searches *self); /* accepts a zeroed one */

#endif
