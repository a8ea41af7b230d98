/* Making and updating an atlas; see index.h.
 *
 * What the atlas holds and the gallery still has is kept; the rest of a shard is dropped by rewriting it; new
 * images are encoded in the order of their paths, shard after shard. Batches begin where shards begin, so an
 * interrupted run, taken up again, makes the same bytes as one that was not. */
#include "core/host/index.h"

#include "core/atlas/gallery.h"
#include "core/atlas/writer.h"
#include "core/host/decode_ahead.h"
#include "core/host/index_layout.h"

#include <stdlib.h>
#include <string.h>

typedef struct indexing {
    engine *model;
    const index_settings *settings;
    index_layout layout;
    gallery *gallery;
    size_t first, last; /* this process's images of the gallery: [first, last) */
    bool *held;         /* by image of the gallery: the atlas has it */
    atlas_writer *writer;
    const gallery_image **pending; /* to encode */
    size_t pending_count;
    shard_builder *shard;
    hl_trace **traces;
    float *codes;         /* of one component and all images of a batch, or the tokens of one head */
    float *expanded;      /* of one component and all images of a batch */
    float *contributions; /* the column ATLAS_MLPS of all images of a batch */
} indexing;

/* ---- what the atlas already has ---- */

/* Whether the gallery still has this very file, and no other row of the atlas stands for it. */
static bool still_there(const indexing *self, const char *path, int64_t bytes, int64_t modified) {
    const gallery_image *image = gallery_find(self->gallery, path);
    if (!image || image->bytes != bytes || image->modified != modified) return false;
    size_t index = (size_t)(image - self->gallery->images);
    return index >= self->first && index < self->last && !self->held[index];
}

static void hold(const indexing *self, const char *path) {
    self->held[gallery_find(self->gallery, path) - self->gallery->images] = true;
}

static int64_t number_in(const shard_file *shard, size_t tensor, size_t row) {
    return ((const int64_t *)shard->data[tensor])[row];
}

/* Marks the rows to keep, images first, then skipped ones; returns how many. */
static size_t mark_rows(const indexing *self, const shard_file *shard, bool *keep) {
    const shard_layout *layout = atlas_writer_layout(self->writer);
    size_t kept = 0;
    for (size_t i = 0; i < shard->images + shard->skipped; ++i) {
        bool skip = i >= shard->images;
        size_t row = skip ? i - shard->images : i;
        const char *path = skip ? shard->skips[row].path : shard->paths[row];
        int64_t bytes = number_in(shard, skip ? layout->skipped_bytes : layout->bytes, row);
        int64_t modified = number_in(shard, skip ? layout->skipped_modified : layout->modified, row);
        keep[i] = still_there(self, path, bytes, modified);
        if (!keep[i]) continue;
        hold(self, path);
        ++kept;
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

static hl_status update_shard(const indexing *self, const shard_file *shard, uint64_t number,
                              hl_error *error) {
    size_t rows = shard->images + shard->skipped;
    bool *keep = calloc(rows + 1, sizeof *keep);
    if (!keep) return hl_no_memory(error, "the rows of a shard");
    size_t kept = mark_rows(self, shard, keep);
    hl_status status = kept == rows ? HL_OK : rewrite(self, shard, number, keep, kept, error);
    free(keep);
    return status;
}

/* Drops what has vanished or changed. */
static hl_status update_shards(const indexing *self, hl_error *error) {
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
    return status;
}

/* ---- one batch ---- */

static size_t batch_size(const indexing *self) {
    return self->model->batch;
}

static hl_status encode(indexing *self, const decoded_batch *batch, hl_error *error) {
    const engine *model = self->model;
    hl_detail detail = self->layout.atlas.columns & ATLAS_FIRST ? HL_DETAIL_TOKENS : HL_DETAIL_CODES;
    hl_capture heads = {HL_SITE_HEAD, HL_ROWS_POOLED, (uint32_t)detail, self->layout.components,
                        self->layout.atlas.head_count};
    hl_capture others = {HL_SITE_MLP, HL_ROWS_POOLED, HL_DETAIL_CODES, self->model->others,
                         self->layout.atlas.mlps};
    const hl_capture *const captures[] = {&heads, &others};
    hl_request request = {.size = sizeof request,
                          .captures = captures,
                          .capture_count = self->layout.atlas.columns & ATLAS_MLPS ? 2 : 1};
    return model->api.encode_images(model->session, batch->pixels, batch->readable, &request, self->traces,
                                    error);
}

/* The contributions of all components that are no heads, component after component for all images at once. */
static hl_status expand_others(indexing *self, size_t images, hl_error *error) {
    const atlas_layout *layout = &self->layout.atlas;
    size_t width = layout->embed_dim;
    hl_status status = HL_OK;
    for (uint32_t k = 0; k < layout->mlps && status == HL_OK; ++k) {
        uint32_t component = self->model->others[k];
        size_t code = engine_code_width(engine_component(self->model, component));
        for (size_t i = 0; i < images && status == HL_OK; ++i) {
            status = self->model->api.code(self->traces[i], component, self->codes + i * code, error);
        }
        if (status == HL_OK) {
            status = engine_expand(self->model, component, self->codes, images, self->expanded, error);
        }
        for (size_t i = 0; i < images && status == HL_OK; ++i) {
            memcpy(self->contributions + (i * layout->mlps + k) * width, self->expanded + i * width,
                   width * sizeof *self->expanded);
        }
    }
    return status;
}

static hl_status keep_codes(indexing *self, const hl_trace *trace, hl_error *error) {
    const hl_model_api *api = &self->model->api;
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->layout.atlas.head_count && status == HL_OK; ++i) {
        status = api->code(trace, self->layout.components[i], self->codes, error);
        if (status == HL_OK) status = shard_builder_code(self->shard, i, self->codes, error);
    }
    return status;
}

static hl_status keep_first(indexing *self, const hl_trace *trace, hl_error *error) {
    size_t tensor = atlas_writer_layout(self->writer)->first;
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->layout.atlas.head_count && status == HL_OK; ++i) {
        status = self->model->api.token_codes(trace, self->layout.components[i], self->codes, error);
        if (status == HL_OK) status = shard_builder_row(self->shard, tensor + i, self->codes, error);
    }
    return status;
}

