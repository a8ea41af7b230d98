/* What is behind an opened atlas, for those who rewrite and merge. */
#ifndef OPENED_H
#define OPENED_H

#include "core/atlas/shard_file.h"

struct atlas {
    manifest *manifest;
    shard_layout layout;
    shard_file *shards; /* as many as the manifest's */
    size_t opened;      /* of them */
    size_t *firsts;     /* number of each shard's first image, and of all images */
};

#endif
