/* atlas.json <-> manifest. Checks every value before it is used; never looks into a shard. */
#include "core/atlas/manifest.h"

#include "core/io/input.h"
#include "core/io/json.h"
#include "core/io/output.h"
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    VERSION = 1,
    MAX_WIDTH = 1 << 16,
    MAX_LAYER = 1 << 16,
    MAX_SHARD_SIZE = 1 << 24,
    LARGEST_FILE = 1 << 30
};

typedef struct word {
    const char *name;
    uint32_t code;
} word;

/* Each ends with a row without a name. */
static const word DTYPE_WORDS[] = {{"f16", HL_F16}, {"f32", HL_F32}, {NULL, 0}};
static const word SCOPE_WORDS[] = {{"image", HL_PER_IMAGE}, {"layer", HL_PER_LAYER}, {NULL, 0}};
static const word COLUMN_WORDS[] = {
    {"embedding", ATLAS_EMBEDDING}, {"mlps", ATLAS_MLPS}, {"first", ATLAS_FIRST}, {NULL, 0}};

static const char *word_of(const word *words, uint32_t code) {
    while (words->name && words->code != code) ++words;
    return words->name;
}

void manifest_shard_name(uint64_t number, char out[MANIFEST_NAME_ROOM]) {
    snprintf(out, MANIFEST_NAME_ROOM, "shard-%06" PRIu64 ".safetensors", number);
}

bool manifest_shard_number(const char *name, uint64_t *number) {
    char again[MANIFEST_NAME_ROOM];
    if (sscanf(name, "shard-%" SCNu64, number) != 1) return false;
    manifest_shard_name(*number, again);
    return strcmp(name, again) == 0;
}

const char *manifest_difference(const atlas_layout *a, const atlas_layout *b) {
    if (a->dtype != b->dtype) return "the precision of the codes (dtype)";
    if (strcmp(a->fingerprint, b->fingerprint) != 0)
        return "the fingerprint (weights, preprocessing, precision)";
    if (a->embed_dim != b->embed_dim) return "the width of the embedding";
    if (a->columns != b->columns || a->mlps != b->mlps) return "the optional columns";
    if (a->head_count != b->head_count) return "the layers";
    for (size_t i = 0; i < a->head_count; ++i) {
        const atlas_head *left = &a->heads[i], *right = &b->heads[i];
        if (strcmp(left->name, right->name) != 0 || left->layer != right->layer) return "the layers";
        if (left->index != right->index || left->width != right->width ||
            left->scalar_count != right->scalar_count || left->scope != right->scope) {
            return "the shape of a head";
        }
    }
    return NULL;
}

/* ---- reading ---- */

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

static uint32_t read_word(reader *self, const cJSON *item, const char *key, const word *words) {
    const char *text = cJSON_GetStringValue(item);
    for (const word *row = words; text && row->name; ++row) {
        if (strcmp(text, row->name) == 0) return row->code;
    }
    char expected[64] = "";
    for (const word *row = words; row->name; ++row) {
        size_t used = strlen(expected);
        snprintf(expected + used, sizeof expected - used, "%s%s", used ? " or " : "", row->name);
    }
    refuse(self, key, expected);
    return words->code;
}

static const char *read_hex(reader *self, const cJSON *object, const char *key) {
    const char *text = read_text(self, object, key);
    if (strlen(text) != CHECKSUM_ROOM - 1 || strspn(text, "0123456789abcdef") != CHECKSUM_ROOM - 1) {
        refuse(self, key, "32 hexadecimal digits");
    }
    return text;
}

static const cJSON *read_list(reader *self, const cJSON *object, const char *key) {
    const cJSON *list = cJSON_GetObjectItemCaseSensitive(object, key);
    if (!cJSON_IsArray(list)) refuse(self, key, "a list");
    return cJSON_IsArray(list) ? list : NULL;
}

static void read_columns(reader *self, const cJSON *root, atlas_layout *layout) {
    const cJSON *list = read_list(self, root, "columns"), *item;
    cJSON_ArrayForEach(item, list) layout->columns |= read_word(self, item, "columns", COLUMN_WORDS);
    if (layout->columns & ATLAS_MLPS) layout->mlps = (uint32_t)read_whole(self, root, "mlps", 1, MAX_LAYER);
}

