/* atlas.json -> manifest. Checks every value before it is used; never looks into a shard. */
#include "core/atlas/manifest_words.h"

#include "core/io/input.h"
#include "core/io/json.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_WIDTH = 1 << 16, MAX_LAYER = 1 << 16, MAX_SHARD_SIZE = 1 << 24, LARGEST_FILE = 1 << 30 };

/* The first error sticks, so that values can be read one after another and checked once. */
typedef struct reader {
    const char *file;
    char place[64]; /* "shards[3]." */
    hl_status status;
    hl_error *error;
} reader;

static void refuse(reader *self, const char *key, const char *expected) {
    if (self->status != HL_OK) return;
    self->status =
        hl_fail(self->error, HL_FAILED, "%s: %s%s: expected %s; the file is damaged: make the atlas again",
                self->file, self->place, key, expected);
}

static const char *read_text(reader *self, const cJSON *object, const char *key) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));
    if (!text || !*text) refuse(self, key, "a text");
    return text && *text ? text : "";
}

/* Exact in JSON's doubles up to 2^53. */
static int64_t read_whole(reader *self, const cJSON *object, const char *key, int64_t low, int64_t high) {
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);
    double value = cJSON_IsNumber(item) ? item->valuedouble : -2;
    if (value >= (double)low && value <= (double)high && value == (double)(int64_t)value) {
        return (int64_t)value;
    }
    char expected[80];
    snprintf(expected, sizeof expected, "a whole number from %" PRId64 " to %" PRId64, low, high);
    refuse(self, key, expected);
    return low;
}

static uint64_t read_count(reader *self, const cJSON *object, const char *key) {
    return (uint64_t)read_whole(self, object, key, 0, INT64_C(1) << 53);
}

static uint32_t read_word(reader *self, const cJSON *item, const char *key, const manifest_word *words) {
    const char *text = cJSON_GetStringValue(item);
    for (const manifest_word *row = words; text && row->name; ++row) {
        if (strcmp(text, row->name) == 0) return row->code;
    }
    char expected[64] = "";
    for (const manifest_word *row = words; row->name; ++row) {
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s%s", used ? " or " : "", row->name);
    }
    refuse(self, key, expected);
    return words->code;
}

static const char *check_hex(reader *self, const char *key, const char *text) {
    if (text && strlen(text) == CHECKSUM_ROOM - 1 && strspn(text, "0123456789abcdef") == CHECKSUM_ROOM - 1) {
        return text;
    }
    refuse(self, key, "32 hexadecimal digits");
    return "";
}

static const char *read_hex(reader *self, const cJSON *object, const char *key) {
    return check_hex(self, key, cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key)));
}

static const cJSON *read_list(reader *self, const cJSON *object, const char *key) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsArray(list)) refuse(self, key, "a list");
    return cJSON_IsArray(list) ? list : NULL;
}

static uint32_t read_columns(reader *self, const cJSON *object) {
    uint32_t columns = 0;
    const cJSON *list = read_list(self, object, "columns"), *item;
    cJSON_ArrayForEach(item, list) columns |= read_word(self, item, "columns", MANIFEST_COLUMNS);
    return columns;
}

static atlas_head read_head(reader *self, const cJSON *item) {
    const cJSON *scope = cJSON_GetObjectItemCaseSensitive(item, "scope");
    return (atlas_head){.name = read_text(self, item, "name"),
                        .layer = (int32_t)read_whole(self, item, "layer", -1, MAX_LAYER),
                        .index = (int32_t)read_whole(self, item, "index", -1, MAX_WIDTH),
                        .width = (uint32_t)read_whole(self, item, "width", 1, MAX_WIDTH),
                        .scalar_count = (uint32_t)read_whole(self, item, "scalars", 0, MAX_WIDTH),
                        .scope = (hl_scalar_scope)read_word(self, scope, "scope", MANIFEST_SCOPES)};
}

/* Room for a list's items; at least one, so that NULL means that there is no memory. */
static void *room_for(reader *self, const cJSON *list, size_t item) {
    void *out = calloc((size_t)cJSON_GetArraySize(list) + 1, item);
    if (!out && self->status == HL_OK) self->status = hl_no_memory(self->error, self->file);
    return out;
}

static void set_place(reader *self, const char *list, size_t index) {
    snprintf(self->place, sizeof self->place, "%s[%zu].", list, index);
}

