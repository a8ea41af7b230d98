/* What atlas.json calls things: for reading and writing it. */
#ifndef MANIFEST_WORDS_H
#define MANIFEST_WORDS_H

#include "core/atlas/manifest.h"
#include <cjson/cJSON.h>

enum { MANIFEST_VERSION = 2 };

typedef struct manifest_word {
    const char *name;
    uint32_t code;
} manifest_word;

/* Each ends with a row without a name. */
extern const manifest_word MANIFEST_DTYPES[], MANIFEST_SCOPES[], MANIFEST_COLUMNS[];

/* A document with these shards as atlas.json has it; NULL: no memory, or a shard's layout cannot be made. */
cJSON *manifest_describe(const atlas_layout *layout, uint32_t mlps, uint64_t shard_size,
                         const manifest_shard *shards, size_t count, shard_layouts *layouts);

/* Reads such a document and deletes it. */
hl_status manifest_read_document(const char *name, cJSON *document, manifest **out, hl_error *error);

/* Makes the texts and heads of `from` the manifest's own. False: no memory. */
bool manifest_own_layout(manifest *self, const atlas_layout *from);

#endif
