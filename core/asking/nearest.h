/* The experiment's gallery, searched: how a query of an analysis becomes a search of the atlas.
 *
 * The atlas is brought up to date and verified when the first query comes, so that an experiment which asks
 * for no neighbours pays nothing. */
#ifndef NEAREST_H
#define NEAREST_H

#include "core/atlas/gallery.h"
#include "core/engine/engine.h"
#include "core/tree/tree.h"
#include "headlight/weights.h"

typedef struct nearest nearest;

typedef struct nearest_settings {
    const char *gallery; /* a folder, a list or a gallery.json; outlives *out, as does `atlas` */
    const char *atlas;
    hl_dtype dtype;
} nearest_settings;

/* Opens nothing yet. */
hl_status nearest_open(engine *model, const nearest_settings *settings, nearest **out, hl_error *error);
void nearest_close(nearest *self); /* accepts NULL */

/* See hl_ask.nearest. Asks `ask` for the contributions of a query image. */
hl_status nearest_find(nearest *self, const hl_ask *ask, const hl_query *query, hl_neighbor *neighbors,
                       size_t *found, hl_error *error);

/* Whether the atlas was whole all the time; to be called before anything is made of what was found. */
hl_status nearest_check(const nearest *self, hl_error *error);

/* What of the gallery was searched and what was not, as "gallery" of the results: {"images": 10, "searched":
 * 8, "missing": 1, "skipped": [{"path": ..., "reason": ...}]}. `missing` files cannot be found at the moment;
 * codes that the atlas has of them were searched. Nothing before the first query. */
hl_status nearest_describe(const nearest *self, hl_item *root, hl_error *error);

/* The gallery's image behind a neighbour's path, as the search or as results call it; NULL before the first
 * query and when there is none. */
const gallery_image *nearest_image(const nearest *self, const char *path);

#endif
