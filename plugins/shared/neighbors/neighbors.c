/* See neighbors.h. */
#include "neighbors/neighbors.h"

const char *const neighbors_metrics[] = {"dot", "cosine", NULL};

static hl_status answer(const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors, hl_result *result,
                        hl_error *error) {
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

static hl_status run(const hl_ask *ask, const hl_value *const *values, bool include_query, hl_result *result,
                     hl_error *error) {
    const hl_host *host = ask->host;
    const hl_value *asked = values[NEIGHBORS_ASKED], *selections = values[NEIGHBORS_SELECTIONS];
    const hl_query settings = {.size = sizeof settings,
                               .metric = (uint32_t)(HL_DOT + values[NEIGHBORS_METRIC]->integer),
                               .count = (size_t)values[NEIGHBORS_COUNT]->integer,
                               .include_query = include_query};
    hl_neighbor *neighbors = host->allocate(host, settings.count, sizeof *neighbors);
    hl_status status = neighbors ? HL_OK : hl_no_memory(error, "neighbours");
    for (size_t i = 0; i < asked->count && status == HL_OK; ++i) {
        hl_query query = settings;
        query.image = asked->images ? asked->images[i] : NULL;
        query.direction = asked->directions ? asked->directions[i] : NULL;
        for (size_t j = 0; j < selections->count && status == HL_OK; ++j) {
            query.selection = selections->selections[j];
            status = answer(ask, &query, neighbors, result, error);
        }
    }
    host->release(host, neighbors);
    return status;
}

hl_status neighbors_of_images(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                              hl_error *error) {
    return run(ask, values, values[NEIGHBORS_INCLUDE_QUERY]->boolean, result, error);
}

hl_status neighbors_of_texts(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                             hl_error *error) {
    return run(ask, values, false, result, error);
}
