/* See shard_file.h. Opening reads no codes. */
#include "core/atlas/shard_file.h"

#include "core/atlas/shard_numbers.h"
#include "core/io/safetensors_write.h"
#include "core/weights/safetensors.h"
#include "core/weights/weights.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define DAMAGED "; the shard is damaged: restore it from a copy or make the atlas again"

static hl_status bad(const shard_file *self, const char *tensor, const char *why, hl_error *error) {
    return hl_fail(error, HL_FAILED, "%s: tensor %s: %s" DAMAGED, self->path, tensor, why);
}

/* ---- tensors ---- */

static bool has_shape(const shard_file *self, const shard_tensor *expected, const hl_stored_tensor *found) {
    if (found->rank != expected->rank) return false;
    uint64_t sides[] = {[SHARD_FIXED] = expected->shape[0],
                        [SHARD_IMAGES] = self->images,
                        [SHARD_LEFT_OUT] = self->skipped,
                        [SHARD_TEXT] = found->shape[0]};
    if (found->shape[0] != sides[expected->extent]) return false;
    for (uint32_t i = 1; i < found->rank; ++i) {
        if (found->shape[i] != expected->shape[i]) return false;
    }
    return true;
}

static hl_status find_tensor(shard_file *self, const hl_weights *stored, const shard_layout *layout,
                             size_t index, hl_error *error) {
    const shard_tensor *expected = &layout->tensors[index];
    const hl_stored_tensor *found = weights_api.find(stored, expected->name);
    if (!found) return bad(self, expected->name, "it is missing", error);
    if (found->dtype != expected->dtype || !has_shape(self, expected, found)) {
        return bad(self, expected->name, "its dtype or shape disagree with " MANIFEST_FILE, error);
    }
    const void *data = safetensors_data(stored, found);
    if ((uintptr_t)data % SAFETENSORS_WRITE_ALIGNMENT != 0 && found->elements > 0) {
        return bad(self, expected->name, "it does not begin at a multiple of 8 bytes", error);
    }
    self->data[index] = data;
    self->bytes[index] = (size_t)found->elements * safetensors_item(found->dtype);
    return HL_OK;
}

/* ---- checksums ---- */

static hl_status damaged(const shard_file *self, const char *what, hl_error *error) {
    return hl_fail(error, HL_FAILED,
                   "%s: %s: its bytes are not those of the checksum in " MANIFEST_FILE DAMAGED, self->path,
                   what);
}

static hl_status check_sum(const shard_file *self, size_t tensor, hl_error *error) {
    char found[CHECKSUM_ROOM], what[128];
    checksum_of(self->data[tensor], self->bytes[tensor], found);
    if (strcmp(found, self->sums->tensors[tensor]) == 0) return HL_OK;
    snprintf(what, sizeof what, "tensor %s", self->layout->tensors[tensor].name);
    return damaged(self, what, error);
}

/* Before anything is made of what it says. */
static hl_status check_header(const shard_file *self, hl_error *error) {
    char found[CHECKSUM_ROOM];
    size_t count = (size_t)safetensors_header_of(self->file.bytes, self->file.count);
    checksum_of(self->file.bytes, count, found);
    return strcmp(found, self->sums->header) == 0 ? HL_OK : damaged(self, "the header", error);
}

/* What has been copied. */
static hl_status check_copies(const shard_file *self, hl_error *error) {
    const shard_layout *layout = self->layout;
    const size_t copied[] = {layout->paths,    layout->skipped,       layout->bytes,
                             layout->modified, layout->skipped_bytes, layout->skipped_modified};
    hl_status status = HL_OK;
    for (size_t i = 0; i < sizeof copied / sizeof *copied && status == HL_OK; ++i) {
        status = check_sum(self, copied[i], error);
    }
    return status;
}

/* ---- texts ---- */

/* Cuts a text of `count` pieces, each ending with NUL; pieces[0 .. count). */
static bool cut(const char *text, uint64_t bytes, size_t count, const char **pieces) {
    const char *end = text + bytes;
    for (size_t i = 0; i < count; ++i) {
        const char *stop = memchr(text, '\0', (size_t)(end - text));
        if (!stop) return false;
        pieces[i] = text;
        text = stop + 1;
    }
    return text == end;
}

