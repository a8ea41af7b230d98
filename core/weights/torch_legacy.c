/* See torch_legacy.h. The file is five pickles (a magic number, a version, what the machine was like, the
 * tensors, the list of storages' keys) and then, for each key in that order, an int64 count and as many
 * numbers (torch/serialization.py, _legacy_save). */
#include "core/weights/torch_legacy.h"

#include "core/weights/torch_tensors.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { LARGEST_PICKLES = 1 << 24, VERSION = 1001, COUNT_BYTES = 8 };

/* PROTO 2, LONG1 of ten bytes, 0x1950a86a20f9469cfc6c: the first pickle but for its protocol. */
static const uint8_t MAGIC[] = {0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};

bool torch_legacy_is(const uint8_t *bytes, size_t count) {
    return count >= 2 + sizeof MAGIC && bytes[0] == 0x80 && memcmp(bytes + 2, MAGIC, sizeof MAGIC) == 0;
}

/* A storage that tensors speak of, and where its numbers lie. */
typedef struct place {
    torch_storage storage;
    bool found;
    uint64_t begin;
} place;

typedef struct reading {
    const weights_file *file;
    const uint8_t *bytes; /* the file's beginning */
    size_t count, at;
    place *places; /* by key */
    size_t place_count;
    hl_error *error;
} reading;

static hl_status damaged(const reading *r, const char *why) {
    return hl_fail(r->error, HL_FAILED, "%s: %s; the file is damaged: copy or download it again",
                   r->file->path, why);
}

static hl_status next_pickle(reading *r, pickle *out) {
    hl_status status =
        pickle_read(r->file->path, r->bytes + r->at, r->count - r->at, torch_may, out, r->error);
    r->at += out->used;
    return status;
}

/* ---- what comes before the tensors ---- */

static hl_status read_version(reading *r) {
    pickle version;
    hl_status status = next_pickle(r, &version);
    if (status == HL_OK && version.root->integer != VERSION) {
        status = damaged(r, "is of a version of PyTorch's older format that there is none of");
    }
    pickle_free(&version);
    return status;
}

static hl_status read_machine(reading *r) {
    pickle machine;
    hl_status status = next_pickle(r, &machine);
    const pickle_value *little = status == HL_OK ? pickle_get(machine.root, "little_endian") : NULL;
    if (little && little->kind == PICKLE_BOOL && !little->integer) {
        status = hl_fail(r->error, HL_FAILED,
                         "%s: its numbers are stored high byte first, by a machine of another kind: write it "
                         "again on one like this",
                         r->file->path);
    }
    pickle_free(&machine);
    return status;
}

/* ---- where storages lie ---- */

static int compare_keys(const void *left, const void *right) {
    return strcmp(((const place *)left)->storage.key, ((const place *)right)->storage.key);
}

static place *find(const reading *r, const char *key) {
    const place wanted = {.storage.key = key};
    if (r->place_count == 0) return NULL;
    return bsearch(&wanted, r->places, r->place_count, sizeof wanted, compare_keys);
}

/* The storages that the tensors speak of, each once. */
static hl_status list_storages(reading *r, const pickle *tensors) {
    r->places = calloc(tensors->stored_count + 1, sizeof *r->places);
    if (!r->places) return hl_no_memory(r->error, r->file->path);
    for (size_t i = 0; i < tensors->stored_count; ++i) {
        const char *why = torch_read_storage(tensors->stored[i], &r->places[i].storage);
        if (why) return hl_fail(r->error, HL_FAILED, "%s: of a tensor %s", r->file->path, why);
    }
    qsort(r->places, tensors->stored_count, sizeof *r->places, compare_keys);
    for (size_t i = 0; i < tensors->stored_count; ++i) {
        place *last = r->place_count ? &r->places[r->place_count - 1] : NULL;
        const torch_storage *each = &r->places[i].storage;
        if (last && strcmp(last->storage.key, each->key) == 0) {
            if (last->storage.item != each->item || last->storage.whole != each->whole) {
                return damaged(r, "a storage is spoken of with two sizes");
            }
        } else {
            r->places[r->place_count++] = r->places[i];
        }
    }
    return HL_OK;
}

/* The numbers of one storage, of which nothing but their count is read. */
static hl_status pass_over(reading *r, uint64_t *at, const pickle_value *key) {
    place *to = key->kind == PICKLE_BYTES ? find(r, key->text) : NULL;
    uint8_t bytes[COUNT_BYTES];
    uint64_t count = 0, size;
    if (!to || to->found) return damaged(r, "lists a storage that no tensor has, or one twice");
    if (r->file->size - *at < sizeof bytes) return damaged(r, "ends before its storages do");
    hl_status status = weights_file_read(r->file, *at, bytes, sizeof bytes, r->error);
    if (status != HL_OK) return status;
    for (size_t i = sizeof bytes; i-- > 0;) count = count << 8 | bytes[i];
    if (count != to->storage.whole) return damaged(r, "a storage has another size than its tensors say");
    *at += sizeof bytes;
    if (__builtin_mul_overflow(count, to->storage.item, &size) || size > r->file->size - *at) {
        return damaged(r, "ends before its storages do");
    }
    to->found = true;
    to->begin = *at;
    *at += size;
    return HL_OK;
}

static hl_status find_storages(reading *r) {
    pickle keys;
    hl_status status = next_pickle(r, &keys);
    if (status == HL_OK && keys.root->kind != PICKLE_LIST) status = damaged(r, "has no list of storages");
    uint64_t at = r->at;
    for (size_t i = 0; status == HL_OK && i < keys.root->count; ++i) {
        status = pass_over(r, &at, keys.root->items[i]);
    }
    if (status == HL_OK && at != r->file->size) status = damaged(r, "holds bytes behind its last storage");
    pickle_free(&keys);
    return status;
}

static hl_status locate(void *container, const char *key, uint64_t *begin, uint64_t *bytes, hl_error *error) {
    const reading *r = container;
    const place *found = find(r, key);
    if (!found || !found->found) {
        (void)error;
        return damaged(r, "lacks a storage that a tensor needs");
    }
    *begin = found->begin;
    *bytes = found->storage.whole * found->storage.item;
    return HL_OK;
}

/* ---- the file ---- */

static hl_status read_tensors(reading *r, hl_weights *table) {
    pickle tensors;
    hl_status status = next_pickle(r, &tensors);
    if (status == HL_OK) status = list_storages(r, &tensors);
    if (status == HL_OK) status = find_storages(r);
    if (status == HL_OK) status = torch_add_tensors(table, &tensors, locate, r, r->error);
    pickle_free(&tensors);
    free(r->places);
    return status;
}

hl_status torch_legacy_read(hl_weights *table, hl_error *error) {
    const weights_file *file = &table->files[table->file_count - 1];
    size_t count = file->size < LARGEST_PICKLES ? (size_t)file->size : LARGEST_PICKLES;
    uint8_t *bytes = malloc(count);
    if (!bytes) return hl_no_memory(error, file->path);
    reading r = {.file = file, .bytes = bytes, .count = count, .at = 2 + sizeof MAGIC, .error = error};
    hl_status status = weights_file_read(file, 0, bytes, count, error);
    if (status == HL_OK) status = read_version(&r);
    if (status == HL_OK) status = read_machine(&r);
    if (status == HL_OK) status = read_tensors(&r, table);
    free(bytes);
    return status;
}
