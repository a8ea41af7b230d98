/* What atlas.json says: the layout and the list of shards. */
#ifndef MANIFEST_H
#define MANIFEST_H

#include "core/atlas/atlas.h"
#include "core/io/checksum.h"
#include <cjson/cJSON.h>

#define MANIFEST_FILE "atlas.json"

typedef struct manifest_shard {
    uint64_t number; /* in its file's name */
    uint64_t images, skipped, bytes;
    char checksum[CHECKSUM_ROOM]; /* of the whole file */
} manifest_shard;

typedef struct manifest {
    atlas_layout layout; /* points into `document` and `heads` */
    atlas_head *heads;
    uint64_t shard_size; /* images that a new shard takes */
    manifest_shard *shards;
    size_t shard_count;
    cJSON *document; /* owns the strings */
} manifest;

/* Of an atlas without shards. */
hl_status manifest_make(const atlas_layout *layout, uint64_t shard_size, manifest **out, hl_error *error);
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

bool manifest_lists(const manifest *self, uint64_t number);
/* Whether it lists a shard with the same bytes. */
bool manifest_holds(const manifest *self, const manifest_shard *shard);

enum { MANIFEST_NAME_ROOM = 48 };
/* "shard-000000.safetensors" */
void manifest_shard_name(uint64_t number, char out[MANIFEST_NAME_ROOM]);
/* The number in a shard's file name; false when it is none. */
bool manifest_shard_number(const char *name, uint64_t *number);

/* What two layouts differ in, for messages; NULL when codes of one may stand beside codes of the other. */
const char *manifest_difference(const atlas_layout *a, const atlas_layout *b);

#endif
