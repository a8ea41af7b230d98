/* PyTorch archives: a zip of NAME/data.pkl, a pickle of tensors, and NAME/data/KEY, the numbers of each
 * storage (torch/serialization.py; caffe2/serialize/inline_container.cc). TorchScript's are the same with
 * code beside it, which is left alone. */
#include "core/weights/torch_zip.h"
#include "core/weights/torch_tensors.h"
#include "core/weights/zip_file.h"

#include <stdio.h>
#include <stdlib.h>

enum { LARGEST_PICKLE = 1 << 24, LARGEST_REMARK = 64, NAME_ROOM = 1024 };

static const char PICKLE[] = "/data.pkl";

/* "NAME", the folder in which everything lies. */
typedef struct archive {
    zip_file zip;
    const char *name;
    size_t name_length;
    hl_error *error;
} archive;

static const char *path_of(const archive *a) {
    return a->zip.file->path;
}

/* The one entry NAME/data.pkl. */
static hl_status find_pickle(archive *a, const zip_entry **out) {
    for (size_t i = 0; i < a->zip.count; ++i) {
        const char *name = a->zip.entries[i].name, *slash = strchr(name, '/');
        if (!slash || strcmp(slash, PICKLE) != 0) continue;
        *out = &a->zip.entries[i];
        a->name = name;
        a->name_length = (size_t)(slash - name);
        return HL_OK;
    }
    return hl_fail(a->error, HL_FAILED,
                   "%s: is a zip archive without a data.pkl, so none that PyTorch wrote; if it is a packed "
                   "model, unpack it first",
                   path_of(a));
}

static const zip_entry *find(const archive *a, const char *before, const char *name) {
    char whole[NAME_ROOM];
    int length = snprintf(whole, sizeof whole, "%.*s/%s%s", (int)a->name_length, a->name, before, name);
    return (size_t)length < sizeof whole ? zip_find(&a->zip, whole) : NULL;
}

/* An entry `byteorder` is there since PyTorch 2.1. */
static hl_status check_order(const archive *a) {
    const zip_entry *order = find(a, "", "byteorder");
    uint8_t *text;
    size_t count;
    if (!order) return HL_OK;
    hl_status status = zip_read(&a->zip, order, LARGEST_REMARK, &text, &count, a->error);
    if (status != HL_OK) return status;
    bool little = count >= 6 && memcmp(text, "little", 6) == 0;
    free(text);
    if (little) return HL_OK;
    return hl_fail(a->error, HL_FAILED,
                   "%s: its numbers are stored high byte first, by a machine of another kind: write "
                   "it again on one like this",
                   path_of(a));
}

static hl_status locate(void *container, const char *key, uint64_t *begin, uint64_t *bytes, hl_error *error) {
    const archive *a = container;
    const zip_entry *entry = find(a, "data/", key);
    if (!entry) {
        return hl_fail(error, HL_FAILED,
                       "%s: there is no entry %.*s/data/%.100s, which a tensor needs; the file is "
                       "damaged: copy or download it again",
                       path_of(a), (int)a->name_length, a->name, key);
    }
    if (!entry->stored) {
        return hl_fail(error, HL_FAILED,
                       "%s: its entry %.200s is compressed, where PyTorch stores tensors as they are: "
                       "write the file again with torch.save, or with zip -0",
                       path_of(a), entry->name);
    }
    *begin = entry->begin;
    *bytes = entry->size;
    return HL_OK;
}

static hl_status read_tensors(archive *a, hl_weights *table, const zip_entry *entry, const uint8_t *bytes,
                              size_t count) {
    char *what;
    pickle tree;
    if (asprintf(&what, "%s: %.100s", path_of(a), entry->name) < 0) return hl_no_memory(a->error, path_of(a));
    hl_status status = pickle_read(what, bytes, count, torch_may, &tree, a->error);
    if (status == HL_OK) status = torch_add_tensors(table, &tree, locate, a, a->error);
    pickle_free(&tree);
    free(what);
    return status;
}

static hl_status read_archive(archive *a, hl_weights *table) {
    const zip_entry *entry = NULL;
    uint8_t *bytes = NULL;
    size_t count = 0;
    hl_status status = find_pickle(a, &entry);
    if (status == HL_OK) status = check_order(a);
    if (status == HL_OK) status = zip_read(&a->zip, entry, LARGEST_PICKLE, &bytes, &count, a->error);
    if (status == HL_OK) status = read_tensors(a, table, entry, bytes, count);
    free(bytes);
    return status;
}

bool torch_zip_is(const uint8_t *bytes, size_t count) {
    return count >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

hl_status torch_zip_read(hl_weights *table, hl_error *error) {
    archive a = {.error = error};
    hl_status status = zip_open(&table->files[table->file_count - 1], &a.zip, error);
    if (status == HL_OK) status = read_archive(&a, table);
    zip_close(&a.zip);
    return status;
}
