/* See neighbors.h. */
#include "neighbors/neighbors.h"

const char *const neighbors_metrics[] = {"dot", "cosine", NULL};

static hl_status neighbors_answer(const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors,
                                  hl_result *result, hl_error *error) {
    size_t found = 0;
    hl_status status = ask->nearest(ask, query, neighbors, &found, error);
    if (status != HL_OK) return status;
    hl_item *item = result->item(result, HL_SCHEMA_NEIGHBORS);
    result->text(item, "query", query->image ? query->image->name : query->direction->name);
    result->text(item, "head", query->selection->name);
    if (query->image) result->number(item, "query_is_image", 1);
    for (size_t i = 0; i < found; ++i) result->neighbor(item, neighbors[i].path, neighbors[i].score);
    return HL_OK;
}

hl_status neighbors_run(const hl_ask *ask, const hl_value *asked, const hl_value *selections,
                        hl_query settings, hl_result *result, hl_error *error) {
    const hl_host *host = ask->host;
    hl_neighbor *neighbors = host->allocate(host, settings.count, sizeof *neighbors);
    hl_status status = neighbors ? HL_OK : hl_no_memory(error, "neighbours");
    for (size_t i = 0; i < asked->count && status == HL_OK; ++i) {
        hl_query query = settings;
        query.image = asked->images ? asked->images[i] : NULL;
        query.direction = asked->directions ? asked->directions[i] : NULL;
        for (size_t j = 0; j < selections->count && status == HL_OK; ++j) {
            query.selection = selections->selections[j];
            status = neighbors_answer(ask, &query, neighbors, result, error);
        }
    }
    host->release(host, neighbors);
    return status;
}
