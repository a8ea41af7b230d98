/* One shard of an atlas, opened for reading. */
#ifndef SHARD_FILE_H
#define SHARD_FILE_H

#include "core/atlas/manifest.h"
#include "core/io/mapping.h"

/* An image that could not be read when the shard was made. */
typedef struct shard_skip {
    const char *path, *reason;
} shard_skip;

typedef struct shard_file {
    char *path; /* of the file */
    mapping file;
    const shard_layout *layout;
    const void **data; /* by tensor of the layout, where it lies: in the file, or among what was copied */
    size_t *bytes;     /* by tensor: how many */
    const shard_sums *sums; /* NULL: not known */
    size_t images, skipped;
    char *texts;        /* paths and reasons, copied: they outlive a file that changes */
    int64_t *numbers;   /* sizes and times of images, copied too */
    const char **paths; /* of the images */
    shard_skip *skips;
} shard_file;

/* Maps FOLDER's file of the shard and checks every tensor against the layout and, where its checksums are
 * known, the bytes of the header and of all that is copied. Layout and shard outlive it. */
hl_status shard_open(const char *folder, const manifest_shard *shard, const shard_layout *layout,
                     shard_file *out, hl_error *error);
/* The same with bytes that lie in memory, at a multiple of 8. */
hl_status shard_parse(const char *name, mapping file, const manifest_shard *shard, const shard_layout *layout,
                      shard_file *out, hl_error *error);
void shard_close(shard_file *self); /* accepts a zeroed one */

/* Whether the file is still what was mapped: to be called after its bytes were used. */
hl_status shard_check(const shard_file *self, hl_error *error);

/* Compares one tensor's bytes with its checksum, which must be known, and refuses numbers that are none. */
hl_status shard_verify_tensor(const shard_file *self, size_t tensor, hl_error *error);

/* The same for all bytes of the file. */
hl_status shard_verify(const shard_file *self, const manifest_shard *shard, hl_error *error);

/* The checksums of a shard that has been verified as a whole; NULL: no memory. */
shard_sums *shard_sum(const shard_file *self);

#endif
