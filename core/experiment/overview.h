/* The tree of the page that compares an experiment's variants. */
#ifndef OVERVIEW_H
#define OVERVIEW_H

#include "core/tree/tree.h"

typedef struct overview_variant {
    const char *name;
    const hl_node *results; /* the root of its results; NULL: it was skipped */
    const char *folder;     /* of one that was skipped: where its weights go, as it is written */
} overview_variant;

/* Adds to a tree of results what headlight/report.h says of an overview. */
hl_status overview_fill(const overview_variant *variants, size_t count, tree *overview, hl_error *error);

#endif
