/* What a step of descriptions says of heads, held against golden files. */
#ifndef TESTS_DESCRIBED_H
#define TESTS_DESCRIBED_H

#include "tests/experiment.h"

/* What the first step of an experiment says of a head; it must say something. */
const cJSON *described(const outcome *got, const char *head);

/* The item of a list that has this rank; it must be there. */
const cJSON *of_rank(const cJSON *list, int rank);

/* Fails unless all that `expected` says is in `got`: lists as far as they go; numbers to `tolerance` times
 * (their own size
 * + 0.01). */
void assert_says(const cJSON *got, const cJSON *expected, double tolerance);

/* An experiment on a golden model and the golden gallery: one step, of `plugin` with the golden pool. */
outcome describe_golden(const char *model, const char *backend, const char *plugin);

/* Holds `list`, facts of each head, against golden/parts/MODEL-PLUGIN.json: each item by its rank. */
void assert_golden_parts(const outcome *got, const char *model, const char *plugin, const char *list,
                         double tolerance);

#endif
