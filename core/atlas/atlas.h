/* An atlas: what headlight keeps of a gallery on disk. A folder of immutable safetensors shards and
 * atlas.json.
 *
 * A shard of n images holds, for each head, `codes.L11.H3` [n, width] in f16 or f32; `scalars` [n, s] in f32,
 * the further numbers that all heads of an image share (`scalars.L11` where they belong to a layer);
 * `moments.L11.H3` in f64, made from the codes as stored: the sum over images of y, then the packed lower
 * triangle of the sum of y^T y, of the whole y; `paths` (bytes, each ending with NUL), `bytes` and `modified`
 * [n] in i64; `skipped` (bytes: path NUL reason NUL
 * ...) with `skipped_bytes` and `skipped_modified` in i64. Optional columns, as precise as the codes:
 * `embedding` [n, d], `mlps` [n, layers + 1, d], `first.L11.H3` [n, width] (the code of the first token).
 * This module knows files and numbers, no model and no compute backend. */
#ifndef ATLAS_H
#define ATLAS_H

#include "headlight/error.h"
#include "headlight/host.h"
#include "headlight/model.h"
#include "headlight/weights.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct atlas_head {
    const char *name; /* "L11.H3" */
    int32_t layer, index;
    uint32_t width, scalar_count;
    hl_scalar_scope scope; /* of its further numbers */
} atlas_head;

enum { ATLAS_EMBEDDING = 1u << 0, ATLAS_MLPS = 1u << 1, ATLAS_FIRST = 1u << 2 };

typedef struct atlas_layout {
    const char *model;       /* for people */
    const char *fingerprint; /* weights, component table, preprocessing, precision, edits */
    uint32_t embed_dim;
    hl_dtype dtype;   /* of the codes: HL_F16 or HL_F32 */
    uint32_t columns; /* ATLAS_... */
    uint32_t mlps;    /* rows of the column ATLAS_MLPS: the components that are no heads; else 0 */
    const atlas_head *heads;
    size_t head_count;
} atlas_layout;

typedef struct atlas atlas; /* opened for reading; any number of threads */

/* Part of an opened atlas that lies in one file. */
typedef struct atlas_shard {
    const char *file;    /* its path, for messages */
    size_t first, count; /* its images' numbers in the atlas */
} atlas_shard;

/* Reads atlas.json, maps the shards and checks every name, dtype and shape, and paths, sizes and times of
 * images against their checksums; reads no codes. */
hl_status atlas_open(const char *folder, atlas **out, hl_error *error);
void atlas_close(atlas *self); /* accepts NULL */

const atlas_layout *atlas_layout_of(const atlas *self);
size_t atlas_count(const atlas *self); /* images, skipped ones left out */
const char *atlas_path(const atlas *self, size_t image);
/* Its file, as it was when its codes were made: see gallery.h. */
void atlas_file_of(const atlas *self, size_t image, int64_t *bytes, int64_t *modified);
/* Of skipped file number `index` the path and why it was skipped; false past the last. */
bool atlas_skipped_at(const atlas *self, size_t index, const char **path, const char **reason);
size_t atlas_shard_count(const atlas *self);
atlas_shard atlas_shard_at(const atlas *self, size_t shard);
size_t atlas_shard_of(const atlas *self, size_t image);

/* What a question reads of an atlas. */
typedef enum atlas_what {
    ATLAS_CODES, /* of a head, and its further numbers */
    ATLAS_HEAD_MOMENTS,
    ATLAS_FIRST_CODES,
    ATLAS_EMBEDDINGS,
    ATLAS_OTHERS /* the column ATLAS_MLPS */
} atlas_what;

typedef struct atlas_part {
    atlas_what what;
    size_t head; /* where it is a head's */
} atlas_part;

/* Verifies these parts in all shards, on all threads, but for what was verified since the atlas was opened:
 * their bytes against the checksums in atlas.json, and that all numbers are numbers. To be called before they
 * are read; nothing else is touched. (A shard without checksums of its tensors, of an atlas.json of version
 * 1, is verified as a whole.) HL_USAGE, naming it, for a column that the atlas lacks; HL_FAILED, naming shard
 * and tensor, for damage. [any thread] */
hl_status atlas_touch(const atlas *self, const hl_host *host, const atlas_part *parts, size_t count,
                      hl_error *error);

/* Codes of one head in one shard: count x width numbers of the layout's dtype; in the mapped file, aligned to
 * 8 bytes. Call `atlas_touch` before. */
const void *atlas_codes(const atlas *self, size_t shard, size_t head);
/* The further numbers that go with them: count x scalar_count. */
const float *atlas_scalars(const atlas *self, size_t shard, size_t head);
/* Sums of y and of the packed lower triangle of y^T y, n = width + scalar_count: n + n (n + 1) / 2 numbers.
 */
const double *atlas_moments(const atlas *self, size_t shard, size_t head);
/* Columns: count x embed_dim, and count x mlps x embed_dim, of the layout's dtype; NULL: the atlas lacks it.
 */
const void *atlas_embeddings(const atlas *self, size_t shard);
const void *atlas_mlps(const atlas *self, size_t shard);

/* Index of a head by name; SIZE_MAX when the atlas does not hold it. */
size_t atlas_find_head(const atlas *self, const char *name);

/* Whether the shards' files are still what was opened: an error of the file that is not. To be called after
 * codes were used and before anything is made of them. `thoroughly`: asks the system for each file's size
 * besides. */
hl_status atlas_check(const atlas *self, bool thoroughly, hl_error *error);

/* "embedding", "mlps", "first": what messages and `headlight index --columns` call a column. */
const char *atlas_column_name(uint32_t column);

/* Reads every byte and compares it with the checksums in atlas.json, and refuses numbers that are none,
 * whatever the checksum; the error names the shard. */
hl_status atlas_verify(const atlas *self, const hl_host *host, hl_error *error);

#endif
