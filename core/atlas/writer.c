/* See writer.h. */
#include "core/atlas/writer.h"

#include "core/atlas/parts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE    ".lock"
#define CHANGES_FILE ".changes.json" /* like atlas.json: the shards that a change adds or takes away */

enum { DEFAULT_SHARD_SIZE = 1024 };

struct atlas_writer {
    char *folder, *lock_path;
    int lock; /* -1: not locked */
    manifest *manifest;
    shard_layout layout;
    bool made_folder;
    bool published; /* there is an atlas.json */
    int unwritable; /* why the folder cannot be locked and written, an errno; 0: it can */
    /* What has been copied and is not published: files, and the list of shards that there will be. */
    output *copies;
    manifest_shard *listed;
    size_t listed_count;
};

static hl_status path_in(const char *folder, const char *name, char **out, hl_error *error) {
    if (asprintf(out, "%s/%s", folder, name) >= 0) return HL_OK;
    *out = NULL;
    return hl_no_memory(error, folder);
}

/* ---- what lies in the folder ---- */

typedef struct listing {
    const atlas_writer *self;
    size_t strangers; /* files named like shards that atlas.json does not list */
} listing;

/* Calls `visit` for each name until one call fails. A folder that is not there has none. */
static hl_status for_each_name(listing *of,
                               hl_status (*visit)(listing *of, const char *name, hl_error *error),
                               hl_error *error) {
    const char *folder = of->self->folder;
    DIR *open = opendir(folder);
    if (!open && errno == ENOENT) return HL_OK;
    if (!open) return hl_fail(error, HL_FAILED, "%s: cannot be listed: %s", folder, strerror(errno));
    hl_status status = HL_OK;
    for (struct dirent *entry; status == HL_OK && (errno = 0, entry = readdir(open));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        status = visit(of, entry->d_name, error);
    }
    int reason = errno; /* of the end, if it was one */
    closedir(open);
    if (status != HL_OK || !reason) return status;
    return hl_fail(error, HL_FAILED, "%s: cannot be listed: %s", folder, strerror(reason));
}

/* A lock holds nothing; a file of that name which does is somebody's. */
static bool is_lock(const atlas_writer *self, const char *name) {
    struct stat status;
    return strcmp(name, LOCK_FILE) == 0 &&
           (lstat(self->lock_path, &status) != 0 || (S_ISREG(status.st_mode) && status.st_size == 0));
}

/* In a folder without atlas.json. Shards are for later: a change that was broken off may explain them. */
static hl_status refuse_foreign(listing *of, const char *name, hl_error *error) {
    uint64_t number;
    if (is_lock(of->self, name) || strcmp(name, CHANGES_FILE) == 0 || output_is_staging(name) ||
        manifest_shard_number(name, &number) ||
        (strcmp(name, PARTS_FOLDER) == 0 && parts_are_ours(of->self->folder))) {
        return HL_OK;
    }
    return hl_fail(error, HL_USAGE,
                   "%s: no atlas, and not empty either (there is %s); name a new folder for the atlas",
                   of->self->folder, name);
}

static hl_status refuse_shards(listing *of, const char *name, hl_error *error) {
    uint64_t number;
    if (!manifest_shard_number(name, &number)) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "%s: holds shards (%s) but no " MANIFEST_FILE
                   ": bring that file back, move the shards away or choose another folder",
                   of->self->folder, name);
}

static hl_status count_stranger(listing *of, const char *name, hl_error *error) {
    (void)error;
    uint64_t number;
    if (manifest_shard_number(name, &number)) of->strangers += !manifest_lists(of->self->manifest, number);
    return HL_OK;
}

hl_status atlas_writer_strangers(const atlas_writer *self, size_t *count, hl_error *error) {
    listing found = {.self = self};
    hl_status status = for_each_name(&found, count_stranger, error);
    *count = found.strangers;
    return status;
}

/* ---- changes that were not finished ----
 *
 * Before shards come and go, CHANGES_FILE names them, and it goes when they have: so a shard that atlas.json
 * does not list is known to be this module's own, or else is somebody's and stays. */

