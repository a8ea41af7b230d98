/* A gallery that can be searched: how a query becomes a search of the atlas.
 *
 * The atlas is brought up to date and verified when the first query comes, so that whoever asks for no
 * neighbours pays nothing. */
#ifndef NEAREST_H
#define NEAREST_H

#include "core/asking/edits.h"
#include "core/atlas/atlas.h"
#include "core/atlas/gallery.h"
#include "core/atlas/reading.h"
#include "core/engine/engine.h"
#include "core/tree/tree.h"
#include "headlight/weights.h"

typedef struct hl_gallery nearest;

typedef struct nearest_settings {
    const char *gallery; /* a folder, a list or a gallery.json; copied, as is `atlas` */
    const char *atlas;
    hl_dtype dtype;
    uint32_t columns;         /* ATLAS_..., which the atlas gets if it lacks them */
    const edit_list *changed; /* in the passes over its images; NULL: none */
} nearest_settings;

/* Opens nothing yet. Any number of threads may then ask. */
hl_status nearest_open(engine *model, const nearest_settings *settings, nearest **out, hl_error *error);
void nearest_close(nearest *self); /* accepts NULL */

/* Brings its atlas up to date and opens it, once; `nearest_find` does so itself. `columns`: which it gets
 * then besides those of the settings, if it lacks them. What follows is there then: the images that can be
 * searched, in the order of their paths, as numbers of the atlas's images. */
hl_status nearest_prepare(nearest *self, uint32_t columns, hl_error *error);
const atlas *nearest_atlas(const nearest *self);
size_t nearest_count(const nearest *self);
size_t nearest_at(const nearest *self, size_t index);
atlas_images nearest_images(const nearest *self, size_t first, size_t count);

/* A component as the atlas holds it. HL_USAGE when it does not. */
hl_status nearest_head(const nearest *self, const hl_component *component, size_t *head, hl_error *error);

/* A component that is no head: its row of the column `mlps`. HL_USAGE where the atlas lacks that column. */
hl_status nearest_other(const nearest *self, uint32_t component, size_t *row, hl_error *error);

/* Whether the gallery can be read, and whether the atlas that is there can answer for these selections; none
 * is no error. Needs no weights and writes nothing. */
hl_status nearest_look(nearest *self, const hl_selection *const *selections, size_t count, hl_error *error);

/* The columns of an atlas, ATLAS_..., that a search over this selection reads besides codes. */
uint32_t nearest_columns(const hl_model_info *model, const hl_selection *selection);

/* And those that a plugin says it needs: HL_NEEDS_EMBEDDINGS, and HL_NEEDS_MLPS where the model has any. */
uint32_t nearest_columns_of_needs(const hl_model_info *model, uint32_t needs);

/* See hl_ask.nearest. Asks `ask` for the contributions of a query image. */
hl_status nearest_find(nearest *self, const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors,
                       size_t *found, hl_error *error);

/* Whether the atlas was whole all the time; to be called before anything is made of what was found. */
hl_status nearest_check(const nearest *self, hl_error *error);

/* What of the gallery was searched and what was not, as "gallery" of the results: {"images": 10, "searched":
 * 8, "missing": 1, "skipped": [{"path": ..., "reason": ...}]}. `missing` files cannot be found at the moment;
 * codes that the atlas has of them were searched. Nothing before the first query. */
hl_status nearest_describe(const nearest *self, hl_item *root, hl_error *error);

const nearest_settings *nearest_settings_of(const nearest *self);

/* The gallery's image behind a neighbour's path, as the search or as results call it; NULL before the first
 * query and when there is none. */
const gallery_image *nearest_image(const nearest *self, const char *path);

/* What the gallery says of it, for tree_set_facts; NULL: nothing. `user` is a nearest, or NULL. */
const hl_node *nearest_facts(void *user, const char *path);

#endif