static hl_status cut_texts(shard_file *self, const char **pieces, hl_error *error) {
    size_t paths = self->bytes[self->layout->paths], skipped = self->bytes[self->layout->skipped];
    if (!cut(self->texts, paths, self->images, self->paths)) {
        return bad(self, "paths", "it does not hold one path for each image", error);
    }
    if (!cut(self->texts + paths, skipped, 2 * self->skipped, pieces)) {
        return bad(self, "skipped", "it does not hold a path and a reason for each image", error);
    }
    for (size_t i = 0; i < self->skipped; ++i)
        self->skips[i] = (shard_skip){pieces[2 * i], pieces[2 * i + 1]};
    return HL_OK;
}

static hl_status read_texts(shard_file *self, hl_error *error) {
    const shard_layout *layout = self->layout;
    size_t paths = self->bytes[layout->paths], skipped = self->bytes[layout->skipped];
    /* every piece takes a byte at least: no larger allocation than the file */
    if (self->images > paths) return bad(self, "paths", "it has fewer paths than images", error);
    if (self->skipped > skipped) return bad(self, "skipped", "it has fewer paths than images", error);
    self->paths = calloc(self->images + 1, sizeof *self->paths);
    self->skips = calloc(self->skipped + 1, sizeof *self->skips);
    self->texts = malloc(paths + skipped + 1);
    const char **pieces = calloc(2 * self->skipped + 1, sizeof *pieces);
    bool room = self->paths && self->skips && self->texts && pieces;
    hl_status status = room ? HL_OK : hl_no_memory(error, self->path);
    if (room) {
        memcpy(self->texts, self->data[layout->paths], paths);
        memcpy(self->texts + paths, self->data[layout->skipped], skipped);
        self->data[layout->paths] = self->texts;
        self->data[layout->skipped] = self->texts + paths;
        status = cut_texts(self, pieces, error);
    }
    free(pieces);
    return status;
}

/* ---- numbers ---- */

/* What says which image a row stands for is small, and much follows from it: it is not left in a file that
 * may change. */
static hl_status copy_numbers(shard_file *self, hl_error *error) {
    const shard_layout *layout = self->layout;
    const size_t tensors[] = {layout->bytes, layout->modified, layout->skipped_bytes,
                              layout->skipped_modified};
    const size_t counts[] = {self->images, self->images, self->skipped, self->skipped};
    int64_t *to = self->numbers = calloc(2 * (self->images + self->skipped) + 1, sizeof *to);
    if (!to) return hl_no_memory(error, self->path);
    for (size_t i = 0; i < sizeof tensors / sizeof *tensors; to += counts[i++]) {
        memcpy(to, self->data[tensors[i]], counts[i] * sizeof *to);
        self->data[tensors[i]] = to;
    }
    return HL_OK;
}

/* ---- the file ---- */

static hl_status read_tensors(shard_file *self, hl_error *error) {
    hl_weights *stored;
    hl_status status = safetensors_parse(self->path, self->file.bytes, self->file.count, &stored, error);
    if (status != HL_OK) return status;
    self->data = calloc(self->layout->count, sizeof *self->data);
    self->bytes = calloc(self->layout->count, sizeof *self->bytes);
    if (!self->data || !self->bytes) status = hl_no_memory(error, self->path);
    for (size_t i = 0; i < self->layout->count && status == HL_OK; ++i) {
        status = find_tensor(self, stored, self->layout, i, error);
    }
    weights_api.close(stored);
    if (status == HL_OK) status = read_texts(self, error);
    return status == HL_OK ? copy_numbers(self, error) : status;
}

static hl_status check_and_read(shard_file *self, const manifest_shard *shard, hl_error *error) {
    if (self->file.count != shard->bytes) {
        return hl_fail(error, HL_FAILED, "%s: holds %zu bytes, " MANIFEST_FILE " says %" PRIu64 DAMAGED,
                       self->path, self->file.count, shard->bytes);
    }
    hl_status status = self->sums ? check_header(self, error) : HL_OK;
    if (status == HL_OK) status = read_tensors(self, error);
    return status == HL_OK && self->sums ? check_copies(self, error) : status;
}

