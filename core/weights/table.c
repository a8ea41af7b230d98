/* See table.h. Never knows what a tensor is for. */
#include "core/weights/table.h"

#include "core/io/convert.h"
#include "core/io/file_digest.h"
#include "core/io/input.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONVERTED_AT_ONCE = 1 << 15, /* bytes */
    FEW = 16                     /* of so many numbers that lie apart fewer than one is asked for */
};

/* ---- the table ---- */

hl_weights *table_new(void) {
    return calloc(1, sizeof(hl_weights));
}

void table_close(hl_weights *self) {
    if (!self) return;
    for (size_t i = 0; i < self->file_count; ++i) {
        if (self->files[i].descriptor >= 0) close(self->files[i].descriptor);
        free(self->files[i].path);
    }
    free(self->files);
    free(self->tensors);
    arena_free(&self->texts);
    free(self);
}

hl_status table_add_file(hl_weights *self, const weights_file *file, hl_error *error) {
    weights_file *grown = realloc(self->files, (self->file_count + 1) * sizeof *grown);
    char *path = strdup(file->path);
    if (grown) self->files = grown;
    if (grown && path) {
        grown[self->file_count] = *file;
        grown[self->file_count++].path = path;
        return HL_OK;
    }
    free(path);
    if (file->descriptor >= 0) close(file->descriptor);
    return hl_no_memory(error, file->path);
}

static hl_status make_room(hl_weights *self, hl_error *error) {
    if (self->count < self->room) return HL_OK;
    size_t room = 2 * self->room + 64, bytes;
    tensor *grown =
        __builtin_mul_overflow(room, sizeof *grown, &bytes) ? NULL : realloc(self->tensors, bytes);
    if (!grown) return hl_no_memory(error, "a list of tensors");
    self->tensors = grown;
    self->room = room;
    return HL_OK;
}

hl_status table_add(hl_weights *self, const tensor *added, hl_error *error) {
    hl_status status = make_room(self, error);
    if (status != HL_OK) return status;
    tensor *to = &self->tensors[self->count];
    *to = *added;
    to->stored.name = arena_copy_text(&self->texts, added->stored.name, strlen(added->stored.name));
    to->stored.type = arena_copy_text(&self->texts, added->stored.type, strlen(added->stored.type));
    if (!to->stored.name || !to->stored.type) return hl_no_memory(error, "the name of a tensor");
    ++self->count;
    return HL_OK;
}

hl_status table_refuse(const hl_weights *self, const tensor *refused, const char *why, hl_error *error) {
    return hl_fail(error, HL_FAILED, "%s: tensor %.200s: %s", self->files[refused->file].path,
                   refused->stored.name, why);
}

static int compare_names(const void *left, const void *right) {
    return strcmp(((const tensor *)left)->stored.name, ((const tensor *)right)->stored.name);
}

hl_status table_finish(hl_weights *self, hl_error *error) {
    tensor *tensors = self->tensors;
    if (self->count) qsort(tensors, self->count, sizeof *tensors, compare_names);
    for (size_t i = 1; i < self->count; ++i) {
        if (compare_names(&tensors[i - 1], &tensors[i]) == 0) {
            return table_refuse(self, &tensors[i],
                                "its name comes twice; the file is damaged: copy or download it again",
                                error);
        }
    }
    return HL_OK;
}

const hl_stored_tensor *table_at(const hl_weights *self, size_t index) {
    return index < self->count ? &self->tensors[index].stored : NULL;
}

const hl_stored_tensor *table_find(const hl_weights *self, const char *name) {
    const tensor key = {.stored.name = name};
    if (self->count == 0) return NULL;
    const tensor *found = bsearch(&key, self->tensors, self->count, sizeof key, compare_names);
    return found ? &found->stored : NULL;
}

/* ---- numbers ---- */

hl_status weights_file_read(const weights_file *file, uint64_t offset, void *out, size_t count,
                            hl_error *error) {
    if (!file->bytes) return input_read_at(file->path, file->descriptor, offset, out, count, error);
    memcpy(out, file->bytes + offset, count);
    return HL_OK;
}

typedef void conversion(const uint8_t *from, size_t count, float *out);

static void copy_f32(const uint8_t *from, size_t count, float *out) {
    memcpy(out, from, count * sizeof *out);
}

static conversion *conversion_of(hl_dtype type) {
    if (type == HL_F32) return copy_f32;
    if (type == HL_F16) return convert_f16;
    if (type == HL_BF16) return convert_bf16;
    return type == HL_F64 ? convert_f64 : NULL;
}

