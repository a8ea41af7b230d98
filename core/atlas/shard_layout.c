/* See shard_layout.h and, for what the tensors mean, atlas.h. */
#include "core/atlas/shard_layout.h"

#include <stdlib.h>
#include <string.h>

size_t shard_code_width(const atlas_head *head) {
    return (size_t)head->width + head->scalar_count;
}

size_t shard_moment_count(const atlas_head *head) {
    size_t n = shard_code_width(head);
    return n + n * (n + 1) / 2;
}

/* Takes over `name`, which is NULL when there was no memory for it. */
static hl_status add(shard_layout *self, char *name, shard_tensor tensor, hl_error *error) {
    if (!name) return hl_no_memory(error, "the layout of a shard");
    tensor.name = name;
    tensor.row = 1;
    for (uint32_t i = tensor.extent == SHARD_FIXED ? 0 : 1; i < tensor.rank; ++i)
        tensor.row *= tensor.shape[i];
    self->tensors[self->count++] = tensor;
    return HL_OK;
}

static char *name_for(const char *what, const char *head) {
    char *out;
    return asprintf(&out, "%s.%s", what, head) < 0 ? NULL : out;
}

/* A vector whose only side is its extent. */
static hl_status add_vector(shard_layout *self, size_t *index, const char *name, shard_extent extent,
                            hl_dtype dtype, hl_error *error) {
    *index = self->count;
    return add(self, strdup(name), (shard_tensor){.extent = extent, .dtype = dtype, .rank = 1}, error);
}

static hl_status add_moments(shard_layout *self, hl_error *error) {
    hl_status status = HL_OK;
    self->moments = self->count;
    for (size_t i = 0; i < self->atlas->head_count && status == HL_OK; ++i) {
        const atlas_head *head = &self->atlas->heads[i];
        shard_tensor tensor = {.extent = SHARD_FIXED, .dtype = HL_F64, .rank = 1, .head = i};
        tensor.shape[0] = shard_moment_count(head);
        status = add(self, name_for("moments", head->name), tensor, error);
    }
    return status;
}

/* One tensor of rows of each head's width. */
static hl_status add_codes(shard_layout *self, size_t *index, const char *what, hl_error *error) {
    hl_status status = HL_OK;
    *index = self->count;
    for (size_t i = 0; i < self->atlas->head_count && status == HL_OK; ++i) {
        const atlas_head *head = &self->atlas->heads[i];
        shard_tensor tensor = {.extent = SHARD_IMAGES,
                               .dtype = self->atlas->dtype,
                               .rank = 2,
                               .shape = {0, head->width},
                               .head = i};
        status = add(self, name_for(what, head->name), tensor, error);
    }
    return status;
}

static hl_status add_columns(shard_layout *self, hl_error *error) {
    const atlas_layout *layout = self->atlas;
    hl_status status = HL_OK;
    if (layout->columns & ATLAS_FIRST) status = add_codes(self, &self->first, "first", error);
    shard_tensor tensor = {.extent = SHARD_IMAGES, .dtype = layout->dtype};
    if (status == HL_OK && layout->columns & ATLAS_EMBEDDING) {
        self->embedding = self->count;
        tensor.rank = 2;
        tensor.shape[1] = layout->embed_dim;
        status = add(self, strdup("embedding"), tensor, error);
    }
    if (status == HL_OK && layout->columns & ATLAS_MLPS) {
        self->mlps = self->count;
        tensor.rank = 3;
        tensor.shape[1] = layout->mlps;
        tensor.shape[2] = layout->embed_dim;
        status = add(self, strdup("mlps"), tensor, error);
    }
    return status;
}

static bool share_scalars(const atlas_head *a, const atlas_head *b) {
    return a->scope == b->scope && (a->scope == HL_PER_IMAGE || a->layer == b->layer);
}

