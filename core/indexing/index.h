/* Making an atlas: walks a gallery, encodes in batches on all cores, writes shard after shard. */
#ifndef INDEX_H
#define INDEX_H

#include "core/atlas/atlas.h"
#include "core/atlas/gallery.h"
#include "core/engine/engine.h"
#include "headlight/library.h"
#include "headlight/weights.h"

typedef struct index_settings {
    const char *atlas;  /* the folder to make or to bring up to date */
    const char *layers; /* "all", "L3", "L8-L11"; NULL: all */
    hl_dtype dtype;     /* HL_F16 or HL_F32; 0: that of the atlas which is there, else HL_F16 */
    uint32_t columns;   /* ATLAS_..., beside those that the atlas has */
    size_t shard_size;  /* images in a shard; 0: the default */
    size_t batch;       /* images in one pass of one thread; 0: the default */
    size_t part, parts; /* this process's share of the gallery: number `part` of `parts`; parts == 0: all */
    bool shared;        /* other processes share `atlas`: this one writes its part of it, see parts.h */
    bool keep_others;   /* nothing is dropped but for newer codes of the same image */
    bool prune;         /* also drop more than half of what the atlas holds */
    const engine_edits *edits; /* in every pass, and so in the fingerprint; NULL: none */
} index_settings;

/* Needs an engine that is open; loads it only when there is something to encode. Afterwards the atlas holds
 * the gallery's readable images, and, unless `keep_others`, no others. Images that cannot be read are logged,
 * and remembered if their content explains it; how many were dropped, and how many cannot be found, is
 * logged. HL_FAILED, with nothing changed, when more than half of the atlas would be dropped unasked; and
 * when the atlas of a whole gallery ends without an image. An atlas that has all it needs is not written to.
 * Columns that are wanted and that it lacks are added to it, as are the checksums that an atlas.json of
 * version 1 lacks. *opened, unless `opened` is NULL, is the atlas as it is then; atlas.json is read once. */
hl_status index_gallery(engine *model, const gallery *images, const index_settings *settings, atlas **opened,
                        hl_error *error);

/* The same by `parts` processes at once that share `settings->atlas`: each makes its part; whoever is last
 * puts all parts together, as `index_gallery` does with parts that it finds. Parts of processes that failed
 * stay, and are gone on with or used by those who come later, however many. */
hl_status index_shared(engine *model, const gallery *images, const index_settings *settings, hl_error *error);

#endif