hl_status shard_parse(const char *name, mapping file, const manifest_shard *shard, const shard_layout *layout,
                      shard_file *out, hl_error *error) {
    *out = (shard_file){.path = strdup(name),
                        .file = file,
                        .layout = layout,
                        .sums = shard->sums,
                        .images = (size_t)shard->images,
                        .skipped = (size_t)shard->skipped};
    hl_status status = out->path ? check_and_read(out, shard, error) : hl_no_memory(error, name);
    if (status != HL_OK) {
        out->file = (mapping){0}; /* the caller's still */
        shard_close(out);
    }
    return status;
}

hl_status shard_open(const char *folder, const manifest_shard *shard, const shard_layout *layout,
                     shard_file *out, hl_error *error) {
    *out = (shard_file){0};
    char name[MANIFEST_NAME_ROOM], *path;
    manifest_shard_name(shard->number, name);
    if (asprintf(&path, "%s/%s", folder, name) < 0) return hl_no_memory(error, folder);
    mapping file;
    hl_status status = mapping_open(path, &file, error);
    if (status == HL_OK) {
        status = shard_parse(path, file, shard, layout, out, error);
        /* what was read may be wrong because the file is no longer what it was */
        if (mapping_check(&file, path, error) != HL_OK) status = HL_FAILED;
        if (status != HL_OK) {
            out->file = (mapping){0};
            shard_close(out);
            mapping_close(&file);
        }
    }
    free(path);
    return status;
}

void shard_close(shard_file *self) {
    mapping_close(&self->file);
    free(self->path);
    free(self->data);
    free(self->bytes);
    free(self->texts);
    free(self->numbers);
    free(self->paths);
    free(self->skips);
    *self = (shard_file){0};
}

hl_status shard_check(const shard_file *self, hl_error *error) {
    return mapping_check(&self->file, self->path, error);
}

hl_status shard_verify_tensor(const shard_file *self, size_t tensor, hl_error *error) {
    hl_status status = check_sum(self, tensor, error);
    if (status == HL_OK) status = shard_check_numbers(self, tensor, error);
    /* what was read may be wrong because the file is no longer what it was */
    if (mapping_is_broken(&self->file)) return shard_check(self, error);
    return status;
}

static hl_status verify_file(const shard_file *self, const manifest_shard *shard, hl_error *error) {
    char found[CHECKSUM_ROOM];
    hl_status status = mapping_checksum(&self->file, found, error);
    if (status == HL_OK) status = shard_check(self, error);
    if (status != HL_OK || strcmp(found, shard->checksum) == 0) return status;
    return hl_fail(error, HL_FAILED, "%s: its checksum is %s, " MANIFEST_FILE " says %s" DAMAGED, self->path,
                   found, shard->checksum);
}

/* Gives a tensor's pages back, if it is one that lies in the file. */
static void release(const shard_file *self, size_t tensor) {
    const uint8_t *data = self->data[tensor], *begin = self->file.bytes;
    bool in_file =
        (uintptr_t)data >= (uintptr_t)begin && (uintptr_t)data < (uintptr_t)begin + self->file.count;
    if (in_file) mapping_release(data, self->bytes[tensor]);
}

/* Tensors first: which one it is says more than that it is some. */
hl_status shard_verify(const shard_file *self, const manifest_shard *shard, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; self->sums && i < self->layout->count && status == HL_OK; ++i) {
        status = shard_verify_tensor(self, i, error);
        release(self, i);
    }
    if (status == HL_OK) status = verify_file(self, shard, error);
    for (size_t i = 0; !self->sums && i < self->layout->count && status == HL_OK; ++i) {
        status = shard_check_numbers(self, i, error);
        release(self, i);
    }
    return status;
}

shard_sums *shard_sum(const shard_file *self) {
    shard_sums *out = shard_sums_new(self->layout->count);
    if (!out) return NULL;
    size_t header = (size_t)safetensors_header_of(self->file.bytes, self->file.count);
    checksum_of(self->file.bytes, header, out->header);
    for (size_t i = 0; i < out->count; ++i) checksum_of(self->data[i], self->bytes[i], out->tensors[i]);
    return out;
}
