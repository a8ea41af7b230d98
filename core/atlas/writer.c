/* See writer.h. */
#include "core/atlas/writer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE ".lock"

enum { DEFAULT_SHARD_SIZE = 1024 };

struct atlas_writer {
    char *folder, *lock_path;
    int lock; /* -1: not locked */
    manifest *manifest;
    shard_layout layout;
    bool published; /* there is an atlas.json */
    int unwritable; /* why the folder cannot be locked and written, an errno; 0: it can */
};

static hl_status path_in(const char *folder, const char *name, char **out, hl_error *error) {
    if (asprintf(out, "%s/%s", folder, name) >= 0) return HL_OK;
    *out = NULL;
    return hl_no_memory(error, folder);
}

/* ---- the folder ---- */

/* Names that only this module gives. */
static bool is_ours(const char *name) {
    uint64_t number;
    return strcmp(name, LOCK_FILE) == 0 || strcmp(name, MANIFEST_FILE) == 0 ||
           manifest_shard_number(name, &number);
}

static bool is_listed(const manifest *of, const char *name) {
    uint64_t number;
    if (strcmp(name, LOCK_FILE) == 0 || strcmp(name, MANIFEST_FILE) == 0) return true;
    if (!manifest_shard_number(name, &number)) return false;
    for (size_t i = 0; i < of->shard_count; ++i) {
        if (of->shards[i].number == number) return true;
    }
    return false;
}

/* Calls `visit` for each name until one call fails. A folder that is not there has none. */
static hl_status for_each_name(const atlas_writer *self,
                               hl_status (*visit)(const atlas_writer *self, const char *name,
                                                  hl_error *error),
                               hl_error *error) {
    DIR *open = opendir(self->folder);
    if (!open && errno == ENOENT) return HL_OK;
    if (!open) return hl_fail(error, HL_FAILED, "%s: cannot be listed: %s", self->folder, strerror(errno));
    hl_status status = HL_OK;
    for (struct dirent *entry; status == HL_OK && (entry = readdir(open));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        status = visit(self, entry->d_name, error);
    }
    closedir(open);
    return status;
}

static hl_status refuse_foreign(const atlas_writer *self, const char *name, hl_error *error) {
    if (is_ours(name) || output_is_staging(name)) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "%s: no atlas, and not empty either (there is %s); name a new folder for the atlas",
                   self->folder, name);
}

static hl_status remove_leftover(const atlas_writer *self, const char *name, hl_error *error) {
    char *path;
    if (!is_ours(name) || is_listed(self->manifest, name)) return HL_OK;
    hl_status status = path_in(self->folder, name, &path, error);
    if (status == HL_OK && unlink(path) != 0) {
        status = hl_fail(error, HL_FAILED, "%s: cannot be removed: %s", path, strerror(errno));
    }
    free(path);
    return status;
}

/* So that a rename survives a power cut. */
static hl_status sync_folder(const char *folder, hl_error *error) {
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = descriptor >= 0 && (fsync(descriptor) == 0 || errno == EINVAL); /* some cannot */
    int reason = errno;
    if (descriptor >= 0) close(descriptor);
    return synced ? HL_OK : hl_fail(error, HL_FAILED, "%s: cannot be synced: %s", folder, strerror(reason));
}

static hl_status make_folder(const char *folder, hl_error *error) {
    output *out;
    hl_status status = output_open(folder, &out, error);
    return status == HL_OK ? output_commit(out, error) : status;
}

/* ---- the lock ---- */

/* Whether the locked file is still the one that others will find. */
static bool is_current(int descriptor, const char *path) {
    struct stat locked, named;
    return fstat(descriptor, &locked) == 0 && stat(path, &named) == 0 && locked.st_dev == named.st_dev &&
           locked.st_ino == named.st_ino;
}

hl_status atlas_writer_check(const atlas_writer *self, hl_error *error) {
    if (!self->unwritable) return HL_OK;
    if (self->unwritable == EWOULDBLOCK) {
        return hl_fail(error, HL_FAILED, "%s: another process is indexing into this atlas", self->folder);
    }
    return hl_fail(error, HL_FAILED, "%s: is not up to date, and cannot be written: %s", self->folder,
                   strerror(self->unwritable));
}

