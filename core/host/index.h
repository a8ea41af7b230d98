/* Making an atlas: walks a gallery, encodes in batches on all cores, writes shard after shard. */
#ifndef INDEX_H
#define INDEX_H

#include "core/host/engine.h"
#include "headlight/library.h"
#include "headlight/weights.h"

typedef struct index_settings {
    const char *gallery; /* a folder, a list or a gallery.json */
    const char *atlas;   /* the folder to make or to bring up to date */
    const char *layers;  /* "all", "L3", "L8-L11"; NULL: all */
    hl_dtype dtype;      /* HL_F16 or HL_F32 */
    uint32_t columns;    /* ATLAS_... */
    size_t shard_size;   /* images in a shard; 0: the default */
    size_t batch;        /* images in one pass of one thread; 0: the default */
    size_t part, parts;  /* this process's share of the gallery: number `part` of `parts`; parts == 0: all */
} index_settings;

/* Needs an engine that is open; loads it only when there is something to encode. Afterwards the atlas holds
 * exactly the gallery's readable images. Unreadable ones are logged and listed. */
hl_status index_gallery(engine *model, const index_settings *settings, hl_error *error);

/* 32 hex digits and NUL over everything that codes depend on. */
hl_status index_fingerprint(const engine *model, hl_dtype dtype, char out[33], hl_error *error);

#endif
