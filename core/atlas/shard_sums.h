/* The checksums of what a shard holds, tensor by tensor: one block that all lists with the shard share. Never
 * changed once it is made. */
#ifndef SHARD_SUMS_H
#define SHARD_SUMS_H

#include "core/io/checksum.h"
#include <stdatomic.h>

typedef struct shard_sums {
    atomic_size_t owners;
    size_t count;               /* of tensors: those of the shard's layout, in its order */
    char header[CHECKSUM_ROOM]; /* of what comes before the first tensor */
    char tensors[][CHECKSUM_ROOM];
} shard_sums;

/* To be filled, with one owner; NULL: no memory. */
shard_sums *shard_sums_new(size_t count);
shard_sums *shard_sums_keep(shard_sums *self); /* one owner more; accepts NULL */
void shard_sums_drop(shard_sums *self);        /* one less, and freed with the last; accepts NULL */

#endif
