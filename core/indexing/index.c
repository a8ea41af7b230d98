/* Making and updating an atlas; see index.h.
 *
 * What the atlas holds and the gallery still has is kept; new images are encoded in the order of their paths,
 * shard after shard; only then shards are rewritten without what has gone. Batches begin where shards begin,
 * so an interrupted run, taken up again, makes the same bytes as one that was not. */
#include "core/indexing/index.h"
#include "core/host/host.h"

#include "core/atlas/gallery.h"
#include "core/atlas/parts.h"
#include "core/engine/encoder.h"
#include "core/indexing/index_layout.h"
#include "core/indexing/shard_filler.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

/* Small enough that the last batches of all threads end together, large enough for products that fill a core.
 */
enum { DEFAULT_BATCH = 8 };

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
    size_t first, last; /* this process's images of the gallery: [first, last) */
    holding *held;      /* by image of the gallery: what the atlas has of it as it is now */
    atlas_writer *writer;
    atlas *old;                    /* as it was surveyed last; NULL when it is empty */
    fate **fates;                  /* by shard of it, and row: images first, then skipped ones */
    const gallery_image **pending; /* to encode */
    size_t pending_count;
} indexing;

static void log_warning(const indexing *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void log_warning(const indexing *self, const char *format, ...) {
    const hl_host *interface = self->model->interface;
    hl_error line;
    va_list arguments;
    va_start(arguments, format);
    hl_format_list(line.message, sizeof line.message, format, arguments);
    va_end(arguments);
    host_log(interface, HL_LOG_WARNING, "%s", line.message);
}

static const char *plural(size_t count) {
    return count == 1 ? "" : "s";
}

/* ---- parts ---- */

typedef struct adoption {
    parts_list parts;
    atlas_writer **writers; /* of each part; NULL: left alone */
} adoption;

/* NULL: another process writes it. */
static hl_status open_part(const indexing *self, const char *folder, atlas_writer **out, hl_error *error) {
    hl_status status = atlas_writer_open(folder, &self->layout.atlas, 0, out, error);
    if (status == HL_OK) status = atlas_writer_check(*out, error);
    if (status == HL_OK) return HL_OK;
    atlas_writer_close(*out);
    *out = NULL;
    if (status != HL_UNAVAILABLE) return status;
    log_warning(self, "%s: another process is indexing into this part; it is left alone", folder);
    return HL_OK;
}

/* A process that was broken off may have put the part to the others already. */
static hl_status copy_part(const indexing *self, const char *folder, hl_error *error) {
    const hl_host *interface = self->model->interface;
    const manifest *whole = atlas_writer_manifest(self->writer);
    atlas *from;
    hl_status status = atlas_open(folder, &from, error);
    for (size_t i = 0; status == HL_OK && i < from->opened; ++i) {
        if (!manifest_holds(whole, &from->manifest->shards[i])) {
            status = atlas_writer_copy(self->writer, from, i, error);
        }
        if (status == HL_OK && interface->cancelled(interface)) {
            status = hl_fail(error, HL_FAILED, "cancelled");
        }
    }
    atlas_close(from);
    return status;
}

static hl_status adopt(const indexing *self, adoption *of, hl_error *error) {
    hl_status status = HL_OK;
    size_t copied = 0;
    for (size_t i = 0; i < of->parts.count && status == HL_OK; ++i) {
        status = open_part(self, of->parts.folders[i], &of->writers[i], error);
        if (status != HL_OK || !of->writers[i]) continue;
        if (atlas_writer_manifest(of->writers[i])->shard_count == 0) continue;
        status = copy_part(self, of->parts.folders[i], error);
        ++copied;
    }
    if (status == HL_OK && copied > 0) status = atlas_writer_publish(self->writer, error);
    for (size_t i = 0; i < of->parts.count && status == HL_OK; ++i) {
        if (of->writers[i]) status = atlas_writer_remove(of->writers[i], error);
    }
    return status;
}

/* Makes the parts that several processes left, done or not, this atlas's own. */
static hl_status adopt_parts(const indexing *self, hl_error *error) {
    adoption all = {.writers = NULL};
    hl_status status = parts_find(self->folder, &all.parts, error);
    if (status == HL_OK && all.parts.count > 0) {
        all.writers = calloc(all.parts.count, sizeof(atlas_writer *));
        status = all.writers ? adopt(self, &all, error) : hl_no_memory(error, self->folder);
    }
    for (size_t i = 0; all.writers && i < all.parts.count; ++i) atlas_writer_close(all.writers[i]);
    free(all.writers);
    parts_list_free(&all.parts);
    return status;
}

/* ---- what the atlas already has ---- */

static bool is_away(const gallery_image *image) {
    return image->bytes < 0;
}

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

typedef struct row {
    const char *path, *reason; /* reason: NULL of an image */
    int64_t bytes, modified;
} row;

static int64_t number_in(const shard_file *shard, size_t tensor, size_t index) {
    return ((const int64_t *)shard->data[tensor])[index];
}

static row row_at(const shard_layout *layout, const shard_file *shard, size_t index) {
    if (index < shard->images) {
        return (row){shard->paths[index], NULL, number_in(shard, layout->bytes, index),
                     number_in(shard, layout->modified, index)};
    }
    index -= shard->images;
    return (row){shard->skips[index].path, shard->skips[index].reason,
                 number_in(shard, layout->skipped_bytes, index),
                 number_in(shard, layout->skipped_modified, index)};
}

/* What a part holds is dropped, if at all, when it is put to the others. */
static bool keeps_others(const indexing *self) {
    return self->settings->keep_others || self->settings->shared;
}

/* Marks what is held on the way. */
static fate judge(indexing *self, row one) {
    fate without_image = keeps_others(self) ? ROW_STAYS : ROW_GOES;
    const gallery_image *image = gallery_find(self->gallery, one.path);
    if (!image) return without_image;
    size_t index = (size_t)(image - self->gallery->images);
    if (index < self->first || index >= self->last) return without_image;
    if (is_away(image)) return one.reason ? ROW_OUTDATED : without_image;
    bool same = image->bytes == one.bytes && image->modified == one.modified;
    if (!same || self->held[index] || (one.reason && is_outdated(one.reason))) return ROW_OUTDATED;
    self->held[index] = one.reason ? HELD_AS_SKIPPED : HELD_AS_IMAGE;
    return ROW_STAYS;
}

static void forget_survey(indexing *self) {
    for (size_t i = 0; self->fates && i < self->old->opened; ++i) free(self->fates[i]);
    free(self->fates);
    atlas_close(self->old);
    self->fates = NULL;
    self->old = NULL;
}

static size_t rows_of(const shard_file *shard) {
    return shard->images + shard->skipped;
}

static hl_status judge_all(indexing *self, hl_error *error) {
    if (atlas_writer_manifest(self->writer)->shard_count == 0) return HL_OK;
    hl_status status = atlas_open(self->folder, &self->old, error);
    if (status != HL_OK) return status;
    self->fates = calloc(self->old->opened + 1, sizeof *self->fates);
    if (!self->fates) return hl_no_memory(error, "the rows of an atlas");
    for (size_t i = 0; i < self->old->opened; ++i) {
        const shard_file *shard = &self->old->shards[i];
        self->fates[i] = calloc(rows_of(shard) + 1, sizeof **self->fates);
        if (!self->fates[i]) return hl_no_memory(error, "the rows of an atlas");
        for (size_t k = 0; k < rows_of(shard); ++k) {
            self->fates[i][k] = judge(self, row_at(&self->old->layout, shard, k));
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
    bool same_kind = !manifest_difference(atlas_layout_of(other), &self->layout.atlas);
    for (size_t i = 0; same_kind && i < other->opened; ++i) {
        const shard_file *shard = &other->shards[i];
        for (size_t k = 0; k < rows_of(shard); ++k) judge(self, row_at(&other->layout, shard, k));
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

/* Compares all rows with the gallery. */
static hl_status survey(indexing *self, hl_error *error) {
    forget_survey(self);
    memset(self->held, 0, self->gallery->count * sizeof *self->held);
    hl_status status = judge_all(self, error);
    return status == HL_OK && self->settings->shared ? look_elsewhere(self, error) : status;
}

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
        for (size_t k = 0; k < rows_of(&self->old->shards[i]); ++k) {
            if (self->fates[i][k] != ROW_STAYS) return false;
        }
    }
    return true;
}

/* ---- what goes ---- */

static const char *who_lacks(const indexing *self) {
    return self->settings->parts > 0 ? "this share of the gallery" : "the gallery";
}

/* More often than not a disk is missing, or the wrong gallery was named. */
static hl_status check_loss(const indexing *self, hl_error *error) {
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
    if (of != ROW_OUTDATED || !keeps_others(self)) return of != ROW_STAYS;
    const gallery_image *image = gallery_find(self->gallery, row_at(&self->old->layout, shard, index).path);
    holding newer = image ? self->held[image - self->gallery->images] : HELD_NOT;
    return newer == HELD_AS_IMAGE || (newer && index >= shard->images);
}

static hl_status rewrite(const indexing *self, size_t number, size_t kept, hl_error *error) {
    const shard_file *shard = &self->old->shards[number];
    shard_builder *smaller;
    hl_status status = shard_builder_open(atlas_writer_layout(self->writer), kept, &smaller, error);
    for (size_t i = 0; i < rows_of(shard) && status == HL_OK; ++i) {
        if (leaves(self, shard, i, self->fates[number][i])) continue;
        status = i < shard->images ? shard_builder_copy(smaller, shard, i, error)
                                   : shard_builder_copy_skip(smaller, shard, i - shard->images, error);
    }
    if (status == HL_OK) {
        status = atlas_writer_replace(self->writer, self->old->manifest->shards[number].number, smaller,
                                      self->model->interface, error);
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
        for (size_t k = 0; k < rows_of(shard); ++k) kept += !leaves(self, shard, k, self->fates[i][k]);
        if (kept < rows_of(shard)) status = rewrite(self, i, kept, error);
        if (status == HL_OK && interface->cancelled(interface)) {
            status = hl_fail(error, HL_FAILED, "cancelled");
        }
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
        log_warning(self, "%s: dropped %zu image%s that %s lacks", folder, gone, plural(gone),
                    who_lacks(self));
    }
    if (outdated > 0) {
        log_warning(self, "%s: dropped earlier codes of %zu image%s that changed since", folder, outdated,
                    plural(outdated));
    }
}

/* Looks again, for what was outdated may have a newer row now. */
static hl_status drop_rows(indexing *self, hl_error *error) {
    bool may_wait = keeps_others(self) && atlas_writer_check(self->writer, NULL) != HL_OK;
    if (may_wait || all_stay(self)) return HL_OK;
    hl_status status = survey(self, error);
    if (status == HL_OK) status = rewrite_shards(self, error);
    if (status == HL_OK) log_changes(self);
    return status;
}

/* ---- what it has not ---- */

/* What cannot be found at the moment is not pending: the next run looks again. */
static void list_pending(indexing *self) {
    size_t away = 0;
    const char *one = NULL;
    for (size_t i = self->first; i < self->last; ++i) {
        const gallery_image *image = &self->gallery->images[i];
        if (!is_away(image)) {
            if (!self->held[i]) self->pending[self->pending_count++] = image;
        } else if (away++ == 0) {
            one = image->path;
        }
    }
    if (away == 0) return;
    log_warning(self, "%zu of the gallery's %zu images cannot be found at the moment, such as %s%s", away,
                self->last - self->first, one,
                self->settings->keep_others ? "; codes that the atlas has of them answer for them" : "");
}

static hl_status run_encoder(const indexing *self, shard_filler *filler, hl_error *error) {
    const atlas_layout *layout = &self->layout.atlas;
    hl_detail detail = layout->columns & ATLAS_FIRST ? HL_DETAIL_TOKENS : HL_DETAIL_CODES;
    hl_capture heads = {.size = sizeof heads,
                        .site = HL_SITE_HEAD,
                        .detail = (uint32_t)detail,
                        .components = self->layout.components,
                        .count = layout->head_count};
    hl_capture others = {.size = sizeof others,
                         .site = HL_SITE_MLP,
                         .detail = HL_DETAIL_CODES,
                         .components = self->model->others,
                         .count = layout->mlps};
    const hl_capture *const captures[] = {&heads, &others};
    const engine_edits *edits = self->settings->edits;
    hl_request request = {.size = sizeof request,
                          .captures = captures,
                          .capture_count = layout->columns & ATLAS_MLPS ? 2 : 1,
                          .edits = edits ? edits->all : NULL,
                          .edit_count = edits ? edits->count : 0};
    encoder_settings settings = {.images = self->pending,
                                 .count = self->pending_count,
                                 .group = (size_t)atlas_writer_manifest(self->writer)->shard_size,
                                 .batch = self->settings->batch ? self->settings->batch : DEFAULT_BATCH,
                                 .request = &request,
                                 .keep = shard_filler_keep,
                                 .user = filler};
    return encoder_run(self->model, &settings, error);
}

static hl_status encode_pending(const indexing *self, hl_error *error) {
    if (self->pending_count == 0) return HL_OK;
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
    log_warning(self, "%s: %zu file%s named like shards %s not in " MANIFEST_FILE " and left alone",
                self->settings->atlas, count, plural(count), count == 1 ? "is" : "are");
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
    self->pending = calloc(count + 1, sizeof *self->pending);
    return self->held && self->pending ? HL_OK : hl_no_memory(error, "the list of images");
}

static void close_indexing(indexing *self) {
    free(self->folder);
    forget_survey(self);
    atlas_writer_close(self->writer);
    index_layout_free(&self->layout);
    free(self->held);
    free(self->pending);
}

hl_status index_gallery(engine *model, const gallery *images, const index_settings *settings,
                        hl_error *error) {
    indexing self = {.model = model, .settings = settings, .gallery = images};
    hl_status status = find_share(&self, error);
    if (status == HL_OK) status = find_folder(&self, error);
    if (status == HL_OK) status = index_layout_make(model, settings, &self.layout, error);
    if (status == HL_OK) {
        status =
            atlas_writer_open(self.folder, &self.layout.atlas, settings->shard_size, &self.writer, error);
    }
    if (status == HL_OK) status = warn_of_strangers(&self, error);
    if (status == HL_OK) log_left_out(&self);
    if (status == HL_OK && !settings->shared) status = adopt_parts(&self, error);
    if (status == HL_OK) status = survey(&self, error);
    if (status == HL_OK) status = check_loss(&self, error);
    if (status == HL_OK) list_pending(&self);
    if (status == HL_OK) status = encode_pending(&self, error);
    if (status == HL_OK) status = drop_rows(&self, error);
    if (status == HL_OK) status = check_found(&self, error);
    close_indexing(&self);
    return status;
}
