/* Opening an atlas for reading; see atlas.h. */
#include "core/atlas/manifest_words.h"
#include "core/atlas/opened.h"

#include <stdlib.h>
#include <string.h>

static hl_status open_one(atlas *self, const char *folder, size_t index, hl_error *error) {
    const manifest_shard *listed = &self->manifest->shards[index];
    const shard_layout *layout;
    hl_status status = manifest_layout(self->manifest, listed->columns, &layout, error);
    if (status == HL_OK) status = shard_open(folder, listed, layout, &self->shards[index], error);
    if (status == HL_OK) self->firsts[index + 1] = self->firsts[index] + self->shards[index].images;
    return status;
}

static hl_status open_shards(atlas *self, const char *folder, hl_error *error) {
    size_t count = self->manifest->shard_count;
    self->shards = calloc(count + 1, sizeof *self->shards);
    self->firsts = calloc(count + 1, sizeof *self->firsts);
    if (!self->shards || !self->firsts) return hl_no_memory(error, folder);
    hl_status status = HL_OK;
    while (status == HL_OK && self->opened < count) {
        status = open_one(self, folder, self->opened, error);
        if (status == HL_OK) ++self->opened;
    }
    return status == HL_OK ? touched_open(self, &self->touched, error) : status;
}

/* Takes over `listed`. */
static hl_status open_with(const char *folder, manifest *listed, atlas **out, hl_error *error) {
    *out = NULL;
    atlas *made = calloc(1, sizeof *made);
    if (!made) {
        manifest_free(listed);
        return hl_no_memory(error, folder);
    }
    made->manifest = listed;
    hl_status status = manifest_layout(listed, listed->layout.columns, &made->layout, error);
    if (status == HL_OK) status = open_shards(made, folder, error);
    if (status == HL_OK) {
        *out = made;
    } else {
        atlas_close(made);
    }
    return status;
}

hl_status atlas_open_listed(const char *folder, const manifest *listed, atlas **out, hl_error *error) {
    *out = NULL;
    manifest *own;
    hl_status status = manifest_copy(listed, &own, error);
    return status == HL_OK ? open_with(folder, own, out, error) : status;
}

hl_status atlas_open(const char *folder, atlas **out, hl_error *error) {
    *out = NULL;
    manifest *own;
    hl_status status = manifest_read(folder, &own, error);
    return status == HL_OK ? open_with(folder, own, out, error) : status;
}

void atlas_close(atlas *self) {
    if (!self) return;
    touched_close(self->touched, self->opened);
    for (size_t i = 0; i < self->opened; ++i) shard_close(&self->shards[i]);
    free(self->shards);
    free(self->firsts);
    manifest_free(self->manifest);
    free(self);
}

const atlas_layout *atlas_layout_of(const atlas *self) {
    return &self->manifest->layout;
}

size_t atlas_count(const atlas *self) {
    return self->firsts[self->opened];
}

size_t atlas_shard_count(const atlas *self) {
    return self->opened;
}

atlas_shard atlas_shard_at(const atlas *self, size_t shard) {
    return (atlas_shard){self->shards[shard].path, self->firsts[shard], self->shards[shard].images};
}

size_t atlas_shard_of(const atlas *self, size_t image) {
    size_t low = 0, high = self->opened; /* the shard lies in [low, high) */
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (self->firsts[middle] <= image) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

const char *atlas_path(const atlas *self, size_t image) {
    size_t shard = atlas_shard_of(self, image);
    return self->shards[shard].paths[image - self->firsts[shard]];
}

void atlas_file_of(const atlas *self, size_t image, int64_t *bytes, int64_t *modified) {
    size_t shard = atlas_shard_of(self, image), row = image - self->firsts[shard];
    const shard_file *file = &self->shards[shard];
    *bytes = ((const int64_t *)file->data[file->layout->bytes])[row];
    *modified = ((const int64_t *)file->data[file->layout->modified])[row];
}

bool atlas_skipped_at(const atlas *self, size_t index, const char **path, const char **reason) {
    size_t shard = 0;
    for (; shard < self->opened && index >= self->shards[shard].skipped; ++shard) {
        index -= self->shards[shard].skipped;
    }
    if (shard == self->opened) return false;
    *path = self->shards[shard].skips[index].path;
    *reason = self->shards[shard].skips[index].reason;
    return true;
}

static const void *tensor_at(const shard_file *shard, size_t tensor) {
    return tensor == SIZE_MAX ? NULL : shard->data[tensor];
}

const void *atlas_codes(const atlas *self, size_t shard, size_t head) {
    const shard_file *file = &self->shards[shard];
    return tensor_at(file, file->layout->codes + head);
}

const float *atlas_scalars(const atlas *self, size_t shard, size_t head) {
    const shard_file *file = &self->shards[shard];
    return tensor_at(file, file->layout->scalars[head]);
}

const double *atlas_moments(const atlas *self, size_t shard, size_t head) {
    const shard_file *file = &self->shards[shard];
    return tensor_at(file, file->layout->moments + head);
}

const void *atlas_embeddings(const atlas *self, size_t shard) {
    const shard_file *file = &self->shards[shard];
    return tensor_at(file, file->layout->embedding);
}

const void *atlas_mlps(const atlas *self, size_t shard) {
    const shard_file *file = &self->shards[shard];
    return tensor_at(file, file->layout->mlps);
}

size_t atlas_find_head(const atlas *self, const char *name) {
    const atlas_layout *layout = atlas_layout_of(self);
    for (size_t i = 0; i < layout->head_count; ++i) {
        if (strcmp(layout->heads[i].name, name) == 0) return i;
    }
    return SIZE_MAX;
}

const char *atlas_column_name(uint32_t column) {
    const manifest_word *row = MANIFEST_COLUMNS;
    while (row->name && row->code != column) ++row;
    return row->name;
}

hl_status atlas_check(const atlas *self, bool thoroughly, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->opened && status == HL_OK; ++i) {
        const shard_file *shard = &self->shards[i];
        if (thoroughly || mapping_is_broken(&shard->file)) status = shard_check(shard, error);
    }
    return status;
}
