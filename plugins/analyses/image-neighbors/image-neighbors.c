/* Image neighbours: which images of the gallery a head finds most like a query image. */
#include "headlight/plugin.h"
#include "neighbors/neighbors.h"

/* In the order of the table. */
enum { IMAGES, HEADS, COUNT, METRIC, INCLUDE_QUERY };

static const hl_option options[] = {
    {.name = "images", .type = HL_IMAGES, .help = "The query images; they need not be in the gallery."},
    {.name = "heads",
     .type = HL_HEADS,
     .flags = HL_OPTION_SETS | HL_OPTION_ALL_COMPONENTS,
     .help =
         "The heads to ask: a head (L3.H5), each head of a layer (L3), all of them one by one (all), or a "
         "set of heads as one, by the weighted mean of what they write (0.7*L3.H5 + L2.H1)."},
    {.name = "count",
     .type = HL_INT,
     .fallback = "8",
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

static hl_status find_nearest_to_images(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                                        hl_error *error) {
    hl_query settings = {.size = sizeof settings,
                         .metric = NEIGHBORS_METRIC_OF(values[METRIC]),
                         .count = (size_t)values[COUNT]->integer,
                         .include_query = values[INCLUDE_QUERY]->boolean};
    return neighbors_run(ask, values[IMAGES], values[HEADS], settings, result, error);
}

static const hl_analysis_api api = {
    .size = sizeof api, .run = find_nearest_to_images, .needs = HL_NEEDS_GALLERY};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "image-neighbors", "1.0.0",
              "the gallery's images that a head finds most like an image"),
    HL_OPTIONS(options),
    .api = &api,
};
