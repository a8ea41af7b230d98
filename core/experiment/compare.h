/* How far the results of several variants of one experiment lie apart. */
#ifndef COMPARE_H
#define COMPARE_H

#include "core/tree/tree.h"

typedef struct compare_variant {
    const char *name;
    const hl_node *results; /* the root of its tree */
} compare_variant;

/* Fills a list with a map for each analysis of each variant after the first, in that order, beside the same
 * analysis of the first: "variant" (text), "analysis" (its number, from 1), "plugin", "results" (how many
 * there are) "grid difference"   the largest absolute difference of two numbers of a grid, and "largest in
 * grids"  the largest absolute number of the first variant's grids; both only with grids "score difference"
 * the largest absolute difference of a neighbour's scores, and "changed ranks"     places that another image
 * holds, and "ranks"             of so many; all three only with neighbours "remark" (text)     why there is
 * nothing to compare: other results, or grids of another shape */
void compare_variants(const compare_variant *variants, size_t count, hl_item *rows);

#endif
