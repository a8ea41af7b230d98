/* Which container a file is, by its first bytes, and the list of shards, which is none itself. */
#include "core/weights/weights.h"

#include "core/io/input.h"
#include "core/io/json.h"
#include "core/weights/safetensors.h"
#include "core/weights/table.h"
#include "core/weights/torch_legacy.h"
#include "core/weights/torch_zip.h"
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BEGINNING = 512, LARGEST_INDEX = 1 << 24 };

/* ---- one file ---- */

typedef struct beginning {
    uint8_t bytes[BEGINNING + 1]; /* a NUL behind them */
    size_t count;
} beginning;

static bool starts(const beginning *of, size_t at, const char *with) {
    size_t length = strlen(with);
    return of->count >= at + length && memcmp(of->bytes + at, with, length) == 0;
}

static bool ends(const char *path, const char *with) {
    size_t length = strlen(path), tail = strlen(with);
    return length >= tail && strcmp(path + length - tail, with) == 0;
}

/* What people take for a file of weights; NULL: nothing that is known. */
static const char *other_kind(const beginning *of) {
    if (starts(of, 0, "version https://git-lfs")) {
        return "is a pointer of Git LFS in place of the file: fetch the file itself with `git lfs pull`";
    }
    if (starts(of, 0, "<")) {
        return "is a page of HTML or XML: what was downloaded was a message and not the file; download it "
               "again";
    }
    if (starts(of, 0, "\x1f\x8b")) return "is compressed by gzip: unpack it first";
    if (starts(of, 0, "GGUF")) return "is a GGUF file, which holds quantised numbers: take the original";
    if (starts(of, 0, "\x89HDF")) return "is an HDF5 file, as Keras and TensorFlow write it: take PyTorch's";
    if (starts(of, 0, "\x93NUMPY")) return "is one array of numpy's, which has no name: write .safetensors";
    if (starts(of, 257, "ustar")) {
        return "is a tar archive: unpack it first, or, if PyTorch before 0.1.10 wrote it, write it again "
               "with a "
               "current one";
    }
    if (starts(of, 0, "\x80")) {
        return "is a pickle, but none that torch.save wrote: write its tensors with torch.save or as "
               ".safetensors";
    }
    return NULL;
}

static hl_status read_other(const char *path, const beginning *of, hl_error *error) {
    const char *why = other_kind(of);
    if (!why) {
        why =
            "is no file of weights: expected .safetensors, an index of such files, or what torch.save or "
            "torch.jit.save wrote, by its content, whatever its name; if it should be one, copy or download "
            "it again";
    }
    return hl_fail(error, HL_FAILED, "%s: %s", path, why);
}

static bool is_safetensors(const char *path, const beginning *of) {
    bool header = of->count > 8 && of->bytes[8] == '{' && of->bytes[7] == 0 && of->bytes[6] == 0;
    return header || (ends(path, ".safetensors") && !other_kind(of));
}

static bool is_index(const beginning *of) {
    size_t at = 0;
    while (at < of->count && isspace(of->bytes[at])) ++at;
    return at < of->count && of->bytes[at] == '{';
}

/* Takes the file over, as table_add_file does. `*is_list`: it lists shards, and nothing was read of it. */
static hl_status read_file(hl_weights *table, const weights_file *file, bool *is_list, hl_error *error) {
    beginning of = {.count = file->size < BEGINNING ? (size_t)file->size : BEGINNING};
    hl_status status = table_add_file(table, file, error);
    const weights_file *added = &table->files[table->file_count - 1];
    if (status == HL_OK) status = weights_file_read(added, 0, of.bytes, of.count, error);
    *is_list = status == HL_OK && is_index(&of);
    if (status != HL_OK || *is_list) return status;
    if (torch_zip_is(of.bytes, of.count)) return torch_zip_read(table, error);
    if (torch_legacy_is(of.bytes, of.count)) return torch_legacy_read(table, error);
    return is_safetensors(added->path, &of) ? safetensors_read(table, error)
                                            : read_other(added->path, &of, error);
}

static hl_status open_file(hl_weights *table, const char *path, bool *is_list, hl_error *error) {
    weights_file file = {.path = (char *)(uintptr_t)path};
    hl_status status = input_open(path, &file.descriptor, &file.size, error);
    if (status != HL_OK) return status == HL_USAGE ? HL_FAILED : status;
    return read_file(table, &file, is_list, error);
}

/* ---- shards ---- */

/* An index: {"weight_map": {TENSOR: FILE}}. */
typedef struct shards {
    const char *index; /* its path */
    const cJSON *map;
    hl_weights *table;
    size_t before; /* files that were in the table already */
    hl_error *error;
} shards;

static hl_status bad_index(const shards *s, const char *why) {
    return hl_fail(s->error, HL_FAILED, "%s: %s; copy or download it again", s->index, why);
}