/* The heads point into the document. */
static void read_heads(reader *self, const cJSON *root, atlas_head **heads, size_t *count) {
    const cJSON *list = read_list(self, root, "heads"), *item;
    if (!(*heads = room_for(self, list, sizeof **heads))) return;
    cJSON_ArrayForEach(item, list) {
        set_place(self, "heads", *count);
        (*heads)[(*count)++] = read_head(self, item);
    }
    self->place[0] = '\0';
    if (*count == 0) refuse(self, "heads", "at least one head");
}

/* ---- shards ---- */

/* A checksum for each tensor of the layout, usually in its order. */
static void read_tensor_sums(reader *self, const cJSON *list, const shard_layout *layout, shard_sums *out) {
    const cJSON *next = list->child;
    if ((size_t)cJSON_GetArraySize(list) != layout->count)
        refuse(self, "tensors", "each tensor of the shard");
    for (size_t i = 0; i < layout->count && self->status == HL_OK; ++i) {
        const char *name = layout->tensors[i].name;
        bool in_order = next && strcmp(next->string, name) == 0;
        const char *sum =
            in_order ? check_hex(self, name, cJSON_GetStringValue(next)) : read_hex(self, list, name);
        snprintf(out->tensors[i], sizeof out->tensors[i], "%s", sum);
        if (next) next = next->next;
    }
}

/* NULL where there are none, as in version 1. */
static shard_sums *read_sums(reader *self, const cJSON *item, const shard_layout *layout) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(item, "tensors");
    if (!list) return NULL;
    if (!cJSON_IsObject(list)) {
        refuse(self, "tensors", "an object");
        return NULL;
    }
    shard_sums *out = shard_sums_new(layout->count);
    if (!out) {
        self->status = hl_no_memory(self->error, self->file);
        return NULL;
    }
    snprintf(out->header, sizeof out->header, "%s", read_hex(self, item, "header"));
    read_tensor_sums(self, list, layout, out);
    return out;
}

static void read_shard_columns(reader *self, const cJSON *item, const manifest *of, manifest_shard *out) {
    out->columns = of->layout.columns;
    if (cJSON_GetObjectItemCaseSensitive(item, "columns")) out->columns = read_columns(self, item);
    if ((out->columns & of->layout.columns) != of->layout.columns) {
        refuse(self, "columns", "those of the atlas among them");
    }
    if (out->columns & ATLAS_MLPS && of->mlps == 0) refuse(self, "columns", "\"mlps\" beside them");
}

static manifest_shard read_shard(reader *self, const cJSON *item, manifest *of) {
    manifest_shard out = {.images = read_count(self, item, "images"),
                          .skipped = read_count(self, item, "skipped"),
                          .bytes = read_count(self, item, "bytes")};
    if (!manifest_shard_number(read_text(self, item, "file"), &out.number)) {
        refuse(self, "file", "a name such as shard-000000.safetensors");
    }
    snprintf(out.checksum, sizeof out.checksum, "%s", read_hex(self, item, "checksum"));
    read_shard_columns(self, item, of, &out);
    const shard_layout *layout;
    if (self->status == HL_OK) self->status = manifest_layout(of, out.columns, &layout, self->error);
    if (self->status == HL_USAGE) self->status = HL_FAILED;
    if (self->status == HL_OK) out.sums = read_sums(self, item, layout);
    return out;
}

static void read_shards(reader *self, const cJSON *root, manifest *out) {
    const cJSON *list = read_list(self, root, "shards"), *item;
    if (!(out->shards = room_for(self, list, sizeof *out->shards))) return;
    cJSON_ArrayForEach(item, list) {
        if (self->status != HL_OK) break;
        set_place(self, "shards", out->shard_count);
        out->shards[out->shard_count++] = read_shard(self, item, out);
    }
    self->place[0] = '\0';
}

/* ---- the whole ---- */

static void read_layout(reader *self, const cJSON *root, manifest *out) {
    atlas_layout layout = {.model = read_text(self, root, "model"),
                           .fingerprint = read_hex(self, root, "fingerprint")};
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(root, "dtype");
    layout.dtype = (hl_dtype)read_word(self, dtype, "dtype", MANIFEST_DTYPES);
    layout.embed_dim = (uint32_t)read_whole(self, root, "embed_dim", 1, MAX_WIDTH);
    out->shard_size = (uint64_t)read_whole(self, root, "shard_size", 1, MAX_SHARD_SIZE);
    layout.columns = read_columns(self, root);
    bool has_mlps = layout.columns & ATLAS_MLPS;
    if (has_mlps || cJSON_GetObjectItemCaseSensitive(root, "mlps")) {
        out->mlps = (uint32_t)read_whole(self, root, "mlps", 1, MAX_LAYER);
    }
    layout.mlps = has_mlps ? out->mlps : 0;
    atlas_head *heads = NULL;
    read_heads(self, root, &heads, &layout.head_count);
    layout.heads = heads;
    if (self->status == HL_OK && !manifest_own_layout(out, &layout)) {
        self->status = hl_no_memory(self->error, self->file);
    }
    free(heads);
}