/* Whether the file is, to the byte, the shard that was written. */
static hl_status is_shard(const char *path, const manifest_shard *shard, bool *same, hl_error *error) {
    char found[CHECKSUM_ROOM];
    mapping file;
    struct stat about;
    *same = false;
    if (lstat(path, &about) != 0 || !S_ISREG(about.st_mode) || (uint64_t)about.st_size != shard->bytes) {
        return HL_OK;
    }
    hl_status status = mapping_open(path, &file, error);
    if (status != HL_OK) return status;
    status = mapping_checksum(&file, found, error);
    mapping_close(&file);
    *same = status == HL_OK && strcmp(found, shard->checksum) == 0;
    return status;
}

static hl_status remove_file(const char *path, hl_error *error) {
    if (unlink(path) == 0 || errno == ENOENT) return HL_OK;
    return hl_fail(error, HL_FAILED, "%s: cannot be removed: %s", path, strerror(errno));
}

static hl_status remove_shard(const char *folder, const manifest_shard *shard, hl_error *error) {
    char name[MANIFEST_NAME_ROOM], *path;
    bool ours = false;
    manifest_shard_name(shard->number, name);
    hl_status status = path_in(folder, name, &path, error);
    if (status == HL_OK) status = is_shard(path, shard, &ours, error);
    if (status == HL_OK && ours) status = remove_file(path, error);
    free(path);
    return status;
}

/* Removes what a change wrote and atlas.json does not list, or what it was to take away: looks at the files,
 * for a change can have failed anywhere. */
static hl_status settle(const char *folder, hl_error *error) {
    manifest *changes, *current = NULL;
    char *path = NULL;
    hl_status status = manifest_find(folder, CHANGES_FILE, &changes, error);
    if (status != HL_OK || !changes) return status;
    status = manifest_find(folder, MANIFEST_FILE, &current, error);
    for (size_t i = 0; i < changes->shard_count && status == HL_OK; ++i) {
        if (current && manifest_lists(current, changes->shards[i].number)) continue;
        status = remove_shard(folder, &changes->shards[i], error);
    }
    if (status == HL_OK) status = path_in(folder, CHANGES_FILE, &path, error);
    if (status == HL_OK) status = remove_file(path, error);
    free(path);
    manifest_free(current);
    manifest_free(changes);
    return status;
}

/* ---- the folder ---- */

/* So that a rename survives a power cut. */
static hl_status sync_folder(const char *folder, hl_error *error) {
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = descriptor >= 0 && (fsync(descriptor) == 0 || errno == EINVAL); /* some cannot */
    int reason = errno;
    if (descriptor >= 0) close(descriptor);
    return synced ? HL_OK : hl_fail(error, HL_FAILED, "%s: cannot be synced: %s", folder, strerror(reason));
}

static hl_status make_folder(atlas_writer *self, hl_error *error) {
    output *out;
    self->made_folder = access(self->folder, F_OK) != 0;
    hl_status status = output_open(self->folder, &out, error);
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
        return hl_fail(error, HL_UNAVAILABLE, "%s: another process is indexing into this atlas",
                       self->folder);
    }
    return hl_fail(error, HL_FAILED, "%s: is not up to date, and cannot be written: %s", self->folder,
                   strerror(self->unwritable));
}

