/* A step, an analysis or an extractor, on its way from options to results: what a run does with all steps of
 * an experiment, and hl_ask.run with one. */
#ifndef STEP_H
#define STEP_H

#include "core/asking/asker.h"
#include "core/registry/options.h"
#include "core/tree/results.h"

/* Binds what the options say of heads, and checks their directions and texts; those that the model cuts are
 * added to `cut`. Needs no weights. */
hl_status step_bind(option_values *values, const engine *model, cut_texts *cut, hl_error *error);

/* Gives the options' directions their vectors. */
hl_status step_encode_directions(option_values *values, const hl_ask *ask, hl_error *error);

/* Runs the analysis; its items go to `list`, which is in `results`. */
hl_status step_analyse(const hl_plugin *analysis, const hl_ask *ask, const option_values *values,
                       tree *results, hl_item *list, hl_error *error);

#endif