static void read_version(reader *self, const cJSON *root) {
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(root, "version");
    if (cJSON_IsNumber(version) && version->valuedouble > MANIFEST_VERSION && self->status == HL_OK) {
        self->status = hl_fail(self->error, HL_FAILED,
                               "%s: is of version %g, and this headlight reads up to %d: use a newer one",
                               self->file, version->valuedouble, MANIFEST_VERSION);
    }
    read_whole(self, root, "version", 1, MANIFEST_VERSION);
}

/* Names are what heads and shards are found by. */
static int compare_names(const void *left, const void *right) {
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static int compare_numbers(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static void check_repeated(reader *self, const manifest *of) {
    size_t heads = of->layout.head_count, shards = of->shard_count;
    const char **names = calloc(heads + 1, sizeof *names);
    uint64_t *numbers = calloc(shards + 1, sizeof *numbers);
    if (names && numbers) {
        for (size_t i = 0; i < heads; ++i) names[i] = of->heads[i].name;
        for (size_t i = 0; i < shards; ++i) numbers[i] = of->shards[i].number;
        qsort(names, heads, sizeof *names, compare_names);
        qsort(numbers, shards, sizeof *numbers, compare_numbers);
        for (size_t i = 1; i < heads; ++i) {
            if (strcmp(names[i - 1], names[i]) == 0) refuse(self, "heads", "each name once");
        }
        for (size_t i = 1; i < shards; ++i) {
            if (numbers[i - 1] == numbers[i]) refuse(self, "shards", "each file once");
        }
    } else {
        self->status = hl_no_memory(self->error, self->file);
    }
    free(names);
    free(numbers);
}

hl_status manifest_read_document(const char *name, cJSON *document, manifest **out, hl_error *error) {
    manifest *made = calloc(1, sizeof *made);
    reader self = {.file = name, .error = error};
    if (!made) {
        self.status = hl_no_memory(error, name);
    } else if (!cJSON_IsObject(document)) {
        refuse(&self, "the file", "an object");
    }
    if (self.status == HL_OK) read_version(&self, document);
    if (self.status == HL_OK) read_layout(&self, document, made);
    if (self.status == HL_OK) read_shards(&self, document, made);
    if (self.status == HL_OK) check_repeated(&self, made);
    cJSON_Delete(document);
    if (self.status == HL_OK) {
        *out = made;
    } else {
        manifest_free(made);
    }
    return self.status;
}

hl_status manifest_parse(const char *name, const uint8_t *bytes, size_t count, manifest **out,
                         hl_error *error) {
    *out = NULL;
    cJSON *document;
    hl_status status = json_parse(name, bytes, count, &document, error);
    return status == HL_OK ? manifest_read_document(name, document, out, error) : status;
}

static hl_status read_path(const char *path, manifest **out, hl_error *error) {
    uint8_t *bytes = NULL;
    size_t count = 0;
    hl_status status = input_read(path, LARGEST_FILE, &bytes, &count, error);
    if (status == HL_USAGE) status = HL_FAILED;
    if (status == HL_OK) status = manifest_parse(path, bytes, count, out, error);
    free(bytes);
    return status;
}

hl_status manifest_find(const char *folder, const char *name, manifest **out, hl_error *error) {
    *out = NULL;
    char *path;
    if (asprintf(&path, "%s/%s", folder, name) < 0) return hl_no_memory(error, folder);
    hl_status status = access(path, F_OK) == 0 ? read_path(path, out, error) : HL_OK;
    free(path);
    return status;
}

hl_status manifest_read(const char *folder, manifest **out, hl_error *error) {
    hl_status status = manifest_find(folder, MANIFEST_FILE, out, error);
    if (status != HL_OK || *out) return status;
    return hl_fail(error, HL_USAGE,
                   "%s: no atlas is there (no " MANIFEST_FILE "); `headlight index` makes one", folder);
}
