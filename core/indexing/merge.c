/* `headlight merge`: shards of several atlases side by side in one. All are copied before atlas.json names
 * the first, so a merge is there as a whole or not at all. */
#include "core/atlas/parts.h"
#include "core/atlas/writer.h"
#include "core/host/library.h"
#include "core/io/call.h"

#include <stdlib.h>
#include <string.h>

/* An atlas that takes part, and its folder. */
typedef struct member {
    const char *folder;
    atlas *opened;
} member;

typedef struct merge {
    const hl_host *host;
    member *inputs;
    size_t count;
    member old; /* what OUT already holds; `opened` may be NULL */
    atlas_writer *writer;
} merge;

static hl_status open_inputs(merge *self, hl_error *error) {
    const atlas_layout *first = NULL;
    for (size_t i = 0; i < self->count; ++i) {
        member *input = &self->inputs[i];
        hl_status status = atlas_open(input->folder, &input->opened, error);
        if (status != HL_OK) return status;
        if (!first) first = atlas_layout_of(input->opened);
        const char *difference = manifest_difference(first, atlas_layout_of(input->opened));
        if (difference) {
            return hl_fail(
                error, HL_USAGE,
                "%s and %s differ in %s, so their codes cannot stand in one atlas; make both with the "
                "same model and options",
                self->inputs[0].folder, input->folder, difference);
        }
    }
    return HL_OK;
}

static hl_status open_output(merge *self, hl_error *error) {
    const manifest *first = self->inputs[0].opened->manifest;
    hl_status status =
        atlas_writer_open(self->old.folder, &first->layout, (size_t)first->shard_size, &self->writer, error);
    const manifest *held = status == HL_OK ? atlas_writer_manifest(self->writer) : NULL;
    if (!held || held->shard_count == 0) return status;
    const char *difference = manifest_difference(&held->layout, &first->layout);
    if (difference) {
        return hl_fail(error, HL_USAGE,
                       "%s and %s differ in %s, so their codes cannot stand in one atlas; make both with the "
                       "same model and options",
                       self->old.folder, self->inputs[0].folder, difference);
    }
    return atlas_open_listed(self->old.folder, held, &self->old.opened, error);
}

/* ---- paths that come twice ---- */

typedef struct place {
    const char *path, *folder; /* of the image, of its atlas */
} place;

static int compare_places(const void *left, const void *right) {
    const place *a = left, *b = right;
    int order = strcmp(a->path, b->path);
    return order ? order : strcmp(a->folder, b->folder);
}

/* What has been merged before is there, and is not merged again. */
static bool is_held(const merge *self, const member *of, size_t shard) {
    return manifest_holds(atlas_writer_manifest(self->writer), &of->opened->manifest->shards[shard]);
}

static size_t list_places(const member *of, size_t shard, place *places) {
    atlas_shard rows = atlas_shard_at(of->opened, shard);
    for (size_t i = 0; i < rows.count; ++i) {
        places[i] = (place){atlas_path(of->opened, rows.first + i), of->folder};
    }
    return rows.count;
}

static size_t list_all(const merge *self, place *places) {
    size_t used = 0;
    const member *old = &self->old;
    for (size_t i = 0; old->opened && i < atlas_shard_count(old->opened); ++i) {
        used += list_places(old, i, places + used);
    }
    for (size_t i = 0; i < self->count; ++i) {
        const member *input = &self->inputs[i];
        for (size_t k = 0; k < atlas_shard_count(input->opened); ++k) {
            if (!is_held(self, input, k)) used += list_places(input, k, places + used);
        }
    }
    return used;
}

