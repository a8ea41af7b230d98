/* See shard_filler.h. */
#include "core/indexing/shard_filler.h"
#include "core/host/host.h"
#include "core/io/call.h"

#include <stdlib.h>
#include <string.h>

struct shard_filler {
    shard_filler_settings settings;
    shard_builder *shard; /* NULL: between two */
    float *codes;         /* of one component and all images of a batch, or the tokens of one head */
    size_t room;          /* images of a batch that the next two have room for */
    float *expanded;      /* of one component and all images of a batch */
    float *contributions; /* the column ATLAS_MLPS of all images of a batch */
};

static const atlas_layout *layout_of(const shard_filler *self) {
    return &self->settings.layout->atlas;
}

static const hl_model_api *api_of(const shard_filler *self) {
    return &self->settings.model->api;
}

/* ---- one image ---- */

static hl_status keep_codes(shard_filler *self, const hl_trace *trace, hl_error *error) {
    const uint32_t *components = self->settings.layout->components;
    hl_status status = HL_OK;
    for (size_t i = 0; i < layout_of(self)->head_count && status == HL_OK; ++i) {
        status = api_of(self)->code(trace, components[i], self->codes, error);
        if (status == HL_OK) status = shard_builder_code(self->shard, i, self->codes, error);
    }
    return status;
}

static hl_status keep_first(shard_filler *self, const hl_trace *trace, hl_error *error) {
    const uint32_t *components = self->settings.layout->components;
    size_t tensor = atlas_writer_layout(self->settings.writer)->first;
    hl_status status = HL_OK;
    for (size_t i = 0; i < layout_of(self)->head_count && status == HL_OK; ++i) {
        status = api_of(self)->token_codes(trace, components[i], self->codes, error);
        if (status == HL_OK) status = shard_builder_row(self->shard, tensor + i, self->codes, error);
    }
    return status;
}

/* The columns that the images' traces are asked for. */
static uint32_t new_columns(const shard_filler *self) {
    const shard_file *origin = self->settings.origin;
    return layout_of(self)->columns & ~(origin ? origin->layout->atlas->columns : 0);
}

static hl_status keep_columns(shard_filler *self, const encoded_batch *batch, size_t index, hl_error *error) {
    const shard_layout *tensors = atlas_writer_layout(self->settings.writer);
    const atlas_layout *layout = layout_of(self);
    uint32_t columns = new_columns(self);
    hl_status status = columns & ATLAS_FIRST ? keep_first(self, batch->traces[index], error) : HL_OK;
    if (status == HL_OK && columns & ATLAS_EMBEDDING) {
        api_of(self)->embedding(batch->traces[index], self->codes);
        status = shard_builder_row(self->shard, tensors->embedding, self->codes, error);
    }
    if (status == HL_OK && columns & ATLAS_MLPS) {
        const float *mlps = self->contributions + index * layout->mlps * layout->embed_dim;
        status = shard_builder_row(self->shard, tensors->mlps, mlps, error);
    }
    return status;
}

/* The image that comes next, number `index` of those of the batch that could be read. */
static hl_status keep_image(shard_filler *self, const gallery_image *image, const encoded_batch *batch,
                            size_t index, hl_error *error) {
    const shard_file *origin = self->settings.origin;
    shard_image row = {image->path, image->bytes, image->modified};
    hl_status status = origin
                           ? shard_builder_copy(self->shard, origin, shard_builder_count(self->shard), error)
                           : shard_builder_add(self->shard, row, error);
    if (status == HL_OK && !origin) status = keep_codes(self, batch->traces[index], error);
    return status == HL_OK ? keep_columns(self, batch, index, error) : status;
}

/* Only what the file's content explains is remembered; other trouble may be gone at the next try. */
static hl_status skip_image(shard_filler *self, const gallery_image *image, hl_status kind,
                            const hl_error *why, hl_error *error) {
    const hl_host *interface = self->settings.model->interface;
    const char *reason = why->message;
    if (self->settings.origin) {
        uint32_t columns = new_columns(self);
        return hl_fail(error, HL_FAILED, "the column \"%s\" cannot be added to the atlas: %s",
                       atlas_column_name(columns & -columns), reason);
    }
    size_t length = strlen(image->file);
    if (strncmp(reason, image->file, length) == 0 && strncmp(reason + length, ": ", 2) == 0) {
        reason += length + 2; /* the atlas tells the path anyhow, relative to the gallery */
    }
    host_log(interface, HL_LOG_WARNING, "skipped %s: %s%s", image->path, reason,
             kind == HL_UNAVAILABLE ? " (it will be tried again)" : "");
    if (kind == HL_UNAVAILABLE) return HL_OK;
    shard_image row = {image->path, image->bytes, image->modified};
    return shard_builder_skip(self->shard, row, reason, error);
}

/* ---- one batch ---- */

