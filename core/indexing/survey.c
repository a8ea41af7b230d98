/* What the atlas already has of the gallery; see indexing.h. */
#include "core/indexing/indexing.h"

#include "core/atlas/parts.h"
#include <stdlib.h>
#include <string.h>

/* Earlier versions remembered these as if the file explained them; and those that read fewer formats said so.
 */
static bool is_outdated(const char *reason) {
    static const char FEWER_FORMATS[] = " JPEG, PNG, GIF or BMP";
    static const char *const REASONS[] = {"cannot be opened: ", "cannot be read", "out of memory ",
                                          "not a regular file"};
    for (size_t i = 0; i < sizeof REASONS / sizeof *REASONS; ++i) {
        if (strncmp(reason, REASONS[i], strlen(REASONS[i])) == 0) return true;
    }
    return strstr(reason, FEWER_FORMATS) != NULL;
}

static int64_t number_in(const shard_file *shard, size_t tensor, size_t index) {
    return ((const int64_t *)shard->data[tensor])[index];
}

row indexing_row(const shard_file *shard, size_t index) {
    const shard_layout *layout = shard->layout;
    if (index < shard->images) {
        return (row){shard->paths[index], NULL, number_in(shard, layout->bytes, index),
                     number_in(shard, layout->modified, index)};
    }
    index -= shard->images;
    return (row){shard->skips[index].path, shard->skips[index].reason,
                 number_in(shard, layout->skipped_bytes, index),
                 number_in(shard, layout->skipped_modified, index)};
}

/* Marks what is held on the way. */
static fate judge(indexing *self, row one) {
    fate without_image = indexing_keeps_others(self) ? ROW_STAYS : ROW_GOES;
    const gallery_image *image = gallery_find(self->gallery, one.path);
    if (!image) return without_image;
    size_t index = (size_t)(image - self->gallery->images);
    if (index < self->first || index >= self->last) return without_image;
    if (indexing_is_away(image)) return one.reason ? ROW_OUTDATED : without_image;
    bool same = image->bytes == one.bytes && image->modified == one.modified;
    if (!same || self->held[index] || (one.reason && is_outdated(one.reason))) return ROW_OUTDATED;
    self->held[index] = one.reason ? HELD_AS_SKIPPED : HELD_AS_IMAGE;
    return ROW_STAYS;
}

void indexing_forget_survey(indexing *self) {
    for (size_t i = 0; self->fates && i < self->old->opened; ++i) free(self->fates[i]);
    free(self->fates);
    atlas_close(self->old);
    self->fates = NULL;
    self->old = NULL;
}

size_t indexing_rows(const shard_file *shard) {
    return shard->images + shard->skipped;
}

static hl_status judge_all(indexing *self, hl_error *error) {
    if (atlas_writer_manifest(self->writer)->shard_count == 0) return HL_OK;
    hl_status status =
        atlas_open_listed(self->folder, atlas_writer_manifest(self->writer), &self->old, error);
    if (status != HL_OK) return status;
    self->fates = calloc(self->old->opened + 1, sizeof *self->fates);
    if (!self->fates) return hl_no_memory(error, "the rows of an atlas");
    for (size_t i = 0; i < self->old->opened; ++i) {
        const shard_file *shard = &self->old->shards[i];
        self->fates[i] = calloc(indexing_rows(shard) + 1, sizeof **self->fates);
        if (!self->fates[i]) return hl_no_memory(error, "the rows of an atlas");
        for (size_t k = 0; k < indexing_rows(shard); ++k) {
            self->fates[i][k] = judge(self, indexing_row(shard, k));
        }
    }
    return HL_OK;
}

/* What another part, or the whole, has need not be made again. One that is being made or of another kind does
 * not count; who puts the parts together will see. */
static hl_status look_into(indexing *self, const char *folder, hl_error *error) {
    atlas *other;
    hl_status status = strcmp(folder, self->folder) == 0 ? HL_FAILED : atlas_open(folder, &other, error);
    if (status == HL_NO_MEMORY) return status;
    if (status != HL_OK) return HL_OK;
    bool same_kind = !manifest_difference_of_codes(atlas_layout_of(other), &self->layout.atlas);
    for (size_t i = 0; same_kind && i < other->opened; ++i) {
        const shard_file *shard = &other->shards[i];
        for (size_t k = 0; k < indexing_rows(shard); ++k) judge(self, indexing_row(shard, k));
    }
    atlas_close(other);
    return HL_OK;
}

static hl_status look_elsewhere(indexing *self, hl_error *error) {
    parts_list parts;
    hl_status status = parts_find(self->settings->atlas, &parts, error);
    if (status == HL_OK) status = look_into(self, self->settings->atlas, error);
    for (size_t i = 0; i < parts.count && status == HL_OK; ++i) {
        status = look_into(self, parts.folders[i], error);
    }
    parts_list_free(&parts);
    return status;
}

hl_status indexing_survey(indexing *self, hl_error *error) {
    indexing_forget_survey(self);
    memset(self->held, 0, self->gallery->count * sizeof *self->held);
    hl_status status = judge_all(self, error);
    return status == HL_OK && self->settings->shared ? look_elsewhere(self, error) : status;
}

bool indexing_is_surveyed(const indexing *self) {
    const manifest *now = atlas_writer_manifest(self->writer), *then = self->old ? self->old->manifest : NULL;
    if (!then) return now->shard_count == 0;
    bool same = now->shard_count == then->shard_count && now->layout.columns == then->layout.columns;
    for (size_t i = 0; same && i < now->shard_count; ++i) {
        same = now->shards[i].number == then->shards[i].number && now->shards[i].sums == then->shards[i].sums;
    }
    return same;
}