static hl_status lock_folder(atlas_writer *self, hl_error *error) {
    for (;;) {
        int descriptor = open(self->lock_path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (descriptor < 0) {
            self->unwritable = errno;
            return self->published ? HL_OK : atlas_writer_check(self, error);
        }
        if (flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
            self->unwritable = errno;
            close(descriptor);
            return self->published ? HL_OK : atlas_writer_check(self, error);
        }
        if (is_current(descriptor, self->lock_path)) {
            self->lock = descriptor;
            return HL_OK;
        }
        close(descriptor); /* removed in between by a process that left nothing behind */
    }
}

/* ---- opening ---- */

static hl_status check_layout(const atlas_writer *self, const atlas_layout *wanted, hl_error *error) {
    const atlas_layout *found = &self->manifest->layout;
    const char *difference = manifest_difference(found, wanted);
    if (!difference) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "%s: the atlas there (model %s, fingerprint %s) differs from this run's (model %s, "
                   "fingerprint %s) in %s; name another folder, or delete this one to make it anew",
                   self->folder, found->model, found->fingerprint, wanted->model, wanted->fingerprint,
                   difference);
}

static hl_status open_manifest(atlas_writer *self, const atlas_layout *layout, size_t shard_size,
                               hl_error *error) {
    if (!self->published) {
        return manifest_make(layout, shard_size ? shard_size : DEFAULT_SHARD_SIZE, &self->manifest, error);
    }
    hl_status status = manifest_read(self->folder, &self->manifest, error);
    if (status == HL_OK) status = check_layout(self, layout, error);
    if (status == HL_OK && shard_size) self->manifest->shard_size = shard_size;
    return status;
}

static hl_status find_manifest(atlas_writer *self, hl_error *error) {
    char *path;
    hl_status status = path_in(self->folder, MANIFEST_FILE, &path, error);
    if (status != HL_OK) return status;
    self->published = access(path, F_OK) == 0;
    free(path);
    return HL_OK;
}

static hl_status open_folder(atlas_writer *self, const atlas_layout *layout, size_t shard_size,
                             hl_error *error) {
    hl_status status = path_in(self->folder, LOCK_FILE, &self->lock_path, error);
    if (status == HL_OK) status = find_manifest(self, error);
    if (status == HL_OK && !self->published) status = for_each_name(self, refuse_foreign, error);
    if (status == HL_OK && !self->published) status = make_folder(self->folder, error);
    if (status == HL_OK) status = lock_folder(self, error);
    if (status == HL_OK) status = find_manifest(self, error); /* now nobody else changes it */
    if (status == HL_OK) status = open_manifest(self, layout, shard_size, error);
    if (status == HL_OK) status = shard_layout_make(&self->manifest->layout, &self->layout, error);
    if (status != HL_OK || self->unwritable) return status;
    output_sweep(self->folder);
    return for_each_name(self, remove_leftover, error);
}

hl_status atlas_writer_open(const char *folder, const atlas_layout *layout, size_t shard_size,
                            atlas_writer **out, hl_error *error) {
    *out = NULL;
    atlas_writer *made = calloc(1, sizeof *made);
    if (!made) return hl_no_memory(error, folder);
    made->lock = -1;
    made->folder = strdup(folder);
    hl_status status =
        made->folder ? open_folder(made, layout, shard_size, error) : hl_no_memory(error, folder);
    if (status == HL_OK) {
        *out = made;
    } else {
        atlas_writer_close(made);
    }
    return status;
}

void atlas_writer_close(atlas_writer *self) {
    if (!self) return;
    if (self->lock >= 0 && !self->published) {
        unlink(self->lock_path);
        rmdir(self->folder); /* only when it is empty */
    }
    if (self->lock >= 0) close(self->lock);
    shard_layout_free(&self->layout);
    manifest_free(self->manifest);
    free(self->lock_path);
    free(self->folder);
    free(self);
}

const manifest *atlas_writer_manifest(const atlas_writer *self) {
    return self->manifest;
}

const shard_layout *atlas_writer_layout(const atlas_writer *self) {
    return &self->layout;
}

/* ---- changing ---- */

static uint64_t next_number(const manifest *of) {
    uint64_t next = 0;
    for (size_t i = 0; i < of->shard_count; ++i) {
        if (of->shards[i].number >= next) next = of->shards[i].number + 1;
    }
    return next;
}

