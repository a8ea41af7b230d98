/* What several variants of one experiment found, side by side: scores and labels. */
#ifndef COMPARE_SCORES_H
#define COMPARE_SCORES_H

#include "core/experiment/compare.h"

/* Adds to the root of the overview "scores", a map for each verdict on a whole model: "variant", "step",
 * "score", "value", and where there are any "low", "high" and the model's "parameters"; and "comparison",
 * items with a schema (headlight/result.h) that show these, scores by layer, and how many heads carry which
 * property. Neither where there is nothing to show. */
hl_status compare_scores(const compare_variant *variants, size_t count, hl_item *root, hl_error *error);

#endif
