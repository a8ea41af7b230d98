/* Which tensors a shard holds, for the layout of its atlas: one table for writing, reading and rewriting. */
#ifndef SHARD_LAYOUT_H
#define SHARD_LAYOUT_H

#include "core/atlas/atlas.h"

/* The first side of a tensor. */
typedef enum shard_extent {
    SHARD_FIXED,    /* known from the layout */
    SHARD_IMAGES,   /* one row for each image */
    SHARD_LEFT_OUT, /* one for each image that could not be read */
    SHARD_TEXT      /* as many bytes as the text has */
} shard_extent;

typedef struct shard_tensor {
    char *name;
    shard_extent extent;
    hl_dtype dtype;
    uint32_t rank;
    uint64_t shape[3]; /* shape[0] of a fixed extent; else it is the extent's */
    size_t row;        /* elements of one row, or all where the extent is fixed */
    size_t head;       /* that it is made for, or the first of them */
} shard_tensor;

typedef struct shard_layout {
    const atlas_layout *atlas;
    shard_tensor *tensors; /* in the order of the file */
    size_t count;
    /* Indices of tensors; SIZE_MAX for a column that the atlas does not have. */
    size_t moments, codes, first; /* of head 0; those of the others follow */
    size_t bytes, modified, skipped_bytes, skipped_modified;
    size_t embedding, mlps, paths, skipped;
    size_t *scalars; /* by head; SIZE_MAX where it has none */
} shard_layout;

/* HL_USAGE when heads that share their further numbers do not have the same number of them. */
hl_status shard_layout_make(const atlas_layout *layout, shard_layout *out, hl_error *error);
void shard_layout_free(shard_layout *self); /* accepts a zeroed one */

/* Of the shards of one atlas, which may differ in their optional columns. Made when first asked for. */
enum { SHARD_COLUMN_SETS = 8 };
typedef struct shard_layouts {
    atlas_layout atlases[SHARD_COLUMN_SETS]; /* by columns; their texts and heads are somebody else's */
    shard_layout layouts[SHARD_COLUMN_SETS];
    bool made[SHARD_COLUMN_SETS];
} shard_layouts;

/* `of`: the atlas, which outlives them; `mlps`: rows of ATLAS_MLPS. */
hl_status shard_layouts_find(shard_layouts *self, const atlas_layout *of, uint32_t mlps, uint32_t columns,
                             const shard_layout **out, hl_error *error);
void shard_layouts_free(shard_layouts *self); /* accepts a zeroed one */

/* Index of a tensor by name; SIZE_MAX when the shard holds none. */
size_t shard_layout_find(const shard_layout *self, const char *name);

/* Numbers of a head's whole code, and of its moments. */
size_t shard_code_width(const atlas_head *head);
size_t shard_moment_count(const atlas_head *head);

#endif
