/* Making and updating an atlas; see index.h.
 *
 * What the atlas holds and the gallery still has is kept; the rest of a shard is dropped by rewriting it; new
 * images are encoded in the order of their paths, shard after shard. Batches begin where shards begin, so an
 * interrupted run, taken up again, makes the same bytes as one that was not. */
#include "core/indexing/index.h"

#include "core/atlas/gallery.h"
#include "core/engine/encoder.h"
#include "core/indexing/index_layout.h"
#include "core/indexing/shard_filler.h"

#include <stdlib.h>
#include <string.h>

/* Small enough that the last batches of all threads end together, large enough for products that fill a core.
 */
enum { DEFAULT_BATCH = 8 };

typedef struct indexing {
    engine *model;
    const index_settings *settings;
    index_layout layout;
    const gallery *gallery;
    size_t first, last; /* this process's images of the gallery: [first, last) */
    bool *held;         /* by image of the gallery: the atlas has it */
    atlas_writer *writer;
    const gallery_image **pending; /* to encode */
    size_t pending_count;
    size_t dropped; /* images of the atlas */
} indexing;

/* ---- what the atlas already has ---- */

/* Whether to keep a row: the gallery still has this very file, and no other row stands for it. */
static bool hold(const indexing *self, const char *path, int64_t bytes, int64_t modified) {
    const gallery_image *image = gallery_find(self->gallery, path);
    if (!image) return self->settings->keep_others;
    if (image->bytes != bytes || image->modified != modified) return false;
    size_t index = (size_t)(image - self->gallery->images);
    if (index < self->first || index >= self->last || self->held[index]) return false;
    self->held[index] = true;
    return true;
}

static int64_t number_in(const shard_file *shard, size_t tensor, size_t row) {
    return ((const int64_t *)shard->data[tensor])[row];
}

/* Marks the rows to keep, images first, then skipped ones; returns how many. */
static size_t mark_rows(indexing *self, const shard_file *shard, bool *keep) {
    const shard_layout *layout = atlas_writer_layout(self->writer);
    size_t kept = 0;
    for (size_t i = 0; i < shard->images + shard->skipped; ++i) {
        bool skip = i >= shard->images;
        size_t row = skip ? i - shard->images : i;
        const char *path = skip ? shard->skips[row].path : shard->paths[row];
        int64_t bytes = number_in(shard, skip ? layout->skipped_bytes : layout->bytes, row);
        int64_t modified = number_in(shard, skip ? layout->skipped_modified : layout->modified, row);
        keep[i] = hold(self, path, bytes, modified);
        if (keep[i]) {
            ++kept;
        } else if (!skip) {
            ++self->dropped;
        }
    }
    return kept;
}

static hl_status rewrite(const indexing *self, const shard_file *shard, uint64_t number, const bool *keep,
                         size_t kept, hl_error *error) {
    shard_builder *smaller;
    hl_status status = shard_builder_open(atlas_writer_layout(self->writer), kept, &smaller, error);
    for (size_t i = 0; i < shard->images && status == HL_OK; ++i) {
        if (keep[i]) status = shard_builder_copy(smaller, shard, i, error);
    }
    for (size_t i = 0; i < shard->skipped && status == HL_OK; ++i) {
        if (keep[shard->images + i]) status = shard_builder_copy_skip(smaller, shard, i, error);
    }
    if (status == HL_OK) {
        status = atlas_writer_replace(self->writer, number, smaller, self->model->interface, error);
    }
    shard_builder_close(smaller);
    return status;
}

static hl_status update_shard(indexing *self, const shard_file *shard, uint64_t number, hl_error *error) {
    size_t rows = shard->images + shard->skipped;
    bool *keep = calloc(rows + 1, sizeof *keep);
    if (!keep) return hl_no_memory(error, "the rows of a shard");
    size_t kept = mark_rows(self, shard, keep);
    hl_status status = kept == rows ? HL_OK : rewrite(self, shard, number, keep, kept, error);
    free(keep);
    return status;
}

static void log_dropped(const indexing *self) {
    const hl_host *interface = self->model->interface;
    if (self->dropped == 0) return;
    interface->log(interface, HL_LOG_WARNING, "%s: dropped %zu image%s that %s, or changed since",
                   self->settings->atlas, self->dropped, self->dropped == 1 ? "" : "s",
                   self->settings->parts > 0 ? "this share of the gallery lacks" : "the gallery lacks");
}

