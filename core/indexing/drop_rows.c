/* Rows that leave an atlas: of images that the gallery lacks, or has otherwise by now; see indexing.h. */
#include "core/indexing/indexing.h"

#include <stdlib.h>

/* Images with this fate, skipped ones left out. */
static size_t count_images(const indexing *self, fate which) {
    size_t count = 0;
    for (size_t i = 0; self->old && i < self->old->opened; ++i) {
        for (size_t k = 0; k < self->old->shards[i].images; ++k) count += self->fates[i][k] == which;
    }
    return count;
}

static bool all_stay(const indexing *self) {
    for (size_t i = 0; self->old && i < self->old->opened; ++i) {
        for (size_t k = 0; k < indexing_rows(&self->old->shards[i]); ++k) {
            if (self->fates[i][k] != ROW_STAYS) return false;
        }
    }
    return true;
}

static const char *who_lacks(const indexing *self) {
    return self->settings->parts > 0 ? "this share of the gallery" : "the gallery";
}

/* More often than not a disk is missing, or the wrong gallery was named. */
hl_status indexing_check_loss(const indexing *self, hl_error *error) {
    size_t going = count_images(self, ROW_GOES), all = self->old ? atlas_count(self->old) : 0;
    if (self->settings->prune || going <= all / 2) return HL_OK;
    return hl_fail(
        error, HL_FAILED,
        "%s: %s lacks %zu of its %zu images, or cannot find them at the moment; nothing was changed: "
        "see that the gallery is the right one and all of it is there, or give --prune to drop them",
        self->settings->atlas, who_lacks(self), going, all);
}

/* Whether the row leaves the atlas. With `keep_others` it does so only for a newer one of the same image. */
static bool leaves(const indexing *self, const shard_file *shard, size_t index, fate of) {
    if (of != ROW_OUTDATED || !indexing_keeps_others(self)) return of != ROW_STAYS;
    const gallery_image *image = gallery_find(self->gallery, indexing_row(shard, index).path);
    holding newer = image ? self->held[image - self->gallery->images] : HELD_NOT;
    return newer == HELD_AS_IMAGE || (newer && index >= shard->images);
}

/* What stays is copied once it is known to be right: damage would get a right checksum. */
static hl_status rewrite(const indexing *self, size_t number, size_t kept, hl_error *error) {
    const shard_file *shard = &self->old->shards[number];
    const manifest_shard *listed = &self->old->manifest->shards[number];
    shard_builder *smaller;
    hl_status status = shard_verify(shard, listed, error);
    if (status == HL_OK) status = shard_builder_open(shard->layout, kept, &smaller, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < indexing_rows(shard) && status == HL_OK; ++i) {
        if (leaves(self, shard, i, self->fates[number][i])) continue;
        status = i < shard->images ? shard_builder_copy(smaller, shard, i, error)
                                   : shard_builder_copy_skip(smaller, shard, i - shard->images, error);
    }
    if (status == HL_OK) {
        status = atlas_writer_replace(self->writer, listed->number, smaller, self->model->interface, error);
    }
    shard_builder_close(smaller);
    return status;
}

static hl_status rewrite_shards(const indexing *self, hl_error *error) {
    const hl_host *interface = self->model->interface;
    hl_status status = HL_OK;
    for (size_t i = 0; status == HL_OK && self->old && i < self->old->opened; ++i) {
        const shard_file *shard = &self->old->shards[i];
        size_t kept = 0;
        for (size_t k = 0; k < indexing_rows(shard); ++k) kept += !leaves(self, shard, k, self->fates[i][k]);
        if (kept < indexing_rows(shard)) status = rewrite(self, i, kept, error);
        if (status == HL_OK) status = hl_check_cancelled(interface, error);
    }
    return status;
}

static void log_changes(const indexing *self) {
    const char *folder = self->folder;
    size_t gone = count_images(self, ROW_GOES), outdated = 0;
    for (size_t i = 0; self->old && i < self->old->opened; ++i) {
        const shard_file *shard = &self->old->shards[i];
        for (size_t k = 0; k < shard->images; ++k) {
            fate of = self->fates[i][k];
            outdated += of == ROW_OUTDATED && leaves(self, shard, k, of);
        }
    }
    if (gone > 0) {
        indexing_warn(self, "%s: dropped %zu image%s that %s lacks", folder, gone, indexing_plural(gone),
                      who_lacks(self));
    }
    if (outdated > 0) {
        indexing_warn(self, "%s: dropped earlier codes of %zu image%s that changed since", folder, outdated,
                      indexing_plural(outdated));
    }
}

/* Looks again, for what was outdated may have a newer row now. */
hl_status indexing_drop_rows(indexing *self, hl_error *error) {
    bool may_wait = indexing_keeps_others(self) && atlas_writer_check(self->writer, NULL) != HL_OK;
    if (may_wait || all_stay(self)) return HL_OK;
    hl_status status = indexing_survey(self, error);
    if (status == HL_OK) status = rewrite_shards(self, error);
    if (status == HL_OK) log_changes(self);
    return status;
}