/* A shard lies beside its index. */
static char *path_beside(const char *index, const char *name) {
    const char *slash = strrchr(index, '/');
    char *path;
    int length = asprintf(&path, "%.*s%s", slash ? (int)(slash + 1 - index) : 0, index, name);
    return length < 0 ? NULL : path;
}

static bool is_plain_name(const cJSON *name) {
    return cJSON_IsString(name) && *name->valuestring && !strchr(name->valuestring, '/') &&
           strcmp(name->valuestring, ".") != 0 && strcmp(name->valuestring, "..") != 0;
}

/* Which of the table's files it is; their count: none yet. */
static size_t number_of(const shards *s, const char *path) {
    size_t i = s->before;
    while (i < s->table->file_count && strcmp(s->table->files[i].path, path) != 0) ++i;
    return i;
}

static hl_status open_shard(const shards *s, const char *name) {
    bool is_list = false;
    char *path = path_beside(s->index, name);
    if (!path) return hl_no_memory(s->error, s->index);
    hl_status status = HL_OK;
    if (number_of(s, path) == s->table->file_count) {
        if (access(path, F_OK) != 0 && errno == ENOENT) {
            status = hl_fail(s->error, HL_FAILED,
                             "%s: lists the shard %.200s, which is not there: download all of them", s->index,
                             name);
        } else {
            status = open_file(s->table, path, &is_list, s->error);
        }
    }
    if (is_list)
        status = hl_fail(s->error, HL_FAILED, "%s: is listed as a shard, and is a list itself", path);
    free(path);
    return status;
}

static hl_status open_shards(const shards *s) {
    hl_status status = HL_OK;
    for (const cJSON *item = s->map->child; item && status == HL_OK; item = item->next) {
        if (!is_plain_name(item))
            return bad_index(s, "a shard's name is missing, or leads to another folder");
        status = open_shard(s, item->valuestring);
    }
    return status;
}

/* Each tensor lies in the shard that the index names. */
static hl_status check_shards(const shards *s) {
    for (const cJSON *item = s->map->child; item; item = item->next) {
        const tensor *found = (const tensor *)table_find(s->table, item->string);
        const char *path = found ? s->table->files[found->file].path : "", *slash = strrchr(path, '/');
        if (found && strcmp(slash ? slash + 1 : path, item->valuestring) == 0) continue;
        return hl_fail(s->error, HL_FAILED,
                       "%s: the tensor %.200s is not in %.200s, where the index has it: take the index and "
                       "the shards of "
                       "one model",
                       s->index, item->string, item->valuestring);
    }
    return HL_OK;
}

static hl_status read_list(const shards *s) {
    if (!cJSON_IsObject(s->map) || !s->map->child) {
        return bad_index(s, "is JSON, but lists no shards (\"weight_map\")");
    }
    hl_status status = open_shards(s);
    if (status == HL_OK) status = table_finish(s->table, s->error);
    return status == HL_OK ? check_shards(s) : status;
}

static hl_status read_index(hl_weights *table, const char *path, hl_error *error) {
    uint8_t *text = NULL;
    size_t count = 0;
    cJSON *json = NULL;
    hl_status status = input_read(path, LARGEST_INDEX, &text, &count, error);
    if (status == HL_OK) status = json_parse(path, text, count, &json, error);
    if (status == HL_OK) {
        const shards s = {path, cJSON_GetObjectItemCaseSensitive(json, "weight_map"), table,
                          table->file_count, error};
        status = read_list(&s);
    }
    cJSON_Delete(json);
    free(text);
    return status == HL_USAGE ? HL_FAILED : status;
}

/* ---- the interface ---- */

static hl_status finish(hl_weights *table, hl_status status, hl_weights **out, hl_error *error) {
    if (status == HL_OK) status = table_finish(table, error);
    if (status == HL_OK)
        *out = table;
    else
        table_close(table);
    return status;
}

hl_status weights_parse(const char *name, const uint8_t *bytes, size_t count, hl_weights **weights,
                        hl_error *error) {
    const weights_file file = {(char *)(uintptr_t)name, -1, bytes, count};
    bool is_list;
    *weights = NULL;
    hl_weights *table = table_new();
    if (!table) return hl_no_memory(error, name);
    hl_status status = read_file(table, &file, &is_list, error);
    if (status == HL_OK && is_list)
        status = hl_fail(error, HL_FAILED, "%s: lists shards, expected one file", name);
    return finish(table, status, weights, error);
}

static hl_status open_weights(const char *path, hl_weights **weights, hl_error *error) {
    bool is_list;
    *weights = NULL;
    hl_weights *table = table_new();
    if (!table) return hl_no_memory(error, path);
    hl_status status = open_file(table, path, &is_list, error);
    if (status == HL_OK && is_list) status = read_index(table, path, error);
    return finish(table, status, weights, error);
}

const hl_weights_api weights_api = {
    .size = sizeof weights_api,
    .open = open_weights,
    .close = table_close,
    .at = table_at,
    .find = table_find,
    .read = table_read,
    .done = table_done,
    .digest = table_digest,
};
