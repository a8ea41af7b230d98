/* Results of analyses that take long (HL_KEEPS_RESULTS), on disk: such an analysis is not run again while all
 * that its answer depends on is the same. */
#ifndef KEPT_RESULTS_H
#define KEPT_RESULTS_H

#include "core/asking/chain.h"
#include "core/tree/tree.h"

/* Runs the analysis, or finds what it found before; its items go to `list`, which is in `results`. `found`:
 * what the extractors found by now, for which it may ask. One whose results are not kept is run by
 * `step_analyse`. */
hl_status kept_results_analyse(const hl_plugin *analysis, const hl_ask *ask, const option_values *values,
                               const chain *found, tree *results, hl_item *list, hl_error *error);

#endif
