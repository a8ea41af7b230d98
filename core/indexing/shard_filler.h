/* From encoded batches to the shards of an atlas: asks each trace for what the atlas's layout wants, and
 * writes a shard when it is full. Knows traces and shards, not how images are decoded and encoded. */
#ifndef SHARD_FILLER_H
#define SHARD_FILLER_H

#include "core/atlas/gallery.h"
#include "core/atlas/shard_file.h"
#include "core/atlas/writer.h"
#include "core/engine/encoder.h"
#include "core/indexing/index_layout.h"

typedef struct shard_filler shard_filler;

typedef struct shard_filler_settings {
    engine *model;
    const index_layout *layout;
    atlas_writer *writer;
    const gallery_image *const *images; /* that will come, in their order */
    size_t count;

    /* NULL: new shards are made of the images. Else these are the images of this shard of the atlas, in its
     * order, and a shard takes its place that has the columns of the layout which it lacks, all else being
     * copied. It has been verified, and holds images. */
    const shard_file *origin;
    uint64_t origin_number;
} shard_filler_settings;

/* What the settings point at outlives it. */
hl_status shard_filler_open(const shard_filler_settings *settings, shard_filler **out, hl_error *error);
void shard_filler_close(shard_filler *self); /* drops a shard that is not full; accepts NULL */

/* An encoder's `keep`; user: the filler. Images that could not be read are logged and, where that
 * follows from their content, listed in the shard; an image of an origin that cannot be read is an error. */
hl_status shard_filler_keep(void *user, const encoded_batch *batch, hl_error *error);

#endif