static hl_status lock_folder(atlas_writer *self, hl_error *error) {
    for (;;) {
        int descriptor = open(self->lock_path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
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
    listing found = {.self = self};
    hl_status status = path_in(self->folder, LOCK_FILE, &self->lock_path, error);
    if (status == HL_OK) status = find_manifest(self, error);
    if (status == HL_OK && !self->published) status = for_each_name(&found, refuse_foreign, error);
    if (status == HL_OK && !self->published) status = make_folder(self, error);
    if (status == HL_OK) status = lock_folder(self, error);
    if (status == HL_OK && !self->unwritable) status = settle(self->folder, error);
    if (status == HL_OK) status = find_manifest(self, error); /* now nobody else changes it */
    if (status == HL_OK && !self->published) status = for_each_name(&found, refuse_shards, error);
    if (status == HL_OK) status = open_manifest(self, layout, shard_size, error);
    if (status == HL_OK) status = shard_layout_make(&self->manifest->layout, &self->layout, error);
    if (status == HL_OK && !self->unwritable) output_sweep(self->folder);
    return status;
}

hl_status atlas_writer_may_found(const char *folder, hl_error *error) {
    atlas_writer looking = {.folder = (char *)(uintptr_t)folder};
    listing found = {.self = &looking};
    hl_status status = path_in(folder, LOCK_FILE, &looking.lock_path, error);
    if (status == HL_OK) status = find_manifest(&looking, error);
    if (status == HL_OK && !looking.published) status = for_each_name(&found, refuse_foreign, error);
    free(looking.lock_path);
    return status;
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
    output_abandon(self->copies);
    free(self->listed);
    if (self->lock >= 0 && !self->published) {
        unlink(self->lock_path);
        if (self->made_folder) rmdir(self->folder); /* only when it is empty */
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

/* A number that no shard has that is listed or will be, and no other file here either. */
static uint64_t next_number(const atlas_writer *self) {
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

/* The shards of `a` that `b` lacks, behind `out`; returns how many. */
static size_t list_missing(const manifest_shard *a, size_t a_count, const manifest *b, manifest_shard *out) {
    size_t count = 0;
    for (size_t i = 0; i < a_count; ++i) {
        if (!manifest_lists(b, a[i].number)) out[count++] = a[i];
    }
    return count;
}

static hl_status announce(const atlas_writer *self, const manifest *next, hl_error *error) {
    const manifest *now = self->manifest;
    manifest changes = *next;
    changes.shards = calloc(now->shard_count + next->shard_count + 1, sizeof *changes.shards);
    if (!changes.shards) return hl_no_memory(error, "a list of shards");
    changes.shard_count = list_missing(next->shards, next->shard_count, now, changes.shards);
    changes.shard_count +=
        list_missing(now->shards, now->shard_count, next, changes.shards + changes.shard_count);
    hl_status status =
        changes.shard_count > 0 ? manifest_write(&changes, self->folder, CHANGES_FILE, error) : HL_OK;
    free(changes.shards);
    return status;
}

static hl_status write_manifest(atlas_writer *self, const manifest *next, hl_error *error) {
    hl_status status = sync_folder(self->folder, error);
    if (status == HL_OK) status = manifest_write(next, self->folder, MANIFEST_FILE, error);
    if (status == HL_OK) self->published = true;
    return status;
}

/* What is taken away stays until atlas.json is safe without it. Where this fails, twice, the change is made
 * or has failed all the same, and whoever changes something here next tidies up first. */
static bool tidy_up(const atlas_writer *self, bool changed) {
    if (self->unwritable || (changed && sync_folder(self->folder, NULL) != HL_OK)) return false;
    return settle(self->folder, NULL) == HL_OK;
}

/* Puts `files` in their places and makes `shards`, which it takes over, the atlas's. */
static hl_status change(atlas_writer *self, output *files, manifest_shard *shards, size_t count,
                        hl_error *error) {
    manifest next = *self->manifest;
    next.shards = shards;
    next.shard_count = count;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = settle(self->folder, error);
    if (status == HL_OK) status = announce(self, &next, error);
    if (status == HL_OK) {
        status = files ? output_commit(files, error) : HL_OK;
    } else {
        output_abandon(files);
    }
    if (status == HL_OK) status = write_manifest(self, &next, error);
    free(status == HL_OK ? self->manifest->shards : shards);
    if (status == HL_OK) *self->manifest = next;
    if (!tidy_up(self, status == HL_OK)) tidy_up(self, status == HL_OK);
    return status;
}

/* The list of shards with room for one more; at least one, so that NULL means that there is no memory. */
static manifest_shard *copy_list(const manifest_shard *shards, size_t count) {
    manifest_shard *out = calloc(count + 1, sizeof *out);
    if (out && count > 0) memcpy(out, shards, count * sizeof *out);
    return out;
}

hl_status atlas_writer_found(atlas_writer *self, hl_error *error) {
    return self->published ? HL_OK : change(self, NULL, NULL, 0, error);
}

/* Writes the shard, and puts it at place `index` of the list. */
static hl_status write_shard(atlas_writer *self, shard_builder *filled, const hl_host *host, size_t index,
                             hl_error *error) {
    const manifest *now = self->manifest;
    manifest_shard shard = {.number = next_number(self)}, *list;
    output *out;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = output_open(self->folder, &out, error);
    if (status != HL_OK) return status;
    status = shard_builder_write(filled, host, out, &shard, error);
    list = copy_list(now->shards, now->shard_count);
    if (status == HL_OK && !list) status = hl_no_memory(error, "a list of shards");
    if (status != HL_OK) {
        output_abandon(out);
        free(list);
        return status;
    }
    list[index] = shard;
    return change(self, out, list, now->shard_count + (index == now->shard_count), error);
}

hl_status atlas_writer_append(atlas_writer *self, shard_builder *filled, const hl_host *host,
                              hl_error *error) {
    return write_shard(self, filled, host, self->manifest->shard_count, error);
}

static hl_status drop_shard(atlas_writer *self, size_t index, hl_error *error) {
    const manifest *now = self->manifest;
    manifest_shard *list = copy_list(now->shards, now->shard_count);
    if (!list) return hl_no_memory(error, "a list of shards");
    memmove(&list[index], &list[index + 1], (now->shard_count - index - 1) * sizeof *list);
    return change(self, NULL, list, now->shard_count - 1, error);
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
    if (status == HL_OK) status = settle(self->folder, error);
    if (status == HL_OK) status = announce(self, &nothing, error);
    if (status == HL_OK) status = path_in(self->folder, MANIFEST_FILE, &path, error);
    if (status == HL_OK) status = remove_file(path, error);
    if (status == HL_OK) status = settle(self->folder, error);
    free(path);
    if (status == HL_OK) {
        self->published = false;
        self->made_folder = true;
    }
    return status;
}

/* ---- copying ---- */

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
        checksum_add(sum, bytes,
                     count); /* first: what cannot be read is found here, not in the midst of a write */
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

static hl_status open_copies(atlas_writer *self, hl_error *error) {
    const manifest *now = self->manifest;
    if (self->listed) return HL_OK;
    hl_status status = atlas_writer_check(self, error);
    if (status == HL_OK) status = output_open(self->folder, &self->copies, error);
    if (status != HL_OK) return status;
    self->listed = copy_list(now->shards, now->shard_count);
    self->listed_count = now->shard_count;
    return self->listed ? HL_OK : hl_no_memory(error, "a list of shards");
}

hl_status atlas_writer_copy(atlas_writer *self, const atlas *from, size_t shard, hl_error *error) {
    hl_status status = open_copies(self, error);
    if (status != HL_OK) return status;
    manifest_shard copied = from->manifest->shards[shard];
    copied.number = next_number(self);
    char name[MANIFEST_NAME_ROOM];
    manifest_shard_name(copied.number, name);
    FILE *file;
    manifest_shard *grown = reallocarray(self->listed, self->listed_count + 1, sizeof *grown);
    if (!grown) return hl_no_memory(error, "a list of shards");
    self->listed = grown;
    status = output_file(self->copies, name, &file, error);
    if (status == HL_OK) {
        status = copy_bytes(&from->shards[shard], copied.checksum, self->copies, file, error);
    }
    if (status == HL_OK) status = output_finish(self->copies, file, error);
    if (status == HL_OK) self->listed[self->listed_count++] = copied;
    return status;
}

hl_status atlas_writer_publish(atlas_writer *self, hl_error *error) {
    output *files = self->copies;
    manifest_shard *listed = self->listed;
    size_t count = self->listed_count;
    self->copies = NULL;
    self->listed = NULL;
    self->listed_count = 0;
    return listed ? change(self, files, listed, count, error) : atlas_writer_found(self, error);
}
