/* What an atlas of a model will hold: which heads and columns, and the fingerprint. Part of index.h's work.
 */
#ifndef INDEX_LAYOUT_H
#define INDEX_LAYOUT_H

#include "core/atlas/atlas.h"
#include "core/indexing/index.h"

typedef struct index_layout {
    atlas_layout atlas;
    atlas_head *heads;
    uint32_t *components; /* of the model, by head of the atlas */
    char fingerprint[33];
} index_layout;

/* HL_USAGE when the settings name layers that the model lacks. An atlas that is already there says what is
 * not settled: without `layers` its heads, without `dtype` its precision, and its columns where they include
 * those that are wanted. */
hl_status index_layout_make(engine *model, const index_settings *settings, index_layout *out,
                            hl_error *error);
void index_layout_free(index_layout *self); /* accepts a zeroed one */

#endif
