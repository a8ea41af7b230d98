/* The images that an experiment's steps name: which of them can be read, and what becomes of the others.
 * Where `on-error` is `skip` they are left out of the options and remembered in the plan; else they are
 * errors at their places. */
#ifndef QUERY_IMAGES_H
#define QUERY_IMAGES_H

#include "core/experiment/experiment.h"
#include "core/tree/tree.h"
#include "headlight/host.h"

/* Whether they are there. */
hl_status query_images_find(experiment *plan, hl_error *error);

/* Whether they can be read: by their headers or, where they would be left out, to the last pixel, so that no
 * image is missed later. */
hl_status query_images_look(experiment *plan, hl_error *error);

/* One line of the log for each of the first that were left out, and one for the rest. */
void query_images_warn(const experiment *plan, const hl_host *host);

/* Adds "skipped": [{"path": ..., "reason": ...}] when there are any. */
void query_images_describe(const experiment *plan, hl_item *root);

#endif
