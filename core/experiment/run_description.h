/* What results.json says of a run besides its results: model, backend, properties, the options as written;
 * and what the page says of the experiment as a whole. */
#ifndef RUN_DESCRIPTION_H
#define RUN_DESCRIPTION_H

#include "core/engine/engine.h"
#include "core/experiment/experiment.h"
#include "core/host/library.h"
#include "core/tree/tree.h"

/* Adds to the root's "model" and "compute". Reads the weights for their digest, unless an atlas asked for it
 * before. */
hl_status describe_engine(engine *model, hl_item *root, hl_error *error);

/* Adds "options": a step's options as the user wrote them. */
hl_status describe_options(const option_values *values, hl_item *analysis, hl_error *error);

typedef struct page_words {
    char *title, *experiment, *sections; /* see results_write */
} page_words;

/* Free it with `page_words_free`, also after a failure. */
hl_status page_words_make(const hl_run_request *request, const experiment_source *source,
                          const experiment *plan, page_words *out, hl_error *error);
void page_words_free(page_words *words);

#endif
