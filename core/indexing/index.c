/* Making and updating an atlas; see index.h.
 *
 * What the atlas holds and the gallery still has is kept; new images are encoded in the order of their paths,
 * shard after shard; only then shards are rewritten without what has gone, and get the columns and checksums
 * that they lack. Batches begin where shards begin, so an interrupted run, taken up again, makes the same
 * bytes as one that was not. */
#include "core/indexing/indexing.h"

#include "core/atlas/parts.h"
#include "core/host/host.h"
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

void indexing_warn(const indexing *self, const char *format, ...) {
    const hl_host *interface = self->model->interface;
    hl_error line;
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(line.message, sizeof line.message, format, arguments);
    va_end(arguments);
    host_log(interface, HL_LOG_WARNING, "%s", line.message);
}

const char *indexing_plural(size_t count) {
    return count == 1 ? "" : "s";
}

bool indexing_is_away(const gallery_image *image) {
    return image->bytes < 0;
}

bool indexing_keeps_others(const indexing *self) {
    return self->settings->keep_others || self->settings->shared;
}

/* ---- what is said ---- */

/* A share may have no images that can be read: then an empty atlas stands for it, or where it is to be a part
 * of one, nothing. */
static hl_status check_found(const indexing *self, hl_error *error) {
    const manifest *now = atlas_writer_manifest(self->writer);
    if (self->settings->shared) return HL_OK;
    if (self->settings->parts > 0) return atlas_writer_found(self->writer, error);
    for (size_t i = 0; i < now->shard_count; ++i) {
        if (now->shards[i].images > 0) return HL_OK;
    }
    return hl_fail(error, HL_FAILED, "%s: none of the gallery's %zu images could be read, so it holds none",
                   self->settings->atlas, self->gallery->count);
}

/* A run says it only to those who watch: what is left out is the same every time. */
static void log_left_out(const indexing *self) {
    const hl_host *interface = self->model->interface;
    char what[256];
    if (!left_out_describe(&self->gallery->left_out, what, sizeof what)) return;
    host_log(interface, self->settings->keep_others ? HL_LOG_INFO : HL_LOG_WARNING, "%s: left out %s",
             self->gallery->folder, what);
}

static hl_status warn_of_strangers(const indexing *self, hl_error *error) {
    size_t count;
    hl_status status = atlas_writer_strangers(self->writer, &count, error);
    if (status != HL_OK || count == 0) return status;
    indexing_warn(self, "%s: %zu file%s named like shards %s not in " MANIFEST_FILE " and left alone",
                  self->settings->atlas, count, indexing_plural(count), count == 1 ? "is" : "are");
    return HL_OK;
}

/* ---- all together ---- */

static hl_status find_folder(indexing *self, hl_error *error) {
    const index_settings *settings = self->settings;
    if (settings->shared) {
        return parts_folder(settings->atlas, settings->part, settings->parts, &self->folder, error);
    }
    self->folder = strdup(settings->atlas);
    return self->folder ? HL_OK : hl_no_memory(error, settings->atlas);
}

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
    return self->held ? HL_OK : hl_no_memory(error, "the list of images");
}

static void close_indexing(indexing *self) {
    free(self->folder);
    indexing_forget_survey(self);
    atlas_writer_close(self->writer);
    index_layout_free(&self->layout);
    free(self->held);
}

/* The layout follows from the atlas that is there, if there is one, or from those of its parts. */
static hl_status open_writer(indexing *self, hl_error *error) {
    const index_settings *settings = self->settings;
    manifest *elsewhere = NULL;
    hl_status status = atlas_writer_begin(self->folder, &self->writer, error);
    const manifest *found = status == HL_OK ? atlas_writer_manifest(self->writer) : NULL;
    if (status == HL_OK && (settings->shared || !found)) {
        status = index_layout_look(settings->atlas, &elsewhere, error);
    }
    if (elsewhere) found = elsewhere;
    if (status == HL_OK) status = index_layout_make(self->model, settings, found, &self->layout, error);
    if (status == HL_OK) {
        status = atlas_writer_settle_on(self->writer, &self->layout.atlas, settings->shard_size, error);
    }
    manifest_free(elsewhere);
    return status;
}

static hl_status update(indexing *self, hl_error *error) {
    bool shared = self->settings->shared;
    hl_status status = warn_of_strangers(self, error);
    if (status == HL_OK) log_left_out(self);
    if (status == HL_OK && !shared) status = indexing_adopt_parts(self, error);
    if (status == HL_OK) status = indexing_survey(self, error);
    if (status == HL_OK) status = indexing_check_loss(self, error);
    if (status == HL_OK) status = indexing_encode(self, error);
    if (status == HL_OK) status = indexing_drop_rows(self, error);
    if (status == HL_OK && !shared) status = indexing_add_columns(self, error);
    if (status == HL_OK && !shared) status = indexing_add_sums(self, error);
    return status == HL_OK ? check_found(self, error) : status;
}

/* Opened as the writer knows it, without looking at atlas.json again. */
static hl_status hand_over(indexing *self, atlas **opened, hl_error *error) {
    if (!indexing_is_surveyed(self) || !self->old) {
        return atlas_open_listed(self->folder, atlas_writer_manifest(self->writer), opened, error);
    }
    *opened = self->old;
    for (size_t i = 0; i < self->old->opened; ++i) free(self->fates[i]);
    free(self->fates);
    self->fates = NULL;
    self->old = NULL;
    return HL_OK;
}

hl_status index_gallery(engine *model, const gallery *images, const index_settings *settings, atlas **opened,
                        hl_error *error) {
    indexing self = {.model = model, .settings = settings, .gallery = images};
    if (opened) *opened = NULL;
    hl_status status = find_share(&self, error);
    if (status == HL_OK) status = find_folder(&self, error);
    if (status == HL_OK) status = open_writer(&self, error);
    if (status == HL_OK) status = update(&self, error);
    if (status == HL_OK && opened) status = hand_over(&self, opened, error);
    close_indexing(&self);
    return status;
}
