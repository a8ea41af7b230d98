/* Text neighbours: which images of the gallery a head moves furthest towards a text. */
#include "headlight/plugin.h"
#include "neighbors/neighbors.h"

static const hl_option options[] = {
    [NEIGHBORS_ASKED] = {.name = "texts", .type = HL_DIRECTIONS, .help = "The texts to ask for."},
    NEIGHBORS_HEADS_ROW,
    NEIGHBORS_ANSWER_ROWS("3")};

static const hl_analysis_api api = {.size = sizeof api, .run = neighbors_of_texts, .needs = HL_NEEDS_GALLERY};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_ANALYSIS, "text-neighbors", "1.0.0",
              "the gallery's images that a head moves furthest towards a text"),
    HL_OPTIONS(options),
    .api = &api,
};