static hl_status add_scalars_of(shard_layout *self, size_t index, hl_error *error) {
    const atlas_head *head = &self->atlas->heads[index];
    for (size_t i = 0; i < index; ++i) {
        const atlas_head *other = &self->atlas->heads[i];
        if (other->scalar_count == 0 || !share_scalars(head, other)) continue;
        if (other->scalar_count != head->scalar_count) {
            return hl_fail(
                error, HL_USAGE,
                "heads %s and %s share their further numbers, but have %u and %u of them: an atlas "
                "cannot hold this model",
                other->name, head->name, other->scalar_count, head->scalar_count);
        }
        self->scalars[index] = self->scalars[i];
        return HL_OK;
    }
    char layer[24] = "";
    if (head->scope == HL_PER_LAYER) snprintf(layer, sizeof layer, ".L%d", head->layer);
    char *name;
    if (asprintf(&name, "scalars%s", layer) < 0) name = NULL;
    self->scalars[index] = self->count;
    shard_tensor tensor = {
        .extent = SHARD_IMAGES, .dtype = HL_F32, .rank = 2, .shape = {0, head->scalar_count}, .head = index};
    return add(self, name, tensor, error);
}

static hl_status add_scalars(shard_layout *self, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < self->atlas->head_count && status == HL_OK; ++i) {
        self->scalars[i] = SIZE_MAX;
        if (self->atlas->heads[i].scalar_count > 0) status = add_scalars_of(self, i, error);
    }
    return status;
}

/* From the widest numbers to the narrowest, so that tensors of usual sizes need no padding between them. */
static hl_status add_all(shard_layout *self, hl_error *error) {
    hl_status status = add_moments(self, error);
    if (status == HL_OK) status = add_vector(self, &self->bytes, "bytes", SHARD_IMAGES, HL_I64, error);
    if (status == HL_OK) status = add_vector(self, &self->modified, "modified", SHARD_IMAGES, HL_I64, error);
    if (status == HL_OK) {
        status = add_vector(self, &self->skipped_bytes, "skipped_bytes", SHARD_LEFT_OUT, HL_I64, error);
    }
    if (status == HL_OK) {
        status = add_vector(self, &self->skipped_modified, "skipped_modified", SHARD_LEFT_OUT, HL_I64, error);
    }
    if (status == HL_OK) status = add_codes(self, &self->codes, "codes", error);
    if (status == HL_OK) status = add_columns(self, error);
    if (status == HL_OK) status = add_scalars(self, error);
    if (status == HL_OK) status = add_vector(self, &self->paths, "paths", SHARD_TEXT, HL_U8, error);
    if (status == HL_OK) status = add_vector(self, &self->skipped, "skipped", SHARD_TEXT, HL_U8, error);
    return status;
}

hl_status shard_layout_make(const atlas_layout *layout, shard_layout *out, hl_error *error) {
    enum { PER_HEAD = 4, OTHERS = 8 }; /* tensors at most */
    *out = (shard_layout){.atlas = layout, .first = SIZE_MAX, .embedding = SIZE_MAX, .mlps = SIZE_MAX};
    out->tensors = calloc(PER_HEAD * layout->head_count + OTHERS, sizeof *out->tensors);
    out->scalars = calloc(layout->head_count + 1, sizeof *out->scalars);
    hl_status status =
        out->tensors && out->scalars ? add_all(out, error) : hl_no_memory(error, "the layout of a shard");
    if (status != HL_OK) shard_layout_free(out);
    return status;
}

void shard_layout_free(shard_layout *self) {
    for (size_t i = 0; i < self->count; ++i) free(self->tensors[i].name);
    free(self->tensors);
    free(self->scalars);
    *self = (shard_layout){0};
}

hl_status shard_layouts_find(shard_layouts *self, const atlas_layout *of, uint32_t mlps, uint32_t columns,
                             const shard_layout **out, hl_error *error) {
    hl_status status = HL_OK;
    if (!self->made[columns]) {
        self->atlases[columns] = *of;
        self->atlases[columns].columns = columns;
        self->atlases[columns].mlps = columns & ATLAS_MLPS ? mlps : 0;
        status = shard_layout_make(&self->atlases[columns], &self->layouts[columns], error);
        self->made[columns] = status == HL_OK;
    }
    *out = &self->layouts[columns];
    return status;
}

void shard_layouts_free(shard_layouts *self) {
    for (size_t i = 0; i < SHARD_COLUMN_SETS; ++i) {
        if (self->made[i]) shard_layout_free(&self->layouts[i]);
        self->made[i] = false;
    }
}

size_t shard_layout_find(const shard_layout *self, const char *name) {
    for (size_t i = 0; i < self->count; ++i) {
        if (strcmp(self->tensors[i].name, name) == 0) return i;
    }
    return SIZE_MAX;
}
