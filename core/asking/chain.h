/* The chain of extractors: steps by name, each of which may build on earlier ones, run once when somebody
 * needs its answer. Knows steps and what they need, not what they look for. */
#ifndef CHAIN_H
#define CHAIN_H

#include "core/asking/asker.h"
#include "core/asking/findings.h"
#include "core/io/checksum.h"
#include "core/registry/options.h"

typedef struct chain_step {
    const char *name; /* NULL: one that only `properties` asks for */
    const hl_plugin *plugin;
    const option_values *values; /* bound to the model as far as may be when it is run */
    const size_t *from;          /* the earlier steps that it builds on, each once */
    size_t from_count;
} chain_step;

#define CHAIN_NONE SIZE_MAX

typedef struct chain chain;

/* Steps are copied; what they point to outlives *out. `properties`: the step that answers for the heads of a
 * property, or CHAIN_NONE. */
hl_status chain_open(const chain_step *steps, size_t count, size_t properties, chain **out, hl_error *error);
void chain_close(chain *self); /* accepts NULL */

/* Whether neither it nor what it builds on needs the model's weights. */
bool chain_is_light(const chain *self, size_t step);

/* Its answer is needed, and so is that of what it builds on. */
void chain_want(chain *self, size_t step);

/* Runs the wanted steps that have not been run, in order: `chain_run_light` only those that are light. `ask`
 * was opened with chain_findings. Progress and cancellation are those of the call. */
hl_status chain_run_light(chain *self, const hl_ask *ask, hl_error *error);
hl_status chain_run(chain *self, const hl_ask *ask, hl_error *error);

/* Tells what the steps found that have been run, which is what an analysis may ask for, from anything else.
 */
hl_status chain_digest(const chain *self, char out[CHECKSUM_ROOM], hl_error *error);

/* Whether all steps that are wanted have been run. */
bool chain_is_done(const chain *self);

/* What the step found; NULL: it was not run. */
const findings *chain_at(const chain *self, size_t step);

/* For those who ask through hl_ask; valid as long as the chain. */
asker_findings chain_findings(chain *self);

/* The heads of a property; HL_USAGE when no step answers for them. */
hl_status chain_property(const chain *self, const char *name, const hl_selection **out, hl_error *error);

#endif
