/* See writer.h. */
#include "core/atlas/writer_parts.h"

#include "core/atlas/atlas_folder.h"
#include "core/atlas/changes.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DEFAULT_SHARD_SIZE = 1024 };

/* ---- opening ---- */

hl_status atlas_writer_check(const atlas_writer *self, hl_error *error) {
    if (!self->unwritable) return HL_OK;
    if (self->unwritable == EWOULDBLOCK) {
        return hl_fail(error, HL_UNAVAILABLE, "%s: another process is indexing into this atlas",
                       self->folder);
    }
    return hl_fail(error, HL_FAILED, "%s: is not up to date, and cannot be written: %s", self->folder,
                   strerror(self->unwritable));
}

static hl_status make_folder(atlas_writer *self, hl_error *error) {
    output *out;
    self->made_folder = access(self->folder, F_OK) != 0;
    hl_status status = output_open(self->folder, &out, error);
    return status == HL_OK ? output_commit(out, error) : status;
}

static hl_status lock_folder(atlas_writer *self, hl_error *error) {
    self->lock = folder_lock(self->folder, &self->unwritable);
    return self->lock >= 0 || self->published ? HL_OK : atlas_writer_check(self, error);
}

static hl_status open_folder(atlas_writer *self, hl_error *error) {
    const char *folder = self->folder;
    hl_status status = folder_has_atlas(folder, &self->published, error);
    if (status == HL_OK && !self->published) status = folder_refuse_foreign(folder, error);
    if (status == HL_OK && !self->published) status = make_folder(self, error);
    if (status == HL_OK) status = lock_folder(self, error);
    if (status == HL_OK && !self->unwritable) status = changes_settle(folder, NULL, error);
    /* now nobody else changes it */
    if (status == HL_OK) status = folder_has_atlas(folder, &self->published, error);
    if (status == HL_OK && !self->published) status = folder_refuse_shards(folder, error);
    if (status == HL_OK && self->published) status = manifest_read(folder, &self->manifest, error);
    if (status == HL_OK && !self->unwritable) output_sweep(folder);
    return status;
}

hl_status atlas_writer_may_found(const char *folder, hl_error *error) {
    bool published;
    hl_status status = folder_has_atlas(folder, &published, error);
    return status == HL_OK && !published ? folder_refuse_foreign(folder, error) : status;
}

hl_status atlas_writer_begin(const char *folder, atlas_writer **out, hl_error *error) {
    *out = NULL;
    atlas_writer *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, folder);
    made->lock = -1;
    made->folder = strdup(folder);
    hl_status status = made->folder ? open_folder(made, error) : hl_no_memory(error, folder);
    if (status == HL_OK) {
        *out = made;
    } else {
        atlas_writer_close(made);
    }
    return status;
}

hl_status atlas_writer_settle_on(atlas_writer *self, const atlas_layout *layout, size_t shard_size,
                                 hl_error *error) {
    hl_status status = self->manifest ? manifest_check(self->manifest, layout, self->folder, error)
                                      : manifest_make(layout, shard_size ? shard_size : DEFAULT_SHARD_SIZE,
                                                      &self->manifest, error);
    if (status != HL_OK) return status;
    if (shard_size) self->manifest->shard_size = shard_size;
    if (layout->mlps) self->manifest->mlps = layout->mlps;
    self->columns = layout->columns | self->manifest->layout.columns;
    return manifest_layout(self->manifest, self->columns, &self->layout, error);
}

hl_status atlas_writer_open(const char *folder, const atlas_layout *layout, size_t shard_size,
                            atlas_writer **out, hl_error *error) {
    hl_status status = atlas_writer_begin(folder, out, error);
    if (status == HL_OK) status = atlas_writer_settle_on(*out, layout, shard_size, error);
    if (status == HL_OK) return HL_OK;
    atlas_writer_close(*out);
    *out = NULL;
    return status;
}

void atlas_writer_close(atlas_writer *self) {
    if (!self) return;
    output_abandon(self->copies);
    manifest_free_list(self->listed, self->listed_count);
    if (self->lock >= 0) folder_unlock(self->folder, self->lock, !self->published);
    if (self->lock >= 0 && !self->published && self->made_folder) rmdir(self->folder); /* only when empty */
    manifest_free(self->manifest);
    free(self->folder);
    free(self);
}

const manifest *atlas_writer_manifest(const atlas_writer *self) {
    return self->manifest;
}

const shard_layout *atlas_writer_layout(const atlas_writer *self) {
    return self->layout;
}

hl_status atlas_writer_strangers(const atlas_writer *self, size_t *count, hl_error *error) {
    return folder_count_strangers(self->folder, self->manifest, count, error);
}

/* ---- changing ---- */

uint64_t writer_next_number(const atlas_writer *self) {
    const manifest *now = self->manifest;
    uint64_t next = 0;
    for (size_t i = 0; i < now->shard_count; ++i) {
        if (now->shards[i].number >= next) next = now->shards[i].number + 1;
    }
    for (size_t i = 0; i < self->listed_count; ++i) {
        if (self->listed[i].number >= next) next = self->listed[i].number + 1;
    }
    for (;; ++next) {
        char name[MANIFEST_NAME_ROOM], path[PATH_MAX];
        struct stat status;
        manifest_shard_name(next, name);
        snprintf(path, sizeof path, "%s/%s", self->folder, name);
        if (lstat(path, &status) != 0) return next;
    }
}

static hl_status write_manifest(atlas_writer *self, const manifest *next, hl_error *error) {
    hl_status status = folder_sync(self->folder, error);
    if (status == HL_OK) status = manifest_write(next, self->folder, MANIFEST_FILE, error);
    if (status == HL_OK) self->published = true;
    return status;
}