/* Image number `index` of those of the batch that could be read. */
static hl_status keep_image(indexing *self, const gallery_image *image, size_t index, hl_error *error) {
    const shard_layout *tensors = atlas_writer_layout(self->writer);
    const atlas_layout *layout = &self->layout.atlas;
    const hl_trace *trace = self->traces[index];
    shard_image row = {image->path, image->bytes, image->modified};
    hl_status status = shard_builder_add(self->shard, row, error);
    if (status == HL_OK) status = keep_codes(self, trace, error);
    if (status == HL_OK && layout->columns & ATLAS_FIRST) status = keep_first(self, trace, error);
    if (status == HL_OK && layout->columns & ATLAS_EMBEDDING) {
        self->model->api.embedding(trace, self->codes);
        status = shard_builder_row(self->shard, tensors->embedding, self->codes, error);
    }
    if (status == HL_OK && layout->columns & ATLAS_MLPS) {
        const float *mlps = self->contributions + index * layout->mlps * layout->embed_dim;
        status = shard_builder_row(self->shard, tensors->mlps, mlps, error);
    }
    return status;
}

static hl_status skip_image(indexing *self, const gallery_image *image, const hl_error *why,
                            hl_error *error) {
    const hl_host *interface = self->model->interface;
    const char *reason = why->message;
    size_t length = strlen(image->file);
    if (strncmp(reason, image->file, length) == 0 && strncmp(reason + length, ": ", 2) == 0) {
        reason += length + 2; /* the atlas tells the path anyhow, relative to the gallery */
    }
    interface->log(interface, HL_LOG_WARNING, "skipped %s: %s", image->path, reason);
    shard_image row = {image->path, image->bytes, image->modified};
    return shard_builder_skip(self->shard, row, reason, error);
}

static hl_status keep_batch(indexing *self, const decoded_batch *batch, hl_error *error) {
    hl_status status = HL_OK;
    if (self->layout.atlas.columns & ATLAS_MLPS) status = expand_others(self, batch->readable, error);
    size_t readable = 0;
    for (size_t i = 0; i < batch->count && status == HL_OK; ++i) {
        const gallery_image *image = self->pending[batch->first + i];
        status = batch->errors[i].message[0] ? skip_image(self, image, &batch->errors[i], error)
                                             : keep_image(self, image, readable++, error);
    }
    return status;
}

static hl_status do_batch(indexing *self, const decoded_batch *batch, hl_error *error) {
    const hl_host *interface = self->model->interface;
    if (interface->cancelled(interface)) return hl_fail(error, HL_FAILED, "cancelled");
    hl_status status = batch->readable > 0 ? encode(self, batch, error) : HL_OK;
    if (status != HL_OK) return status;
    status = keep_batch(self, batch, error);
    for (size_t i = 0; i < batch->readable; ++i) self->model->api.release(self->traces[i]);
    host_progress(interface, "indexing", "image", batch->first + batch->count, self->pending_count);
    return status;
}

/* ---- all batches ---- */

static size_t shard_size(const indexing *self) {
    return (size_t)atlas_writer_manifest(self->writer)->shard_size;
}

