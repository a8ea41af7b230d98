/* What results.json says of a run besides its results: model, backend, properties, the options as written;
 * and what the page says of the experiment as a whole. */
#ifndef RUN_DESCRIPTION_H
#define RUN_DESCRIPTION_H

#include "core/engine/cut_texts.h"
#include "core/experiment/experiment.h"
#include "core/experiment/properties.h"
#include "core/host/library.h"
#include <cjson/cJSON.h>

/* Adds to the root's "model" and "compute". Reads the weights for their digest, unless an atlas asked for it
 * before. */
hl_status describe_engine(engine *model, cJSON *root, hl_error *error);

/* Adds "truncated", when there are any: see results.h. */
hl_status describe_cut_texts(const cut_texts *cut, uint32_t context, cJSON *root, hl_error *error);

/* Adds "properties"; `known` NULL: nothing to add. */
hl_status describe_properties(const properties *known, const char *extractor, cJSON *root, hl_error *error);

/* An analysis's options as the user wrote them; *out is the caller's. */
hl_status describe_options(const option_values *values, cJSON **out, hl_error *error);

typedef struct page_words {
    char *title, *experiment, *sections; /* see results_write */
} page_words;

/* Free it with `page_words_free`, also after a failure. */
hl_status page_words_make(const hl_run_request *request, const experiment_source *source,
                          const experiment *plan, page_words *out, hl_error *error);
void page_words_free(page_words *words);

#endif
