/* The tree of the page that compares an experiment's variants. */
#ifndef OVERVIEW_H
#define OVERVIEW_H

#include "core/tree/tree.h"

typedef struct overview_variant {
    const char *name;
    const hl_node *results; /* the root of its results; NULL: it was skipped */
    /* Of one that was skipped: where what is missing goes, as it is written, and what that is. */
    const char *place, *reason;
} overview_variant;

/* Adds to a tree of results what headlight/report.h says of an overview. */
hl_status overview_fill(const overview_variant *variants, size_t count, tree *overview, hl_error *error);

#endif
