/* manifest -> atlas.json. */
#include "core/atlas/manifest_words.h"

#include "core/io/json.h"
#include "core/io/output.h"
#include <stdlib.h>
#include <string.h>

static const char *word_of(const manifest_word *words, uint32_t code) {
    while (words->name && words->code != code) ++words;
    return words->name;
}

static bool describe_head(cJSON *list, const atlas_head *head) {
    cJSON *item = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, item)) return false;
    return cJSON_AddStringToObject(item, "name", head->name) &&
           cJSON_AddNumberToObject(item, "layer", head->layer) &&
           cJSON_AddNumberToObject(item, "index", head->index) &&
           cJSON_AddNumberToObject(item, "width", head->width) &&
           cJSON_AddNumberToObject(item, "scalars", head->scalar_count) &&
           cJSON_AddStringToObject(item, "scope", word_of(MANIFEST_SCOPES, head->scope));
}

static bool describe_columns(cJSON *object, uint32_t columns) {
    cJSON *list = cJSON_AddArrayToObject(object, "columns");
    bool complete = list != NULL;
    for (const manifest_word *row = MANIFEST_COLUMNS; complete && row->name; ++row) {
        if (columns & row->code) complete = cJSON_AddItemToArray(list, cJSON_CreateString(row->name));
    }
    return complete;
}

static bool describe_sums(cJSON *item, const shard_sums *sums, const shard_layout *layout) {
    bool complete = cJSON_AddStringToObject(item, "header", sums->header);
    cJSON *list = cJSON_AddObjectToObject(item, "tensors");
    for (size_t i = 0; i < layout->count && complete; ++i) {
        complete = cJSON_AddStringToObject(list, layout->tensors[i].name, sums->tensors[i]);
    }
    return complete;
}

/* What it is written with: the columns that all shards have, and layouts for their tensors' names. */
typedef struct frame {
    const atlas_layout *layout;
    uint32_t mlps;
    shard_layouts *layouts;
} frame;

static bool describe_shard(cJSON *list, const frame *within, const manifest_shard *shard) {
    char name[MANIFEST_NAME_ROOM];
    manifest_shard_name(shard->number, name);
    cJSON *item = cJSON_CreateObject();
    if (!cJSON_AddItemToArray(list, item)) return false;
    bool complete = cJSON_AddStringToObject(item, "file", name) &&
                    cJSON_AddNumberToObject(item, "images", (double)shard->images) &&
                    cJSON_AddNumberToObject(item, "skipped", (double)shard->skipped) &&
                    cJSON_AddNumberToObject(item, "bytes", (double)shard->bytes) &&
                    cJSON_AddStringToObject(item, "checksum", shard->checksum);
    if (complete && shard->columns != within->layout->columns)
        complete = describe_columns(item, shard->columns);
    const shard_layout *layout;
    if (!complete || !shard->sums) return complete;
    return shard_layouts_find(within->layouts, within->layout, within->mlps, shard->columns, &layout, NULL) ==
               HL_OK &&
           describe_sums(item, shard->sums, layout);
}

static bool describe_lists(cJSON *root, const frame *within, const manifest_shard *shards, size_t count) {
    const atlas_layout *layout = within->layout;
    cJSON *heads = cJSON_AddArrayToObject(root, "heads"), *list = cJSON_AddArrayToObject(root, "shards");
    bool complete = heads && list;
    for (size_t i = 0; i < layout->head_count && complete; ++i) {
        complete = describe_head(heads, &layout->heads[i]);
    }
    for (size_t i = 0; i < count && complete; ++i) complete = describe_shard(list, within, &shards[i]);
    return complete;
}

cJSON *manifest_describe(const atlas_layout *layout, uint32_t mlps, uint64_t shard_size,
                         const manifest_shard *shards, size_t count, shard_layouts *layouts) {
    const frame within = {layout, mlps, layouts};
    cJSON *root = cJSON_CreateObject();
    bool complete = root && cJSON_AddNumberToObject(root, "version", MANIFEST_VERSION) &&
                    cJSON_AddStringToObject(root, "model", layout->model) &&
                    cJSON_AddStringToObject(root, "fingerprint", layout->fingerprint) &&
                    cJSON_AddStringToObject(root, "dtype", word_of(MANIFEST_DTYPES, layout->dtype)) &&
                    cJSON_AddNumberToObject(root, "embed_dim", layout->embed_dim) &&
                    cJSON_AddNumberToObject(root, "shard_size", (double)shard_size) &&
                    describe_columns(root, layout->columns) &&
                    (mlps == 0 || cJSON_AddNumberToObject(root, "mlps", mlps)) &&
                    describe_lists(root, &within, shards, count);
    if (complete) return root;
    cJSON_Delete(root);
    return NULL;
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
    shard_layouts layouts = {.made = {false}};
    cJSON *root = manifest_describe(&self->layout, self->mlps, self->shard_size, self->shards,
                                    self->shard_count, &layouts);
    char *text = root ? json_print(root, true) : NULL;
    cJSON_Delete(root);
    shard_layouts_free(&layouts);
    hl_status status = text ? write_text(folder, name, text, error) : hl_no_memory(error, name);
    free(text);
    return status;
}