static atlas_head read_head(reader *self, const cJSON *item) {
    const cJSON *scope = cJSON_GetObjectItemCaseSensitive(item, "scope");
    return (atlas_head){.name = read_text(self, item, "name"),
                        .layer = (int32_t)read_whole(self, item, "layer", -1, MAX_LAYER),
                        .index = (int32_t)read_whole(self, item, "index", -1, MAX_WIDTH),
                        .width = (uint32_t)read_whole(self, item, "width", 1, MAX_WIDTH),
                        .scalar_count = (uint32_t)read_whole(self, item, "scalars", 0, MAX_WIDTH),
                        .scope = (hl_scalar_scope)read_word(self, scope, "scope", SCOPE_WORDS)};
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

static void read_heads(reader *self, const cJSON *root, manifest *out) {
    const cJSON *list = read_list(self, root, "heads"), *item;
    if (!(out->heads = room_for(self, list, sizeof *out->heads))) return;
    cJSON_ArrayForEach(item, list) {
        set_place(self, "heads", out->layout.head_count);
        out->heads[out->layout.head_count++] = read_head(self, item);
    }
    self->place[0] = '\0';
    out->layout.heads = out->heads;
    if (out->layout.head_count == 0) refuse(self, "heads", "at least one head");
}

static manifest_shard read_shard(reader *self, const cJSON *item) {
    manifest_shard out = {.images = read_count(self, item, "images"),
                          .skipped = read_count(self, item, "skipped"),
                          .bytes = read_count(self, item, "bytes")};
    if (!manifest_shard_number(read_text(self, item, "file"), &out.number)) {
        refuse(self, "file", "a name such as shard-000000.safetensors");
    }
    snprintf(out.checksum, sizeof out.checksum, "%s", read_hex(self, item, "checksum"));
    return out;
}

static void read_shards(reader *self, const cJSON *root, manifest *out) {
    const cJSON *list = read_list(self, root, "shards"), *item;
    if (!(out->shards = room_for(self, list, sizeof *out->shards))) return;
    cJSON_ArrayForEach(item, list) {
        set_place(self, "shards", out->shard_count);
        out->shards[out->shard_count++] = read_shard(self, item);
    }
    self->place[0] = '\0';
}

static void read_all(reader *self, manifest *out) {
    const cJSON *root = out->document;
    if (!cJSON_IsObject(root)) {
        refuse(self, "the file", "an object");
        return;
    }
    read_whole(self, root, "version", VERSION, VERSION);
    out->layout.model = read_text(self, root, "model");
    out->layout.fingerprint = read_hex(self, root, "fingerprint");
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(root, "dtype");
    out->layout.dtype = (hl_dtype)read_word(self, dtype, "dtype", DTYPE_WORDS);
    out->layout.embed_dim = (uint32_t)read_whole(self, root, "embed_dim", 1, MAX_WIDTH);
    out->shard_size = (uint64_t)read_whole(self, root, "shard_size", 1, MAX_SHARD_SIZE);
    read_columns(self, root, &out->layout);
    read_heads(self, root, out);
    read_shards(self, root, out);
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

/* Takes over `document`. */
static hl_status read_document(const char *name, cJSON *document, manifest **out, hl_error *error) {
    manifest *made = calloc(1, sizeof *made);
    if (!made) {
        cJSON_Delete(document);
        return hl_no_memory(error, name);
    }
    made->document = document;
    reader self = {.file = name, .error = error};
    read_all(&self, made);
    if (self.status == HL_OK) check_repeated(&self, made);
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
    return status == HL_OK ? read_document(name, document, out, error) : status;
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

void manifest_free(manifest *self) {
    if (!self) return;
    cJSON_Delete(self->document);
    free(self->heads);
    free(self->shards);
    free(self);
}

/* ---- writing ---- */

static bool describe_head(cJSON *list, const atlas_head *head) {
    cJSON *item = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, item)) return false;
    return cJSON_AddStringToObject(item, "name", head->name) &&
           cJSON_AddNumberToObject(item, "layer", head->layer) &&
           cJSON_AddNumberToObject(item, "index", head->index) &&
           cJSON_AddNumberToObject(item, "width", head->width) &&
           cJSON_AddNumberToObject(item, "scalars", head->scalar_count) &&
           cJSON_AddStringToObject(item, "scope", word_of(SCOPE_WORDS, head->scope));
}

static bool describe_shard(cJSON *list, const manifest_shard *shard) {
    char name[MANIFEST_NAME_ROOM];
    manifest_shard_name(shard->number, name);
    cJSON *item = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, item)) return false;
    return cJSON_AddStringToObject(item, "file", name) &&
           cJSON_AddNumberToObject(item, "images", (double)shard->images) &&
           cJSON_AddNumberToObject(item, "skipped", (double)shard->skipped) &&
           cJSON_AddNumberToObject(item, "bytes", (double)shard->bytes) &&
           cJSON_AddStringToObject(item, "checksum", shard->checksum);
}

