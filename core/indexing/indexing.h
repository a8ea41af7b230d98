/* One update of an atlas while it runs: what the steps in index.c hand to each other. */
#ifndef INDEXING_H
#define INDEXING_H

#include "core/atlas/writer.h"
#include "core/indexing/index.h"
#include "core/indexing/index_layout.h"
#include "core/indexing/shard_filler.h"

/* What becomes of a row of the atlas, an image or a skipped one. */
typedef enum fate {
    ROW_STAYS,
    ROW_GOES,    /* the gallery lacks its image, or has it elsewhere */
    ROW_OUTDATED /* its file has changed, or there is another row for it */
} fate;

typedef enum holding { HELD_NOT, HELD_AS_SKIPPED, HELD_AS_IMAGE } holding;

typedef struct indexing {
    engine *model;
    const index_settings *settings;
    char *folder; /* the atlas that is written: the settings' or a part of it */
    index_layout layout;
    const gallery *gallery;
    size_t first, last;   /* this process's images of the gallery: [first, last) */
    holding *held;        /* by image of the gallery: what the atlas has of it as it is now */
    atlas_writer *writer; /* of the folder */
    atlas *old;           /* as it was surveyed last; NULL when it is empty */
    fate **fates;         /* by shard of it, and row: images first, then skipped ones */
} indexing;

void indexing_warn(const indexing *self, const char *format, ...) __attribute__((format(printf, 2, 3)));
const char *indexing_plural(size_t count);         /* "" or "s" */
bool indexing_is_away(const gallery_image *image); /* its file cannot be found at the moment */

/* What a part holds is dropped, if at all, when it is put to the others. */
bool indexing_keeps_others(const indexing *self);

/* Parts that several processes left, done or not, become this atlas's own. (adopt_parts.c) */
hl_status indexing_adopt_parts(const indexing *self, hl_error *error);

/* Compares all rows of the atlas with the gallery: fills `old`, `fates` and `held`. (survey.c) */
hl_status indexing_survey(indexing *self, hl_error *error);
void indexing_forget_survey(indexing *self);
/* Whether the atlas is still what was surveyed. */
bool indexing_is_surveyed(const indexing *self);

/* A row of a shard: its images first, then its skipped ones. */
typedef struct row {
    const char *path, *reason; /* reason: NULL of an image */
    int64_t bytes, modified;
} row;
row indexing_row(const shard_file *shard, size_t index);
size_t indexing_rows(const shard_file *shard);

/* HL_FAILED when more would go than anybody can have meant. (drop_rows.c) */
hl_status indexing_check_loss(const indexing *self, hl_error *error);
/* Rewrites shards without the rows that leave; surveys again. */
hl_status indexing_drop_rows(indexing *self, hl_error *error);

/* Adds what the gallery has and the atlas has not. (encode.c) */
hl_status indexing_encode(const indexing *self, hl_error *error);
/* These images, in this order, through a filler. */
hl_status indexing_run_encoder(const indexing *self, const gallery_image *const *images, size_t count,
                               size_t group, uint32_t columns, shard_filler *filler, hl_error *error);

/* Shards that lack columns which are wanted get them. (add_columns.c) */
hl_status indexing_add_columns(indexing *self, hl_error *error);

/* Shards get the checksums that an atlas.json of version 1 lacks. (add_sums.c) */
hl_status indexing_add_sums(indexing *self, hl_error *error);

#endif
