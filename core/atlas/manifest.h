/* What atlas.json says: the layout and the list of shards, each with its checksums.
 *
 * Version 2 has a checksum for each tensor of a shard and for its header, so that a reader checks what it
 * reads and nothing else. Version 1 has one for the whole file only; such a shard may stand in a version 2
 * too, until its atlas is brought up to date. What is written is version 2. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "core/atlas/shard_layout.h"
#include "core/atlas/shard_sums.h"

#define MANIFEST_FILE "atlas.json"

typedef struct manifest_shard {
    uint64_t number; /* in its file's name */
    uint64_t images, skipped, bytes;
    uint32_t columns;             /* ATLAS_..., those of the atlas among them */
    char checksum[CHECKSUM_ROOM]; /* of the whole file */
    shard_sums *sums;             /* NULL: not known yet. Owned by the list that the shard is in */
} manifest_shard;

typedef struct manifest {
    atlas_layout layout; /* what all shards have in common; points into `heads` and `texts` */
    atlas_head *heads;
    uint32_t mlps;       /* rows of the column ATLAS_MLPS, of whichever shard; 0: not known */
    uint64_t shard_size; /* images that a new shard takes */
    manifest_shard *shards;
    size_t shard_count;
    char *texts;           /* owns the strings */
    shard_layouts layouts; /* of its shards: see manifest_layout */
} manifest;

/* Of an atlas without shards. */
hl_status manifest_make(const atlas_layout *layout, uint64_t shard_size, manifest **out, hl_error *error);
hl_status manifest_copy(const manifest *from, manifest **out, hl_error *error);
/* HL_USAGE when the folder holds no atlas.json. */
hl_status manifest_read(const char *folder, manifest **out, hl_error *error);
/* A file of the folder that is written like an atlas.json; *out is NULL when it is not there. */
hl_status manifest_find(const char *folder, const char *name, manifest **out, hl_error *error);
/* From memory; `name` is for messages. */
hl_status manifest_parse(const char *name, const uint8_t *bytes, size_t count, manifest **out,
                         hl_error *error);
void manifest_free(manifest *self); /* accepts NULL */

/* Replaces the file `name` of the folder as a whole. Always the same bytes for the same manifest. */
hl_status manifest_write(const manifest *self, const char *folder, const char *name, hl_error *error);

/* The layout of shards with these columns; owned by the manifest. [one thread at a time] */
hl_status manifest_layout(manifest *self, uint32_t columns, const shard_layout **out, hl_error *error);

/* Columns that each of the shards has; `none`: where there is no shard. */
uint32_t manifest_common_columns(const manifest_shard *shards, size_t count, uint32_t none);

/* Lists of shards. A copy has room for one more; NULL: no memory. */
manifest_shard *manifest_copy_list(const manifest_shard *shards, size_t count);
void manifest_free_list(manifest_shard *shards, size_t count); /* accepts NULL */

bool manifest_lists(const manifest *self, uint64_t number);
/* Whether it lists a shard with the same bytes. */
bool manifest_holds(const manifest *self, const manifest_shard *shard);

enum { MANIFEST_NAME_ROOM = 48 };
/* "shard-000000.safetensors" */
void manifest_shard_name(uint64_t number, char out[MANIFEST_NAME_ROOM]);
/* The number in a shard's file name; false when it is none. */
bool manifest_shard_number(const char *name, uint64_t *number);

/* What two layouts differ in, for messages; NULL when codes of one may stand beside codes of the other. The
 * second looks past the optional columns, which can be added. */
const char *manifest_difference(const atlas_layout *a, const atlas_layout *b);
const char *manifest_difference_of_codes(const atlas_layout *a, const atlas_layout *b);

/* HL_USAGE when codes of the wanted layout may not stand beside those of the atlas in `folder`. */
hl_status manifest_check(const manifest *self, const atlas_layout *wanted, const char *folder,
                         hl_error *error);

#endif
