/* See changes.h. */
#include "core/atlas/changes.h"

#include "core/atlas/atlas_folder.h"
#include "core/io/mapping.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- noting them ---- */

/* The shards of `a` that `b` lacks, behind `out`; returns how many. */
static size_t list_missing(const manifest_shard *a, size_t a_count, const manifest *b, manifest_shard *out) {
    size_t count = 0;
    for (size_t i = 0; i < a_count; ++i) {
        if (!manifest_lists(b, a[i].number)) out[count++] = a[i];
    }
    return count;
}

hl_status changes_announce(const char *folder, const manifest *now, const manifest *next, hl_error *error) {
    manifest changes = *next;
    changes.shards = calloc(now->shard_count + next->shard_count + 1, sizeof *changes.shards);
    if (!changes.shards) return hl_no_memory(error, "a list of shards");
    changes.shard_count = list_missing(next->shards, next->shard_count, now, changes.shards);
    changes.shard_count +=
        list_missing(now->shards, now->shard_count, next, changes.shards + changes.shard_count);
    changes.layout.columns = manifest_common_columns(changes.shards, changes.shard_count, 0);
    changes.layout.mlps = changes.layout.columns & ATLAS_MLPS ? changes.mlps : 0;
    hl_status status =
        changes.shard_count > 0 ? manifest_write(&changes, folder, CHANGES_FILE, error) : HL_OK;
    free(changes.shards);
    return status;
}

/* ---- tidying up ---- */

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
    hl_status status = folder_path(folder, name, &path, error);
    if (status == HL_OK) status = is_shard(path, shard, &ours, error);
    if (status == HL_OK && ours) status = remove_file(path, error);
    free(path);
    return status;
}

static hl_status remove_unlisted(const char *folder, const manifest *changes, const manifest *current,
                                 hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < changes->shard_count && status == HL_OK; ++i) {
        if (current && manifest_lists(current, changes->shards[i].number)) continue;
        status = remove_shard(folder, &changes->shards[i], error);
    }
    return status;
}

hl_status changes_settle(const char *folder, const manifest *current, hl_error *error) {
    manifest *changes, *found = NULL;
    char *path = NULL;
    hl_status status = manifest_find(folder, CHANGES_FILE, &changes, error);
    if (status != HL_OK || !changes) return status;
    if (!current) status = manifest_find(folder, MANIFEST_FILE, &found, error);
    if (status == HL_OK) status = remove_unlisted(folder, changes, current ? current : found, error);
    if (status == HL_OK) status = folder_path(folder, CHANGES_FILE, &path, error);
    if (status == HL_OK) status = remove_file(path, error);
    free(path);
    manifest_free(found);
    manifest_free(changes);
    return status;
}
