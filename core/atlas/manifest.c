/* See manifest.h: what is neither reading nor writing. */
#include "core/atlas/manifest_words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const manifest_word MANIFEST_DTYPES[] = {{"f16", HL_F16}, {"f32", HL_F32}, {NULL, 0}};
const manifest_word MANIFEST_SCOPES[] = {{"image", HL_PER_IMAGE}, {"layer", HL_PER_LAYER}, {NULL, 0}};
const manifest_word MANIFEST_COLUMNS[] = {
    {"embedding", ATLAS_EMBEDDING}, {"mlps", ATLAS_MLPS}, {"first", ATLAS_FIRST}, {NULL, 0}};

void manifest_shard_name(uint64_t number, char out[MANIFEST_NAME_ROOM]) {
    snprintf(out, MANIFEST_NAME_ROOM, "shard-%06" PRIu64 ".safetensors", number);
}

bool manifest_shard_number(const char *name, uint64_t *number) {
    char again[MANIFEST_NAME_ROOM];
    if (sscanf(name, "shard-%" SCNu64, number) != 1) return false;
    manifest_shard_name(*number, again);
    return strcmp(name, again) == 0;
}

const char *manifest_difference_of_codes(const atlas_layout *a, const atlas_layout *b) {
    if (a->dtype != b->dtype) return "the precision of the codes (dtype)";
    if (strcmp(a->fingerprint, b->fingerprint) != 0)
        return "the fingerprint (weights, preprocessing, precision)";
    if (a->embed_dim != b->embed_dim) return "the width of the embedding";
    if (a->mlps && b->mlps && a->mlps != b->mlps) return "the optional columns";
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

const char *manifest_difference(const atlas_layout *a, const atlas_layout *b) {
    const char *codes = manifest_difference_of_codes(a, b);
    if (codes) return codes;
    return a->columns != b->columns || a->mlps != b->mlps ? "the optional columns" : NULL;
}

hl_status manifest_check(const manifest *self, const atlas_layout *wanted, const char *folder,
                         hl_error *error) {
    atlas_layout found = self->layout;
    found.mlps = self->mlps;
    const char *difference = manifest_difference_of_codes(&found, wanted);
    if (!difference) return HL_OK;
    return hl_fail(error, HL_USAGE,
                   "%s: the atlas there (model %s, fingerprint %s) differs from this run's (model %s, "
                   "fingerprint %s) in %s; name another folder, or delete this one to make it anew",
                   folder, found.model, found.fingerprint, wanted->model, wanted->fingerprint, difference);
}

/* ---- making and copying ---- */

/* Copies a text behind those at *to. */
static const char *put_text(char **to, const char *text) {
    size_t count = strlen(text) + 1;
    char *copy = memcpy(*to, text, count);
    *to += count;
    return copy;
}

bool manifest_own_layout(manifest *self, const atlas_layout *from) {
    size_t room = strlen(from->model) + strlen(from->fingerprint) + 2;
    for (size_t i = 0; i < from->head_count; ++i) room += strlen(from->heads[i].name) + 1;
    char *texts = malloc(room), *to = texts;
    atlas_head *heads = calloc(from->head_count + 1, sizeof *heads);
    if (!texts || !heads) {
        free(texts);
        free(heads);
        return false;
    }
    self->layout = *from;
    self->layout.model = put_text(&to, from->model);
    self->layout.fingerprint = put_text(&to, from->fingerprint);
    for (size_t i = 0; i < from->head_count; ++i) {
        heads[i] = from->heads[i];
        heads[i].name = put_text(&to, from->heads[i].name);
    }
    self->layout.heads = self->heads = heads;
    self->texts = texts;
    return true;
}

hl_status manifest_copy(const manifest *from, manifest **out, hl_error *error) {
    *out = NULL;
    manifest *made = calloc(1, sizeof *made);
    bool complete = made && manifest_own_layout(made, &from->layout);
    if (complete) {
        made->mlps = from->mlps;
        made->shard_size = from->shard_size;
        made->shards = manifest_copy_list(from->shards, from->shard_count);
        made->shard_count = made->shards ? from->shard_count : 0;
        complete = made->shards != NULL;
    }
    if (complete) {
        *out = made;
        return HL_OK;
    }
    manifest_free(made);
    return hl_no_memory(error, MANIFEST_FILE);
}

hl_status manifest_make(const atlas_layout *layout, uint64_t shard_size, manifest **out, hl_error *error) {
    *out = NULL;
    cJSON *document = manifest_describe(layout, layout->mlps, shard_size, NULL, 0, NULL);
    return document ? manifest_read_document("the new " MANIFEST_FILE, document, out, error)
                    : hl_no_memory(error, MANIFEST_FILE);
}

void manifest_free(manifest *self) {
    if (!self) return;
    shard_layouts_free(&self->layouts);
    manifest_free_list(self->shards, self->shard_count);
    free(self->heads);
    free(self->texts);
    free(self);
}

hl_status manifest_layout(manifest *self, uint32_t columns, const shard_layout **out, hl_error *error) {
    return shard_layouts_find(&self->layouts, &self->layout, self->mlps, columns, out, error);
}

/* ---- lists of shards ---- */

manifest_shard *manifest_copy_list(const manifest_shard *shards, size_t count) {
    manifest_shard *out = calloc(count + 1, sizeof *out);
    if (out && count > 0) memcpy(out, shards, count * sizeof *out);
    for (size_t i = 0; out && i < count; ++i) shard_sums_keep(out[i].sums);
    return out;
}

void manifest_free_list(manifest_shard *shards, size_t count) {
    for (size_t i = 0; shards && i < count; ++i) shard_sums_drop(shards[i].sums);
    free(shards);
}

uint32_t manifest_common_columns(const manifest_shard *shards, size_t count, uint32_t none) {
    uint32_t common = count > 0 ? shards[0].columns : none;
    for (size_t i = 1; i < count; ++i) common &= shards[i].columns;
    return common;
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
