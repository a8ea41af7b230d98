/* What is behind an opened atlas, for those who rewrite and merge. */
#ifndef OPENED_H
#define OPENED_H

#include "core/atlas/shard_file.h"

struct atlas {
    manifest *manifest;         /* its own */
    const shard_layout *layout; /* of what all shards have */
    shard_file *shards;         /* as many as the manifest's */
    size_t opened;              /* of them */
    size_t *firsts;             /* number of each shard's first image, and of all images */
    struct touched *touched;    /* what has been verified: see touch.c */
};

/* An atlas from what its atlas.json said when it was read, which is copied. */
hl_status atlas_open_listed(const char *folder, const manifest *listed, atlas **out, hl_error *error);

/* Of touch.c. */
hl_status touched_open(const atlas *self, struct touched **out, hl_error *error);
void touched_close(struct touched *self, size_t shards); /* accepts NULL */

#endif