hl_status atlas_writer_publish(atlas_writer *self, hl_error *error) {
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = sync_folder(self->folder, error);
    if (status == HL_OK) status = manifest_write(self->manifest, self->folder, error);
    if (status == HL_OK) self->published = true;
    return status == HL_OK ? sync_folder(self->folder, error) : status;
}

hl_status atlas_writer_found(atlas_writer *self, hl_error *error) {
    return self->published ? HL_OK : atlas_writer_publish(self, error);
}

static hl_status write_shard(atlas_writer *self, shard_builder *filled, const hl_host *host,
                             manifest_shard *shard, hl_error *error) {
    *shard = (manifest_shard){.number = next_number(self->manifest)};
    output *out;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = output_open(self->folder, &out, error);
    if (status != HL_OK) return status;
    status = shard_builder_write(filled, host, out, shard, error);
    if (status == HL_OK) return output_commit(out, error);
    output_abandon(out);
    return status;
}

hl_status atlas_writer_append(atlas_writer *self, shard_builder *filled, const hl_host *host,
                              hl_error *error) {
    manifest_shard shard;
    hl_status status = write_shard(self, filled, host, &shard, error);
    if (status == HL_OK) status = manifest_add(self->manifest, &shard, error);
    return status == HL_OK ? atlas_writer_publish(self, error) : status;
}

static void forget(manifest *of, size_t index) {
    size_t after = of->shard_count - index - 1;
    memmove(&of->shards[index], &of->shards[index + 1], after * sizeof *of->shards);
    --of->shard_count;
}

hl_status atlas_writer_replace(atlas_writer *self, uint64_t number, shard_builder *filled,
                               const hl_host *host, hl_error *error) {
    manifest *now = self->manifest;
    size_t index = 0;
    while (index < now->shard_count && now->shards[index].number != number) ++index;
    if (index == now->shard_count) return hl_fail(error, HL_FAILED, "%s: lost a shard", self->folder);
    hl_status status = HL_OK;
    if (shard_builder_count(filled) > 0) {
        manifest_shard shard;
        status = write_shard(self, filled, host, &shard, error);
        if (status == HL_OK) now->shards[index] = shard;
    } else {
        forget(now, index);
    }
    if (status == HL_OK) status = atlas_writer_publish(self, error);
    char name[MANIFEST_NAME_ROOM];
    manifest_shard_name(number, name);
    return status == HL_OK ? remove_leftover(self, name, error) : status;
}

/* The file as it is, checked on the way. */
static hl_status copy_bytes(const shard_file *from, const char *expected, output *out, FILE *file,
                            hl_error *error) {
    enum { CHUNK = 1 << 24 };
    char found[CHECKSUM_ROOM];
    checksum *sum = checksum_begin();
    if (!sum) return hl_no_memory(error, "a checksum");
    hl_status status = HL_OK;
    for (size_t first = 0; first < from->file.count && status == HL_OK; first += CHUNK) {
        size_t count = from->file.count - first < CHUNK ? from->file.count - first : CHUNK;
        const uint8_t *bytes = from->file.bytes + first;
        checksum_add(sum, bytes, count); /* first: what cannot be read is found here, not in the midst of a write */
        status = output_write(out, file, bytes, count, error);
        mapping_release(bytes, count);
    }
    checksum_end(sum, found);
    if (status == HL_OK) status = shard_check(from, error);
    if (status != HL_OK || strcmp(found, expected) == 0) return status;
    return hl_fail(error, HL_FAILED,
                   "%s: its bytes are not those of the checksum in " MANIFEST_FILE
                   "; restore the shard from a copy or make the atlas again",
                   from->path);
}

hl_status atlas_writer_copy(atlas_writer *self, const atlas *from, size_t shard, hl_error *error) {
    manifest_shard copied = from->manifest->shards[shard];
    copied.number = next_number(self->manifest);
    char name[MANIFEST_NAME_ROOM];
    manifest_shard_name(copied.number, name);
    output *out;
    FILE *file;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = output_open(self->folder, &out, error);
    if (status != HL_OK) return status;
    status = output_file(out, name, &file, error);
    if (status == HL_OK) status = copy_bytes(&from->shards[shard], copied.checksum, out, file, error);
    if (status != HL_OK) {
        output_abandon(out);
        return status;
    }
    status = output_commit(out, error);
    return status == HL_OK ? manifest_add(self->manifest, &copied, error) : status;
}
