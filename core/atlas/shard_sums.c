/* See shard_sums.h. */
#include "core/atlas/shard_sums.h"

#include <stdlib.h>

shard_sums *shard_sums_new(size_t count) {
    shard_sums *made = calloc(1, sizeof *made + count * sizeof *made->tensors);
    if (!made) return NULL;
    atomic_store(&made->owners, 1);
    made->count = count;
    return made;
}

shard_sums *shard_sums_keep(shard_sums *self) {
    if (self) atomic_fetch_add(&self->owners, 1);
    return self;
}

void shard_sums_drop(shard_sums *self) {
    if (self && atomic_fetch_sub(&self->owners, 1) == 1) free(self);
}
