/* See atlas_folder.h. */
#include "core/atlas/atlas_folder.h"

#include "core/atlas/changes.h"
#include "core/atlas/parts.h"
#include "core/io/output.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE ".lock"

hl_status folder_path(const char *folder, const char *name, char **out, hl_error *error) {
    if (asprintf(out, "%s/%s", folder, name) >= 0) return HL_OK;
    *out = NULL;
    return hl_no_memory(error, folder);
}

hl_status folder_has_atlas(const char *folder, bool *out, hl_error *error) {
    char *path;
    hl_status status = folder_path(folder, MANIFEST_FILE, &path, error);
    if (status == HL_OK) *out = access(path, F_OK) == 0;
    free(path);
    return status;
}

/* ---- what lies in the folder ---- */

typedef struct listing {
    const char *folder;
    const manifest *listed;
    size_t strangers; /* files named like shards that it does not list */
} listing;

/* Calls `visit` for each name until one call fails. A folder that is not there has none. */
static hl_status for_each_name(listing *of,
                               hl_status (*visit)(listing *of, const char *name, hl_error *error),
                               hl_error *error) {
    const char *folder = of->folder;
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
static bool is_lock(const char *folder, const char *name) {
    struct stat status;
    char path[PATH_MAX];
    if (strcmp(name, LOCK_FILE) != 0) return false;
    snprintf(path, sizeof path, "%s/" LOCK_FILE, folder);
    return lstat(path, &status) != 0 || (S_ISREG(status.st_mode) && status.st_size == 0);
}

static hl_status refuse_foreign(listing *of, const char *name, hl_error *error) {
    uint64_t number;
    if (is_lock(of->folder, name) || strcmp(name, CHANGES_FILE) == 0 || output_is_staging(name) ||
        manifest_shard_number(name, &number) ||
        (strcmp(name, PARTS_FOLDER) == 0 && parts_are_ours(of->folder))) {
        return HL_OK;
    }
    return hl_fail(error, HL_USAGE,
                   "%s: no atlas, and not empty either (there is %s); name a new folder for the atlas",
                   of->folder, name);
}

static hl_status refuse_shards(listing *of, const char *name, hl_error *error) {
    uint64_t number;
    if (!manifest_shard_number(name, &number)) return HL_OK;
    return hl_fail(error, HL_FAILED,
                   "%s: holds shards (%s) but no " MANIFEST_FILE
                   ": bring that file back, move the shards away or choose another folder",
                   of->folder, name);
}

static hl_status count_stranger(listing *of, const char *name, hl_error *error) {
    (void)error;
    uint64_t number;
    if (manifest_shard_number(name, &number)) of->strangers += !manifest_lists(of->listed, number);
    return HL_OK;
}

hl_status folder_refuse_foreign(const char *folder, hl_error *error) {
    return for_each_name(&(listing){.folder = folder}, refuse_foreign, error);
}

hl_status folder_refuse_shards(const char *folder, hl_error *error) {
    return for_each_name(&(listing){.folder = folder}, refuse_shards, error);
}

hl_status folder_count_strangers(const char *folder, const manifest *listed, size_t *count, hl_error *error) {
    listing found = {.folder = folder, .listed = listed};
    hl_status status = for_each_name(&found, count_stranger, error);
    *count = found.strangers;
    return status;
}

/* ---- the folder itself ---- */

hl_status folder_sync(const char *folder, hl_error *error) {
    int descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = descriptor >= 0 && (fsync(descriptor) == 0 || errno == EINVAL); /* some cannot */
    int reason = errno;
    if (descriptor >= 0) close(descriptor);
    return synced ? HL_OK : hl_fail(error, HL_FAILED, "%s: cannot be synced: %s", folder, strerror(reason));
}

/* ---- the lock ---- */

/* Whether the locked file is still the one that others will find. */
static bool is_current(int descriptor, const char *path) {
    struct stat locked, named;
    return fstat(descriptor, &locked) == 0 && stat(path, &named) == 0 && locked.st_dev == named.st_dev &&
           locked.st_ino == named.st_ino;
}

int folder_lock(const char *folder, int *reason) {
    char *path;
    *reason = ENOMEM;
    if (folder_path(folder, LOCK_FILE, &path, NULL) != HL_OK) return -1;
    int descriptor;
    for (;;) {
        descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0666);
        bool locked = descriptor >= 0 && flock(descriptor, LOCK_EX | LOCK_NB) == 0;
        *reason = locked ? 0 : errno;
        if (locked && is_current(descriptor, path)) break;
        if (descriptor >= 0) close(descriptor);
        descriptor = -1;
        if (!locked) break; /* else it was removed in between, by a process that left nothing behind */
    }
    free(path);
    return descriptor;
}

void folder_unlock(const char *folder, int lock, bool forget) {
    char *path;
    if (forget && folder_path(folder, LOCK_FILE, &path, NULL) == HL_OK) {
        unlink(path);
        free(path);
    }
    close(lock);
}
