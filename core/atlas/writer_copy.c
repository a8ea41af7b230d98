/* Shards of other atlases, copied as they are; see writer.h. */
#include "core/atlas/opened.h"
#include "core/atlas/writer_parts.h"

#include <stdlib.h>
#include <string.h>

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
    self->listed = manifest_copy_list(now->shards, now->shard_count);
    self->listed_count = now->shard_count;
    return self->listed ? HL_OK : hl_no_memory(error, "a list of shards");
}

/* Also for a shard of version 1, whose whole file has just been checked. */
static hl_status take_sums(const shard_file *from, manifest_shard *copied, hl_error *error) {
    copied->sums = copied->sums ? shard_sums_keep(copied->sums) : shard_sum(from);
    return copied->sums ? shard_check(from, error) : hl_no_memory(error, "a checksum");
}

static hl_status copy_file(atlas_writer *self, const shard_file *from, manifest_shard *copied,
                           hl_error *error) {
    char name[MANIFEST_NAME_ROOM];
    FILE *file;
    copied->number = writer_next_number(self);
    manifest_shard_name(copied->number, name);
    hl_status status = output_file(self->copies, name, &file, error);
    if (status == HL_OK) status = copy_bytes(from, copied->checksum, self->copies, file, error);
    return status == HL_OK ? output_finish(self->copies, file, error) : status;
}

hl_status atlas_writer_copy(atlas_writer *self, const atlas *from, size_t shard, hl_error *error) {
    hl_status status = open_copies(self, error);
    if (status != HL_OK) return status;
    manifest_shard copied = from->manifest->shards[shard];
    manifest_shard *grown = reallocarray(self->listed, self->listed_count + 1, sizeof *grown);
    if (!grown) return hl_no_memory(error, "a list of shards");
    self->listed = grown;
    status = copy_file(self, &from->shards[shard], &copied, error);
    if (status == HL_OK) status = take_sums(&from->shards[shard], &copied, error);
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
    return listed ? writer_change(self, files, listed, count, error) : atlas_writer_found(self, error);
}
