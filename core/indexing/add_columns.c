/* Optional columns for shards that were made without them; see indexing.h.
 *
 * Shard after shard is replaced by one that has all that it had and the columns, each safe before the next,
 * so an interrupted run goes on where it was. atlas.json says of the atlas what all its shards have. */
#include "core/indexing/indexing.h"

#include "core/atlas/gallery_builder.h"
#include "core/atlas/opened.h"
#include <stdlib.h>
#include <string.h>

/* The images of one shard, as files that are what they were when its codes were made. */
typedef struct shard_images {
    gallery_builder others; /* those that the gallery does not name */
    const gallery_image **images;
} shard_images;

static const char *missing_column(uint32_t columns) {
    return atlas_column_name(columns & -columns); /* the first of them */
}

static hl_status no_file(const indexing *self, uint32_t columns, const char *path, hl_error *error) {
    return hl_fail(
        error, HL_FAILED,
        "%s: the column \"%s\" cannot be added, for the atlas holds codes of %s, and %s has no such file "
        "any more, or another one: give `headlight index` a gallery with all images of the atlas",
        self->folder, missing_column(columns), path, self->gallery->folder);
}

/* An atlas may hold more than the gallery names: it lies where its path says, or nobody knows where. */
static hl_status find_other(gallery_builder *others, const char *path, hl_error *error) {
    struct stat about;
    hl_status status = gallery_add(others, path, strlen(path), NULL, error);
    if (status != HL_OK) return status;
    const char *file = others->list->images[others->list->count - 1].file;
    gallery_add_file(others, stat(file, &about) == 0 ? &about : NULL);
    return HL_OK;
}

static bool is_same(const gallery_image *image, row one) {
    return image->bytes >= 0 && image->bytes == one.bytes && image->modified == one.modified;
}

static hl_status find_images(const indexing *self, const shard_file *shard, uint32_t columns,
                             shard_images *out, hl_error *error) {
    hl_status status = HL_OK;
    for (size_t i = 0; i < shard->images && status == HL_OK; ++i) {
        row one = indexing_row(shard, i);
        out->images[i] = gallery_find(self->gallery, one.path);
        if (!out->images[i]) status = find_other(&out->others, one.path, error);
    }
    for (size_t i = 0, other = 0; i < shard->images && status == HL_OK; ++i) {
        row one = indexing_row(shard, i);
        if (!out->images[i]) out->images[i] = &out->others.list->images[other++];
        if (!is_same(out->images[i], one)) status = no_file(self, columns, one.path, error);
    }
    return status;
}

static hl_status open_images(const indexing *self, const shard_file *shard, uint32_t columns,
                             shard_images *out, hl_error *error) {
    gallery *others = calloc(1, sizeof *others);
    *out = (shard_images){{.list = others}, calloc(shard->images + 1, sizeof *out->images)};
    if (others) others->folder = strdup(self->gallery->folder);
    if (!others || !others->folder || !out->images) return hl_no_memory(error, "the list of images");
    return find_images(self, shard, columns, out, error);
}

static void close_images(shard_images *self) {
    gallery_close(self->others.list);
    free(self->images);
}

static hl_status encode(const indexing *self, size_t number, uint32_t columns, hl_error *error) {
    const shard_file *shard = &self->old->shards[number];
    shard_images found;
    shard_filler *filler = NULL;
    hl_status status = open_images(self, shard, columns, &found, error);
    shard_filler_settings settings = {.model = self->model,
                                      .layout = &self->layout,
                                      .writer = self->writer,
                                      .images = found.images,
                                      .count = shard->images,
                                      .origin = shard,
                                      .origin_number = self->old->manifest->shards[number].number};
    if (status == HL_OK) status = engine_load(self->model, error);
    if (status == HL_OK) status = shard_filler_open(&settings, &filler, error);
    if (status == HL_OK) {
        status =
            indexing_run_encoder(self, found.images, shard->images, shard->images, columns, filler, error);
    }
    shard_filler_close(filler);
    close_images(&found);
    return status;
}

/* One that holds skipped images only has nothing to add. */
static hl_status copy(const indexing *self, size_t number, hl_error *error) {
    const shard_file *shard = &self->old->shards[number];
    shard_builder *same;
    hl_status status = shard_builder_open(atlas_writer_layout(self->writer), shard->skipped, &same, error);
    for (size_t i = 0; i < shard->skipped && status == HL_OK; ++i) {
        status = shard_builder_copy_skip(same, shard, i, error);
    }
    if (status == HL_OK) {
        status = atlas_writer_replace(self->writer, self->old->manifest->shards[number].number, same,
                                      self->model->interface, error);
    }
    shard_builder_close(same);
    return status;
}

static hl_status add_to_shard(const indexing *self, size_t number, uint32_t columns, hl_error *error) {
    const shard_file *shard = &self->old->shards[number];
    hl_status status = shard_verify(shard, &self->old->manifest->shards[number], error);
    if (status != HL_OK) return status;
    return shard->images > 0 ? encode(self, number, columns, error) : copy(self, number, error);
}

/* Of the columns that are wanted. */
static uint32_t lacking(const indexing *self) {
    return self->layout.atlas.columns & ~atlas_writer_manifest(self->writer)->layout.columns;
}

static hl_status cannot_write(const indexing *self, hl_error *error) {
    hl_error why;
    hl_status status = atlas_writer_check(self->writer, &why);
    return hl_fail(error, status, "%s; it lacks the column \"%s\"", why.message,
                   missing_column(lacking(self)));
}

hl_status indexing_add_columns(indexing *self, hl_error *error) {
    const hl_host *interface = self->model->interface;
    if (!lacking(self)) return HL_OK;
    if (atlas_writer_check(self->writer, NULL) != HL_OK) return cannot_write(self, error);
    hl_status status = indexing_is_surveyed(self) ? HL_OK : indexing_survey(self, error);
    for (size_t i = 0; status == HL_OK && self->old && i < self->old->opened; ++i) {
        uint32_t lacks = self->layout.atlas.columns & ~self->old->shards[i].layout->atlas->columns;
        if (lacks) status = add_to_shard(self, i, lacks, error);
        if (status == HL_OK) status = hl_check_cancelled(interface, error);
    }
    return status;
}
