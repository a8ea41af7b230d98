/* What is behind an atlas_writer, for the two modules that it is made of. */
#ifndef WRITER_PARTS_H
#define WRITER_PARTS_H

#include "core/atlas/writer.h"

struct atlas_writer {
    char *folder;
    int lock;                   /* -1: not locked */
    manifest *manifest;         /* NULL: there is none yet */
    uint32_t columns;           /* of new shards */
    const shard_layout *layout; /* of these; the manifest's */
    bool made_folder;
    bool published; /* there is an atlas.json */
    int unwritable; /* why the folder cannot be locked and written, an errno; 0: it can */
    /* What has been copied and is not published: files, and the list of shards that there will be. */
    output *copies;
    manifest_shard *listed;
    size_t listed_count;
};

/* A number that no shard has that is listed or will be, and no other file here either. */
uint64_t writer_next_number(const atlas_writer *self);

/* Puts `files` in their places and makes `shards`, both of which it takes over, the atlas's. */
hl_status writer_change(atlas_writer *self, output *files, manifest_shard *shards, size_t count,
                        hl_error *error);

#endif