static hl_status check_paths(const merge *self, hl_error *error) {
    size_t total = self->old.opened ? atlas_count(self->old.opened) : 0;
    for (size_t i = 0; i < self->count; ++i) total += atlas_count(self->inputs[i].opened);
    place *places = calloc(total + 1, sizeof *places);
    if (!places) return hl_no_memory(error, "the paths of all atlases");
    size_t used = list_all(self, places);
    qsort(places, used, sizeof *places, compare_places);
    hl_status status = HL_OK;
    for (size_t i = 1; i < used && status == HL_OK; ++i) {
        if (strcmp(places[i - 1].path, places[i].path) != 0) continue;
        status = hl_fail(error, HL_USAGE,
                         "%s and %s both hold an image %s; an atlas has each path once: index one of the "
                         "galleries from a folder above it",
                         places[i - 1].folder, places[i].folder, places[i].path);
    }
    free(places);
    return status;
}

/* ---- copying ---- */

static hl_status copy_shards(const merge *self, hl_error *error) {
    size_t total = 0, done = 0;
    for (size_t i = 0; i < self->count; ++i) total += atlas_shard_count(self->inputs[i].opened);
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->count; ++i) {
        const atlas *from = self->inputs[i].opened;
        for (size_t shard = 0; shard < atlas_shard_count(from) && status == HL_OK; ++shard) {
            status = hl_check_cancelled(self->host, error);
            if (status == HL_OK && !is_held(self, &self->inputs[i], shard)) {
                status = atlas_writer_copy(self->writer, from, shard, error);
            }
            call_progress("copying", "shard", ++done, total);
        }
    }
    return status == HL_OK ? atlas_writer_publish(self->writer, error) : status;
}

static void close_merge(merge *self) {
    atlas_writer_close(self->writer);
    atlas_close(self->old.opened);
    for (size_t i = 0; i < self->count; ++i) {
        atlas_close(self->inputs[i].opened);
        free((char *)(uintptr_t)self->inputs[i].folder);
    }
    free(self->inputs);
}

static hl_status add_input(merge *self, const char *folder, hl_error *error) {
    member *grown = reallocarray(self->inputs, self->count + 1, sizeof *grown);
    if (!grown) return hl_no_memory(error, "the list of atlases");
    self->inputs = grown;
    grown[self->count] = (member){.folder = strdup(folder)};
    return grown[self->count++].folder ? HL_OK : hl_no_memory(error, "the list of atlases");
}

/* An atlas, or what processes that share one have made of it so far. */
static hl_status add_inputs(merge *self, const char *folder, hl_error *error) {
    parts_list parts;
    manifest *whole = NULL;
    hl_status status = parts_find(folder, &parts, error);
    if (status == HL_OK) status = manifest_find(folder, MANIFEST_FILE, &whole, error);
    if (status == HL_OK && (whole || parts.count == 0)) status = add_input(self, folder, error);
    for (size_t i = 0; i < parts.count && status == HL_OK; ++i) {
        status = add_input(self, parts.folders[i], error);
    }
    manifest_free(whole);
    parts_list_free(&parts);
    return status;
}

static hl_status merge_all(merge *self, const char *const *folders, size_t count, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = add_inputs(self, folders[i], error);
    if (status == HL_OK) status = open_inputs(self, error);
    if (status == HL_OK) status = open_output(self, error);
    if (status == HL_OK) status = check_paths(self, error);
    return status == HL_OK ? copy_shards(self, error) : status;
}

static hl_status merge_atlases(hl_library *library, const char *out, const char *const *atlases, size_t count,
                               hl_error *error) {
    if (count == 0) return hl_fail(error, HL_USAGE, "name at least one atlas to copy from");
    host *made;
    hl_status status = host_open(&library->settings, 1, &made, error);
    if (status != HL_OK) return status;
    merge self = {.host = &made->interface, .old = {.folder = out}};
    status = merge_all(&self, atlases, count, error);
    close_merge(&self);
    host_close(made);
    return status;
}

hl_status hl_merge(hl_library *library, const hl_call *call, const char *out, const char *const *atlases,
                   size_t count, hl_error *error) {
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = merge_atlases(library, out, atlases, count, error);
    call_end(&scope);
    return status;
}
