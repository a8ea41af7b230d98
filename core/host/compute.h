/* An opened compute backend as models see it: complete, counted.
 *
 * Stands between a model and a backend plugin with the same table of functions: an operation that the plugin
 * lacks is run on the plugin `reference`, its operands moved there and back. Knows no operation's
 * mathematics. */
#ifndef COMPUTE_H
#define COMPUTE_H

#include "headlight/compute.h"
#include "headlight/plugin.h"

/* `reference` stands in for missing operations; it may be `plugin` itself or, when nothing is missing, NULL.
 */
hl_status compute_open(const hl_host *host, const hl_plugin *plugin, const hl_plugin *reference,
                       const hl_value *const *values, hl_compute *out, hl_error *error);
void compute_close(hl_compute *compute); /* accepts a zeroed one, zeroes it */

/* Floating-point operations (a multiply-add is two) of the products asked for since it was opened. */
double compute_flops(const hl_compute *compute);

/* Where time went since it was opened: seconds spent in calls of operation `index`, in all threads together,
 * and its name; *name NULL past the last. What a backend only queues is not in them. */
double compute_seconds(const hl_compute *compute, size_t index, const char **name);

/* Names of the optional operations that the plugin lacks; NULL past the end. */
const char *compute_missing(const hl_plugin *plugin, size_t index);

#endif
