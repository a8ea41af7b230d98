/* What the three analyses of neighbours share: every query is asked of every selection of heads, and each
 * answer is one item. */
#ifndef SHARED_NEIGHBORS_H
#define SHARED_NEIGHBORS_H

#include "headlight/analysis.h"

/* The choices of an option `metric`, in the order of hl_metric. */
static const char *const neighbors_metrics[] = {"dot", "cosine", NULL};
#define NEIGHBORS_METRIC_HELP                                                                                \
    "How contributions are compared: by their dot product, or by its cosine, which leaves lengths out."
#define NEIGHBORS_METRIC_OF(VALUE) ((uint32_t)(HL_DOT + (VALUE)->integer))

/* More would be a list of the whole gallery rather than an answer. */
enum { NEIGHBORS_MOST = 10000 };

static inline hl_status neighbors_answer(const hl_context *context, const hl_query *query,
                                         hl_neighbor *neighbors, hl_result *result, hl_error *error) {
    size_t found = 0;
    hl_status status = context->nearest(context, query, neighbors, &found, error);
    if (status != HL_OK) return status;
    hl_item *item = result->item(result, HL_SCHEMA_NEIGHBORS);
    result->text(item, "query", query->image ? query->image->name : query->direction->name);
    result->text(item, "head", query->selection->name);
    if (query->image) result->number(item, "query_is_image", 1);
    for (size_t i = 0; i < found; ++i) result->neighbor(item, neighbors[i].path, neighbors[i].score);
    return HL_OK;
}

/* `asked` holds images or directions; `settings` are the query's metric, count and include_query. */
static inline hl_status neighbors_run(const hl_context *context, const hl_value *asked,
                                      const hl_value *selections, hl_query settings, hl_result *result,
                                      hl_error *error) {
    const hl_host *host = context->host;
    hl_neighbor *neighbors = host->allocate(host, settings.count, sizeof *neighbors);
    hl_status status = neighbors ? HL_OK : hl_no_memory(error, "neighbours");
    for (size_t i = 0; i < asked->count && status == HL_OK; ++i) {
        hl_query query = settings;
        query.image = asked->images ? asked->images[i] : NULL;
        query.direction = asked->directions ? asked->directions[i] : NULL;
        for (size_t j = 0; j < selections->count && status == HL_OK; ++j) {
            query.selection = selections->selections[j];
            status = neighbors_answer(context, &query, neighbors, result, error);
        }
    }
    host->release(host, neighbors);
    return status;
}

#endif