/* Drops what has vanished or changed. */
static hl_status update_shards(indexing *self, hl_error *error) {
    const hl_host *interface = self->model->interface;
    if (atlas_writer_manifest(self->writer)->shard_count == 0) return HL_OK;
    atlas *old;
    hl_status status = atlas_open(self->settings->atlas, &old, error);
    for (size_t i = 0; status == HL_OK && i < old->opened; ++i) {
        status = update_shard(self, &old->shards[i], old->manifest->shards[i].number, error);
        if (status == HL_OK && interface->cancelled(interface)) {
            status = hl_fail(error, HL_FAILED, "cancelled");
        }
    }
    atlas_close(old);
    if (status == HL_OK) log_dropped(self);
    return status;
}

/* ---- what it has not ---- */

static void list_pending(indexing *self) {
    for (size_t i = self->first; i < self->last; ++i) {
        if (!self->held[i]) self->pending[self->pending_count++] = &self->gallery->images[i];
    }
}

static hl_status run_encoder(const indexing *self, shard_filler *filler, hl_error *error) {
    const atlas_layout *layout = &self->layout.atlas;
    hl_detail detail = layout->columns & ATLAS_FIRST ? HL_DETAIL_TOKENS : HL_DETAIL_CODES;
    hl_capture heads = {HL_SITE_HEAD, HL_ROWS_POOLED, (uint32_t)detail, self->layout.components,
                        layout->head_count};
    hl_capture others = {HL_SITE_MLP, HL_ROWS_POOLED, HL_DETAIL_CODES, self->model->others, layout->mlps};
    const hl_capture *const captures[] = {&heads, &others};
    hl_request request = {
        .size = sizeof request, .captures = captures, .capture_count = layout->columns & ATLAS_MLPS ? 2 : 1};
    encoder_settings settings = {.images = self->pending,
                                 .count = self->pending_count,
                                 .group = (size_t)atlas_writer_manifest(self->writer)->shard_size,
                                 .batch = self->settings->batch ? self->settings->batch : DEFAULT_BATCH,
                                 .request = &request,
                                 .keep = shard_filler_keep,
                                 .user = filler};
    return encoder_run(self->model, &settings, error);
}

/* A share may have no images: then an empty atlas stands for it. */
static hl_status encode_pending(const indexing *self, hl_error *error) {
    if (self->pending_count == 0) return atlas_writer_found(self->writer, error);
    shard_filler_settings settings = {.model = self->model,
                                      .layout = &self->layout,
                                      .writer = self->writer,
                                      .images = self->pending,
                                      .count = self->pending_count};
    shard_filler *filler;
    hl_status status = atlas_writer_check(self->writer, error);
    if (status == HL_OK) status = engine_load(self->model, error);
    if (status == HL_OK) status = shard_filler_open(&settings, &filler, error);
    if (status != HL_OK) return status;
    status = run_encoder(self, filler, error);
    shard_filler_close(filler);
    return status;
}

/* ---- all together ---- */

static hl_status find_share(indexing *self, hl_error *error) {
    const index_settings *settings = self->settings;
    if (settings->parts > 0 && settings->part >= settings->parts) {
        return hl_fail(error, HL_USAGE, "share %zu of %zu: shares count from 0", settings->part,
                       settings->parts);
    }
    size_t count = self->gallery->count, parts = settings->parts ? settings->parts : 1;
    size_t whole = count / parts, rest = count % parts; /* the first `rest` shares have one more */
    self->first = settings->part * whole + (settings->part < rest ? settings->part : rest);
    self->last = self->first + whole + (settings->part < rest ? 1 : 0);
    self->held = calloc(count + 1, sizeof *self->held);
    self->pending = calloc(count + 1, sizeof *self->pending);
    return self->held && self->pending ? HL_OK : hl_no_memory(error, "the list of images");
}

static void close_indexing(indexing *self) {
    atlas_writer_close(self->writer);
    index_layout_free(&self->layout);
    free(self->held);
    free(self->pending);
}

hl_status index_gallery(engine *model, const gallery *images, const index_settings *settings,
                        hl_error *error) {
    indexing self = {.model = model, .settings = settings, .gallery = images};
    hl_status status = find_share(&self, error);
    if (status == HL_OK) status = index_layout_make(model, settings, &self.layout, error);
    if (status == HL_OK) {
        status =
            atlas_writer_open(settings->atlas, &self.layout.atlas, settings->shard_size, &self.writer, error);
    }
    if (status == HL_OK) status = update_shards(&self, error);
    if (status == HL_OK) list_pending(&self);
    if (status == HL_OK) status = encode_pending(&self, error);
    close_indexing(&self);
    return status;
}