/* What is taken away stays until atlas.json is safe without it. Where this fails, twice, the change is made
 * or has failed all the same, and whoever changes something here next tidies up first. */
static bool tidy_up(const atlas_writer *self, bool changed) {
    if (self->unwritable || (changed && folder_sync(self->folder, NULL) != HL_OK)) return false;
    return changes_settle(self->folder, changed ? self->manifest : NULL, NULL) == HL_OK;
}

/* Makes `next` the atlas's manifest, all but for its list of shards being the same. */
static void take_over(atlas_writer *self, const manifest *next) {
    manifest_free_list(self->manifest->shards, self->manifest->shard_count);
    self->manifest->shards = next->shards;
    self->manifest->shard_count = next->shard_count;
    self->manifest->layout.columns = next->layout.columns;
    self->manifest->layout.mlps = next->layout.mlps;
}

hl_status writer_change(atlas_writer *self, output *files, manifest_shard *shards, size_t count,
                        hl_error *error) {
    manifest next = *self->manifest;
    next.shards = shards;
    next.shard_count = count;
    next.layout.columns = manifest_common_columns(shards, count, self->columns);
    next.layout.mlps = next.layout.columns & ATLAS_MLPS ? next.mlps : 0;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = changes_settle(self->folder, NULL, error);
    if (status == HL_OK) status = changes_announce(self->folder, self->manifest, &next, error);
    if (status == HL_OK) {
        status = files ? output_commit(files, error) : HL_OK;
    } else {
        output_abandon(files);
    }
    if (status == HL_OK) status = write_manifest(self, &next, error);
    if (status == HL_OK) {
        take_over(self, &next);
    } else {
        manifest_free_list(shards, count);
    }
    if (!tidy_up(self, status == HL_OK)) tidy_up(self, status == HL_OK);
    return status;
}

hl_status atlas_writer_found(atlas_writer *self, hl_error *error) {
    return self->published ? HL_OK : writer_change(self, NULL, NULL, 0, error);
}

hl_status atlas_writer_complete(atlas_writer *self, shard_sums *const *sums, hl_error *error) {
    const manifest *now = self->manifest;
    manifest_shard *list = manifest_copy_list(now->shards, now->shard_count);
    if (!list) return hl_no_memory(error, "a list of shards");
    for (size_t i = 0; i < now->shard_count; ++i) {
        if (!list[i].sums) list[i].sums = shard_sums_keep(sums[i]);
    }
    return writer_change(self, NULL, list, now->shard_count, error);
}

/* Puts `shard`, which it takes over, at place `index` of a copy of the list. */
static manifest_shard *list_with(const manifest *now, const manifest_shard *shard, size_t index) {
    manifest_shard *list = manifest_copy_list(now->shards, now->shard_count);
    if (!list) return NULL;
    shard_sums_drop(list[index].sums);
    list[index] = *shard;
    return list;
}

/* Writes the shard, and puts it at place `index` of the list. */
static hl_status write_shard(atlas_writer *self, shard_builder *filled, const hl_host *host, size_t index,
                             hl_error *error) {
    const manifest *now = self->manifest;
    manifest_shard shard = {.number = writer_next_number(self)}, *list = NULL;
    output *out;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = output_open(self->folder, &out, error);
    if (status != HL_OK) return status;
    status = shard_builder_write(filled, host, out, &shard, error);
    if (status == HL_OK && !(list = list_with(now, &shard, index))) {
        shard_sums_drop(shard.sums);
        status = hl_no_memory(error, "a list of shards");
    }
    if (status != HL_OK) {
        output_abandon(out);
        return status;
    }
    return writer_change(self, out, list, now->shard_count + (index == now->shard_count), error);
}

hl_status atlas_writer_append(atlas_writer *self, shard_builder *filled, const hl_host *host,
                              hl_error *error) {
    return write_shard(self, filled, host, self->manifest->shard_count, error);
}

static hl_status drop_shard(atlas_writer *self, size_t index, hl_error *error) {
    const manifest *now = self->manifest;
    manifest_shard *list = manifest_copy_list(now->shards, now->shard_count);
    if (!list) return hl_no_memory(error, "a list of shards");
    shard_sums_drop(list[index].sums);
    memmove(&list[index], &list[index + 1], (now->shard_count - index - 1) * sizeof *list);
    return writer_change(self, NULL, list, now->shard_count - 1, error);
}

hl_status atlas_writer_replace(atlas_writer *self, uint64_t number, shard_builder *filled,
                               const hl_host *host, hl_error *error) {
    const manifest *now = self->manifest;
    size_t index = 0;
    while (index < now->shard_count && now->shards[index].number != number) ++index;
    if (index == now->shard_count) return hl_fail(error, HL_FAILED, "%s: lost a shard", self->folder);
    return shard_builder_count(filled) > 0 ? write_shard(self, filled, host, index, error)
                                           : drop_shard(self, index, error);
}

hl_status atlas_writer_remove(atlas_writer *self, hl_error *error) {
    manifest nothing = *self->manifest;
    nothing.shards = NULL;
    nothing.shard_count = 0;
    char *path = NULL;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = changes_settle(self->folder, NULL, error);
    if (status == HL_OK) status = changes_announce(self->folder, self->manifest, &nothing, error);
    if (status == HL_OK) status = folder_path(self->folder, MANIFEST_FILE, &path, error);
    if (status == HL_OK && unlink(path) != 0 && errno != ENOENT) {
        status = hl_fail(error, HL_FAILED, "%s: cannot be removed: %s", path, strerror(errno));
    }
    if (status == HL_OK) status = changes_settle(self->folder, NULL, error);
    free(path);
    if (status == HL_OK) {
        self->published = false;
        self->made_folder = true;
    }
    return status;
}
