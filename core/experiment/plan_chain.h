/* The plan's extractors as a chain, and which of its steps are asked for. */
#ifndef PLAN_CHAIN_H
#define PLAN_CHAIN_H

#include "core/asking/chain.h"
#include "core/experiment/experiment.h"

/* A step is asked for where it has a name. One that only `properties` names is asked for by analyses that ask
 * for properties, and run without being asked where that is cheap, so that what is wrong with a file of
 * labels is found, and the page can say what heads carry. */
hl_status plan_chain(const experiment *plan, chain **out, hl_error *error);

/* The number of the plan's step that answers for properties; CHAIN_NONE: there is none. */
size_t plan_chain_properties(const experiment *plan);

/* Adds "properties": {"extractor", "heads"} and, for steps that have a name, "extractors": [{"name",
 * "plugin", "from", "options", "results"}]. */
hl_status plan_chain_describe(const experiment *plan, const chain *found, hl_item *root, hl_error *error);

#endif
