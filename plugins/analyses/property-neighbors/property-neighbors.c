/* Property neighbours: which images of the gallery are most like a query image in one property, such as its
 * colors. The heads that carry the property are asked together. */
#include "headlight/plugin.h"
#include "neighbors/neighbors.h"

static const hl_option options[] = {
    NEIGHBORS_IMAGES_ROW,
    [NEIGHBORS_SELECTIONS] = {.name = "properties",
                              .type = HL_PROPERTIES,
                              .help = "What to compare the images in; the experiment's section `properties` "
                                      "says which heads carry it."},
    NEIGHBORS_ANSWER_ROWS("4"), NEIGHBORS_INCLUDE_QUERY_ROW};

static const hl_analysis_api api = {
    .size = sizeof api, .run = neighbors_of_images, .needs = HL_NEEDS_GALLERY};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "property-neighbors", "1.0.0",
              "the gallery's images most like an image in one property"),
    HL_OPTIONS(options),
    .api = &api,
};