static hl_status finish_shard(indexing *self, hl_error *error) {
    hl_status status = atlas_writer_append(self->writer, self->shard, self->model->interface, error);
    shard_builder_close(self->shard);
    self->shard = NULL;
    return status;
}

static hl_status do_batches(indexing *self, decode_ahead *decoder, hl_error *error) {
    hl_status status = HL_OK;
    const decoded_batch *batch;
    while (status == HL_OK && (batch = decode_ahead_next(decoder))) {
        if (!self->shard) {
            size_t left = self->pending_count - batch->first;
            size_t count = left < shard_size(self) ? left : shard_size(self);
            status = shard_builder_open(atlas_writer_layout(self->writer), count, &self->shard, error);
        }
        if (status == HL_OK) status = do_batch(self, batch, error);
        size_t done = batch->first + batch->count;
        if (status == HL_OK && (done % shard_size(self) == 0 || done == self->pending_count)) {
            status = finish_shard(self, error);
        }
    }
    return status;
}

static hl_status allocate(indexing *self, hl_error *error) {
    const atlas_layout *layout = &self->layout.atlas;
    size_t largest = layout->embed_dim, batch = batch_size(self);
    for (size_t i = 0; i < layout->head_count; ++i) {
        size_t code = shard_code_width(&layout->heads[i]);
        if (layout->columns & ATLAS_FIRST) code *= engine_tokens(self->model);
        if (code > largest) largest = code;
    }
    for (size_t i = 0; i < layout->mlps; ++i) {
        size_t codes = batch * engine_code_width(engine_component(self->model, self->model->others[i]));
        if (codes > largest) largest = codes;
    }
    self->traces = calloc(batch, sizeof *self->traces);
    self->codes = calloc(largest, sizeof *self->codes);
    self->expanded = calloc(batch * layout->embed_dim, sizeof *self->expanded);
    self->contributions = calloc(batch * layout->mlps * layout->embed_dim + 1, sizeof *self->contributions);
    return self->traces && self->codes && self->expanded && self->contributions
               ? HL_OK
               : hl_no_memory(error, "the codes of a batch");
}

static hl_status encode_pending(indexing *self, hl_error *error) {
    if (self->pending_count == 0) return HL_OK;
    const hl_host *interface = self->model->interface;
    hl_status status = self->model->session ? HL_OK : engine_load(self->model, error);
    if (status == HL_OK) status = allocate(self, error);
    if (status != HL_OK) return status;
    decode_settings settings = {.images = self->pending,
                                .count = self->pending_count,
                                .group = shard_size(self),
                                .batch = batch_size(self),
                                .threads = interface->threads(interface),
                                .preprocess = &self->model->info->preprocess};
    decode_ahead *decoder;
    status = decode_ahead_open(&settings, &decoder, error);
    if (status == HL_OK) status = do_batches(self, decoder, error);
    decode_ahead_close(decoder);
    return status;
}

/* ---- all together ---- */

static hl_status open_gallery(indexing *self, hl_error *error) {
    const index_settings *settings = self->settings;
    if (settings->parts > 0 && settings->part >= settings->parts) {
        return hl_fail(error, HL_USAGE, "share %zu of %zu: shares count from 0", settings->part,
                       settings->parts);
    }
    hl_status status = gallery_open(settings->gallery, &self->gallery, error);
    if (status != HL_OK) return status;
    size_t count = self->gallery->count, parts = settings->parts ? settings->parts : 1;
    size_t whole = count / parts, rest = count % parts; /* the first `rest` shares have one more */
    self->first = settings->part * whole + (settings->part < rest ? settings->part : rest);
    self->last = self->first + whole + (settings->part < rest ? 1 : 0);
    self->held = calloc(count + 1, sizeof *self->held);
    self->pending = calloc(count + 1, sizeof *self->pending);
    return self->held && self->pending ? HL_OK : hl_no_memory(error, "the list of images");
}

static void list_pending(indexing *self) {
    for (size_t i = self->first; i < self->last; ++i) {
        if (!self->held[i]) self->pending[self->pending_count++] = &self->gallery->images[i];
    }
}

static void close_indexing(indexing *self) {
    shard_builder_close(self->shard);
    atlas_writer_close(self->writer);
    gallery_close(self->gallery);
    index_layout_free(&self->layout);
    free(self->held);
    free(self->pending);
    free(self->traces);
    free(self->codes);
    free(self->expanded);
    free(self->contributions);
}

hl_status index_gallery(engine *model, const index_settings *settings, hl_error *error) {
    indexing self = {.model = model, .settings = settings};
    hl_status status = open_gallery(&self, error);
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
