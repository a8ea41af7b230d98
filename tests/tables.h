/* Tables, charts and maps among the results of an analysis: what is missing fails the test. */
#ifndef TESTS_TABLES_H
#define TESTS_TABLES_H

#include "tests/experiment.h"

/* The first item whose title has these words. */
const cJSON *item_of(const outcome *got, int analysis, const char *words);
/* The first row in which `key` is `value` and, unless it is NULL, `other` is `that`. */
const cJSON *row_of(const cJSON *item, const char *key, const char *value, const char *other,
                    const char *that);

void need_near(double found, double expected, double tolerance, const char *what);

#endif