/* From a file in parts, so that no more of it is in memory than is being converted. */
static hl_status read_run(const weights_file *file, const tensor *source, uint64_t offset, size_t count,
                          float *out, hl_error *error) {
    uint8_t part[CONVERTED_AT_ONCE];
    hl_status status = HL_OK;
    size_t item = source->item;
    if (source->stored.dtype == HL_F32) return weights_file_read(file, offset, out, count * item, error);
    conversion *convert = conversion_of(source->stored.dtype);
    for (size_t done = 0; done < count && status == HL_OK;) {
        size_t left = count - done, elements = left < sizeof part / item ? left : sizeof part / item;
        status = weights_file_read(file, offset + done * item, part, elements * item, error);
        if (status == HL_OK) convert(part, elements, out + done);
        done += elements;
    }
    return status;
}

/* ---- numbers that do not lie row after row ---- */

/* How far number `index`, counted row after row, lies behind the first. */
static uint64_t place_of(const tensor *source, uint64_t index) {
    uint64_t place = 0;
    for (uint32_t i = source->stored.rank; i-- > 0;) {
        place += index % source->stored.shape[i] * source->strides[i];
        index /= source->stored.shape[i];
    }
    return place;
}

/* Numbers from the first to the last in the file. */
static uint64_t span_of(const tensor *source) {
    return source->stored.elements ? place_of(source, source->stored.elements - 1) + 1 : 0;
}

static hl_status read_one_by_one(const weights_file *file, const tensor *source, uint64_t first, size_t count,
                                 float *out, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        uint64_t offset = source->begin + place_of(source, first + i) * source->item;
        status = read_run(file, source, offset, 1, out + i, error);
    }
    return status;
}

/* All that lies between the first and the last is read for it. */
static hl_status read_together(const weights_file *file, const tensor *source, uint64_t first, size_t count,
                               float *out, hl_error *error) {
    size_t bytes = (size_t)span_of(source) * source->item;
    uint8_t *all = malloc(bytes);
    conversion *convert = conversion_of(source->stored.dtype);
    if (!all) return hl_no_memory(error, file->path);
    hl_status status = weights_file_read(file, source->begin, all, bytes, error);
    for (size_t i = 0; i < count && status == HL_OK; ++i) {
        convert(all + place_of(source, first + i) * source->item, 1, out + i);
    }
    free(all);
    return status;
}

static hl_status read_strided(const weights_file *file, const tensor *source, uint64_t first, size_t count,
                              float *out, hl_error *error) {
    bool few = count < span_of(source) / FEW;
    return (few ? read_one_by_one : read_together)(file, source, first, count, out, error);
}

hl_status table_read(const hl_weights *self, const hl_stored_tensor *stored, uint64_t first, uint64_t count,
                     float *out, hl_error *error) {
    const tensor *source = (const tensor *)stored;
    const weights_file *file = &self->files[source->file];
    if (first > stored->elements || count > stored->elements - first) {
        return hl_fail(error, HL_FAILED,
                       "%s: tensor %.200s: elements %" PRIu64 " to %" PRIu64 " asked of %" PRIu64, file->path,
                       stored->name, first, first + count, stored->elements);
    }
    if (!conversion_of(stored->dtype)) {
        return table_refuse(self, source,
                            "holds no floating-point numbers that can be read; expected F32, F16, BF16 or "
                            "F64",
                            error);
    }
    if (source->stored.scattered) return read_strided(file, source, first, (size_t)count, out, error);
    return read_run(file, source, source->begin + first * source->item, (size_t)count, out, error);
}

/* Nothing of the file stays in this process; what the system keeps of it is its own affair. */
void table_done(const hl_weights *self, const hl_stored_tensor *stored) {
    (void)self;
    (void)stored;
}

/* ---- the digest ---- */

static hl_status digest_file(const weights_file *file, char out[CHECKSUM_ROOM], hl_error *error) {
    if (!file->bytes) return file_digest(file->path, file->descriptor, out, error);
    checksum_of(file->bytes, (size_t)file->size, out);
    return HL_OK;
}

/* Of several files that of their digests. */
hl_status table_digest(const hl_weights *self, char out[CHECKSUM_ROOM], hl_error *error) {
    if (self->file_count == 1) return digest_file(self->files, out, error);
    checksum *sum = checksum_begin();
    hl_status status = sum ? HL_OK : hl_no_memory(error, "a checksum");
    for (size_t i = 0; i < self->file_count && status == HL_OK; ++i) {
        char each[CHECKSUM_ROOM];
        status = digest_file(&self->files[i], each, error);
        if (status == HL_OK) checksum_add(sum, each, sizeof each);
    }
    checksum_end(sum, status == HL_OK ? out : NULL);
    return status;
}