static bool describe_columns(cJSON *root, const atlas_layout *layout) {
    cJSON *list = cJSON_AddArrayToObject(root, "columns");
    bool complete = list != NULL;
    for (const word *row = COLUMN_WORDS; complete && row->name; ++row) {
        if (layout->columns & row->code) complete = cJSON_AddItemToArray(list, cJSON_CreateString(row->name));
    }
    if (layout->columns & ATLAS_MLPS)
        complete = complete && cJSON_AddNumberToObject(root, "mlps", layout->mlps);
    return complete;
}

static bool describe_lists(cJSON *root, const atlas_layout *layout, const manifest_shard *shards,
                           size_t count) {
    cJSON *heads = cJSON_AddArrayToObject(root, "heads"), *list = cJSON_AddArrayToObject(root, "shards");
    bool complete = heads && list;
    for (size_t i = 0; i < layout->head_count && complete; ++i) {
        complete = describe_head(heads, &layout->heads[i]);
    }
    for (size_t i = 0; i < count && complete; ++i) complete = describe_shard(list, &shards[i]);
    return complete;
}

/* NULL: no memory. */
static cJSON *describe(const atlas_layout *layout, uint64_t shard_size, const manifest_shard *shards,
                       size_t count) {
    cJSON *root = cJSON_CreateObject();
    bool complete = root && cJSON_AddNumberToObject(root, "version", VERSION) &&
                    cJSON_AddStringToObject(root, "model", layout->model) &&
                    cJSON_AddStringToObject(root, "fingerprint", layout->fingerprint) &&
                    cJSON_AddStringToObject(root, "dtype", word_of(DTYPE_WORDS, layout->dtype)) &&
                    cJSON_AddNumberToObject(root, "embed_dim", layout->embed_dim) &&
                    cJSON_AddNumberToObject(root, "shard_size", (double)shard_size) &&
                    describe_columns(root, layout) && describe_lists(root, layout, shards, count);
    if (complete) return root;
    cJSON_Delete(root);
    return NULL;
}

hl_status manifest_make(const atlas_layout *layout, uint64_t shard_size, manifest **out, hl_error *error) {
    *out = NULL;
    cJSON *document = describe(layout, shard_size, NULL, 0);
    return document ? read_document("the new " MANIFEST_FILE, document, out, error)
                    : hl_no_memory(error, MANIFEST_FILE);
}

static hl_status write_text(const char *folder, const char *name, const char *text, hl_error *error) {
    output *out;
    FILE *file;
    hl_status status = output_open(folder, &out, error);
    if (status != HL_OK) return status;
    status = output_file(out, name, &file, error);
    if (status == HL_OK) status = output_write(out, file, text, strlen(text), error);
    if (status == HL_OK) status = output_write(out, file, "\n", 1, error);
    if (status == HL_OK) return output_commit(out, error);
    output_abandon(out);
    return status;
}

hl_status manifest_write(const manifest *self, const char *folder, const char *name, hl_error *error) {
    cJSON *root = describe(&self->layout, self->shard_size, self->shards, self->shard_count);
    char *text = root ? json_print(root, true) : NULL;
    cJSON_Delete(root);
    hl_status status = text ? write_text(folder, name, text, error) : hl_no_memory(error, name);
    free(text);
    return status;
}

bool manifest_holds(const manifest *self, const manifest_shard *shard) {
    for (size_t i = 0; i < self->shard_count; ++i) {
        const manifest_shard *own = &self->shards[i];
        if (own->bytes == shard->bytes && strcmp(own->checksum, shard->checksum) == 0) return true;
    }
    return false;
}

bool manifest_lists(const manifest *self, uint64_t number) {
    for (size_t i = 0; i < self->shard_count; ++i) {
        if (self->shards[i].number == number) return true;
    }
    return false;
}
