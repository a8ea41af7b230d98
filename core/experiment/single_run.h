/* An experiment, or one of its variants, once through: checked, run, its results written. */
#ifndef SINGLE_RUN_H
#define SINGLE_RUN_H

#include "core/experiment/experiment.h"
#include "core/host/library.h"
#include "core/io/output.h"
#include "core/tree/results.h"

typedef struct single_run single_run;

/* What an optional variant lacks. */
typedef enum single_run_lack { LACKS_NOTHING, LACKS_WEIGHTS, LACKS_GALLERY } single_run_lack;

/* Opens the experiment and the model, and finds everything that can be wrong with them and is known without
 * the weights. `variant` may be NULL. What it is given outlives it. HL_UNAVAILABLE, with *lack, where an
 * optional variant's weights or gallery are not there. */
hl_status single_run_open(hl_library *library, const hl_run_request *request, const experiment_source *source,
                          const experiment_variant *variant, single_run **out, single_run_lack *lack,
                          hl_error *error);

/* Loads the weights, runs the analyses, adds the results' files to `files`: in a folder of its name for a
 * variant. The weights are gone afterwards. To be called at most once. *out is the caller's to close; NULL
 * after a failure. */
hl_status single_run_execute(single_run *self, output *files, tree **out, hl_error *error);

/* Whether its reports can be written, before any work. */
hl_status single_run_check_places(const single_run *self, output *files, hl_error *error);

void single_run_close(single_run *self); /* accepts NULL */

#endif