/* The contributions of one component that is no head: a product for all images at once. */
static hl_status expand_other(shard_filler *self, const encoded_batch *batch, uint32_t number,
                              hl_error *error) {
    engine *model = self->settings.model;
    uint32_t component = model->others[number];
    size_t code = engine_code_width(engine_component(model, component)), width = layout_of(self)->embed_dim;
    hl_status status = HL_OK;
    for (size_t i = 0; i < batch->readable && status == HL_OK; ++i) {
        status = api_of(self)->code(batch->traces[i], component, self->codes + i * code, error);
    }
    if (status == HL_OK) {
        status = engine_expand(model, component, self->codes, batch->readable, self->expanded, error);
    }
    for (size_t i = 0; i < batch->readable && status == HL_OK; ++i) {
        memcpy(self->contributions + (i * layout_of(self)->mlps + number) * width, self->expanded + i * width,
               width * sizeof *self->expanded);
    }
    return status;
}

static size_t largest(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t code_room(const shard_filler *self, size_t images) {
    const engine *model = self->settings.model;
    const atlas_layout *layout = layout_of(self);
    size_t tokens = layout->columns & ATLAS_FIRST ? engine_tokens(model) : 1, room = layout->embed_dim;
    for (size_t i = 0; i < layout->head_count; ++i) {
        room = largest(room, tokens * shard_code_width(&layout->heads[i]));
    }
    for (size_t i = 0; i < layout->mlps; ++i) {
        room = largest(room, images * engine_code_width(engine_component(model, model->others[i])));
    }
    return room;
}

/* Memory for a batch of so many images. */
static hl_status make_room(shard_filler *self, size_t images, hl_error *error) {
    if (images <= self->room) return HL_OK;
    const atlas_layout *layout = layout_of(self);
    free(self->codes);
    free(self->expanded);
    free(self->contributions);
    self->codes = calloc(code_room(self, images), sizeof *self->codes);
    self->expanded = calloc(images * layout->embed_dim, sizeof *self->expanded);
    self->contributions = calloc(images * layout->mlps * layout->embed_dim + 1, sizeof *self->contributions);
    bool complete = self->codes && self->expanded && self->contributions;
    self->room = complete ? images : 0;
    return complete ? HL_OK : hl_no_memory(error, "the codes of a batch");
}

static hl_status keep_batch(shard_filler *self, const encoded_batch *batch, hl_error *error) {
    hl_status status = make_room(self, batch->count, error);
    for (uint32_t k = 0; new_columns(self) & ATLAS_MLPS && k < layout_of(self)->mlps && status == HL_OK;
         ++k) {
        status = expand_other(self, batch, k, error);
    }
    size_t readable = 0;
    for (size_t i = 0; i < batch->count && status == HL_OK; ++i) {
        const gallery_image *image = self->settings.images[batch->first + i];
        status = batch->statuses[i] == HL_OK
                     ? keep_image(self, image, batch, readable++, error)
                     : skip_image(self, image, batch->statuses[i], &batch->errors[i], error);
    }
    return status;
}

/* ---- one shard ---- */

static size_t shard_size(const shard_filler *self) {
    const shard_file *origin = self->settings.origin;
    return origin ? origin->images : (size_t)atlas_writer_manifest(self->settings.writer)->shard_size;
}

static hl_status start_shard(shard_filler *self, size_t first, hl_error *error) {
    const shard_file *origin = self->settings.origin;
    size_t left = self->settings.count - first;
    size_t count = left < shard_size(self) ? left : shard_size(self);
    return shard_builder_open(atlas_writer_layout(self->settings.writer),
                              count + (origin ? origin->skipped : 0), &self->shard, error);
}

static hl_status replace_origin(const shard_filler *self, hl_error *error) {
    const shard_filler_settings *settings = &self->settings;
    hl_status status = HL_OK;
    for (size_t i = 0; i < settings->origin->skipped && status == HL_OK; ++i) {
        status = shard_builder_copy_skip(self->shard, settings->origin, i, error);
    }
    if (status != HL_OK) return status;
    return atlas_writer_replace(settings->writer, settings->origin_number, self->shard,
                                settings->model->interface, error);
}

static hl_status finish_shard(shard_filler *self, hl_error *error) {
    const hl_host *interface = self->settings.model->interface;
    hl_status status = HL_OK;
    if (self->settings.origin) {
        status = replace_origin(self, error);
    } else if (shard_builder_count(self->shard) > 0) {
        status = atlas_writer_append(self->settings.writer, self->shard, interface, error);
    }
    shard_builder_close(self->shard);
    self->shard = NULL;
    return status;
}

hl_status shard_filler_keep(void *user, const encoded_batch *batch, hl_error *error) {
    shard_filler *self = user;
    size_t done = batch->first + batch->count;
    hl_status status = self->shard ? HL_OK : start_shard(self, batch->first, error);
    if (status == HL_OK) status = keep_batch(self, batch, error);
    if (status != HL_OK) return status;
    call_progress("indexing", "image", done, self->settings.count);
    bool full = done % shard_size(self) == 0 || done == self->settings.count;
    return full ? finish_shard(self, error) : HL_OK;
}

hl_status shard_filler_open(const shard_filler_settings *settings, shard_filler **out, hl_error *error) {
    *out = calloc(1, sizeof **out);
    if (!*out) return hl_no_memory(error, "the codes of a batch");
    (*out)->settings = *settings;
    return HL_OK;
}

void shard_filler_close(shard_filler *self) {
    if (!self) return;
    shard_builder_close(self->shard);
    free(self->codes);
    free(self->expanded);
    free(self->contributions);
    free(self);
}
