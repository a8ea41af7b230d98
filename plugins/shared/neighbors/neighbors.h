/* What the analyses of neighbours share: every query is asked of every selection of heads, and each
 * answer is one item. */
#ifndef NEIGHBORS_H
#define NEIGHBORS_H

#include "headlight/analysis.h"

/* The choices of an option `metric`, in the order of hl_metric. */
extern const char *const neighbors_metrics[];
#define NEIGHBORS_METRIC_HELP                                                                                \
    "How contributions are compared: by their dot product, or by its cosine, which leaves lengths out."
#define NEIGHBORS_METRIC_OF(VALUE) ((uint32_t)(HL_DOT + (VALUE)->integer))

/* More would be a list of the whole gallery rather than an answer. */
enum { NEIGHBORS_MOST = 10000 };

/* `asked` holds images or directions; `settings` are the query's metric, count and include_query. */
hl_status neighbors_run(const hl_ask *ask, const hl_value *asked, const hl_value *selections,
                        hl_query settings, hl_result *result, hl_error *error);

#endif
