/* Image neighbours: which images of the gallery a head finds most like a query image. */
#include "headlight/plugin.h"
#include "neighbors/neighbors.h"

static const hl_option options[] = {NEIGHBORS_IMAGES_ROW, NEIGHBORS_HEADS_ROW, NEIGHBORS_ANSWER_ROWS("8"),
                                    NEIGHBORS_INCLUDE_QUERY_ROW};

static const hl_analysis_api api = {
    .size = sizeof api, .run = neighbors_of_images, .needs = HL_NEEDS_GALLERY};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "image-neighbors", "1.0.0",
              "the gallery's images that a head finds most like an image"),
    HL_OPTIONS(options),
    .api = &api,
};
