/* Property neighbours: which images of the gallery are most like a query image in one property, such as its
 * colors. The heads that carry the property are asked together. */
#include "headlight/plugin.h"
#include "neighbors/neighbors.h"

/* In the order of the table. */
enum { IMAGES, PROPERTIES, COUNT, METRIC, INCLUDE_QUERY };

static const hl_option options[] = {
    {.name = "images", .type = HL_IMAGES, .help = "The query images; they need not be in the gallery."},
    {.name = "properties",
     .type = HL_PROPERTIES,
     .help =
         "What to compare the images in; the experiment's section `properties` says which heads carry it."},
    {.name = "count",
     .type = HL_INT,
     .fallback = "4",
     .min = 1,
     .max = NEIGHBORS_MOST,
     .help = "How many neighbours to show."},
    {.name = "metric",
     .type = HL_CHOICE,
     .fallback = "dot",
     .choices = neighbors_metrics,
     .help = NEIGHBORS_METRIC_HELP},
    {.name = "include-query",
     .type = HL_BOOL,
     .fallback = "false",
     .help = "Whether a query image that is itself in the gallery may be its own neighbour."},
};

static hl_status find_like_in_property(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                                       hl_error *error) {
    hl_query settings = {.size = sizeof settings,
                         .metric = NEIGHBORS_METRIC_OF(values[METRIC]),
                         .count = (size_t)values[COUNT]->integer,
                         .include_query = values[INCLUDE_QUERY]->boolean};
    return neighbors_run(ask, values[IMAGES], values[PROPERTIES], settings, result, error);
}

static const hl_analysis_api api = {
    .size = sizeof api, .run = find_like_in_property, .needs = HL_NEEDS_GALLERY};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "property-neighbors", "1.0.0",
              "the gallery's images most like an image in one property"),
    HL_OPTIONS(options),
    .api = &api,
};
