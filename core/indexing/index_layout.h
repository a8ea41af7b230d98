/* What an atlas of a model will hold: which heads and columns, and the fingerprint. Part of index.h's work.
 */
#ifndef INDEX_LAYOUT_H
#define INDEX_LAYOUT_H

#include "core/atlas/manifest.h"
#include "core/indexing/index.h"

typedef struct index_layout {
    atlas_layout atlas;
    atlas_head *heads;
    uint32_t *components; /* of the model, by head of the atlas */
    char fingerprint[33];
} index_layout;

/* HL_USAGE when the settings name layers that the model lacks. An atlas that is already there (NULL: none)
 * says what is not settled: without `layers` its heads, without `dtype` its precision; and its columns stay.
 */
hl_status index_layout_make(engine *model, const index_settings *settings, const manifest *found,
                            index_layout *out, hl_error *error);
/* Whether codes of this model may stand beside those of the atlas that is there. *found, to be freed, says
 * what it holds; NULL: none is there. Writes nothing. */
hl_status index_layout_check(engine *model, const index_settings *settings, manifest **found,
                             hl_error *error);
void index_layout_free(index_layout *self); /* accepts a zeroed one */

/* The manifest of an atlas that is already there, or of the first part of one, or NULL. */
hl_status index_layout_look(const char *folder, manifest **out, hl_error *error);

#endif
