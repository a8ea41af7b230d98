/* Questions about a gallery: which one is meant, and whether it may be asked. */
#include "core/asking/asker_inside.h"

#include "core/io/convert.h"
#include <stdlib.h>
#include <string.h>

/* `given` NULL: the conversation's own. Codes that were made with other edits than the conversation's are not
 * what is asked about. */
static hl_status find_gallery(const asker *self, const hl_gallery *given, nearest **out, hl_error *error) {
    const hl_gallery *meant = given ? given : self->interface.gallery;
    *out = (nearest *)(uintptr_t)meant;
    if (!meant) {
        return hl_fail(
            error, HL_USAGE,
            "asked about a gallery, but there is none: an experiment names it with gallery: {images: "
            "FOLDER}, a program opens one");
    }
    if (nearest_settings_of(meant)->changed == self->changed) return HL_OK;
    return hl_fail(
        error, HL_USAGE,
        "%s: was opened %s edits, and is asked about %s; open the gallery through the same hl_ask, "
        "with an atlas of its own",
        nearest_settings_of(meant)->gallery, nearest_settings_of(meant)->changed ? "with" : "without",
        self->changed ? "with others" : "without");
}

static hl_status prepare(const asker *self, const hl_gallery *given, uint32_t columns, nearest **out,
                         hl_error *error) {
    hl_status status = find_gallery(self, given, out, error);
    return status == HL_OK ? nearest_prepare(*out, columns, error) : status;
}

hl_status asker_open_gallery(asker *self, const hl_gallery_source *given, const hl_gallery **out,
                             hl_error *error) {
    hl_gallery_source source;
    hl_status status = call_take(&source, sizeof source, given, "hl_gallery_source", error);
    if (status != HL_OK) return status;
    if (!source.images || !source.atlas) {
        return hl_fail(error, HL_USAGE, "a gallery is made from images and the folder of an atlas; got no %s",
                       source.images ? "atlas" : "images");
    }
    if (source.dtype != 0 && source.dtype != HL_F16 && source.dtype != HL_F32) {
        return hl_fail(error, HL_USAGE, "an atlas holds HL_F16 or HL_F32, not dtype %u", source.dtype);
    }
    nearest_settings settings = {.gallery = source.images,
                                 .atlas = source.atlas,
                                 .dtype = (hl_dtype)source.dtype,
                                 .changed = self->changed};
    nearest *made;
    status = nearest_open(self->shared->model, &settings, &made, error);
    *out = status == HL_OK ? made : NULL;
    return status;
}

hl_status asker_nearest(asker *self, const hl_query *given, hl_neighbor *neighbors, size_t *found,
                        hl_error *error) {
    hl_query query;
    nearest *meant;
    hl_status status = call_take(&query, sizeof query, given, "hl_query", error);
    if (status == HL_OK) status = find_gallery(self, query.gallery, &meant, error);
    if (status == HL_OK) status = asker_load(self, error);
    return status == HL_OK ? nearest_find(meant, &self->interface, &query, neighbors, found, error) : status;
}

/* ---- its images ---- */

hl_status asker_gallery_count(asker *self, const hl_gallery *given, size_t *count, hl_error *error) {
    nearest *meant;
    hl_status status = prepare(self, given, 0, &meant, error);
    *count = status == HL_OK ? nearest_count(meant) : 0;
    return status;
}

static hl_status check_images(const nearest *meant, size_t first, size_t count, hl_error *error) {
    size_t all = nearest_count(meant);
    if (first <= all && count <= all - first) return HL_OK;
    return hl_fail(error, HL_USAGE, "asked about images %zu to %zu of a gallery of %zu", first, first + count,
                   all);
}

hl_status asker_gallery_image(asker *self, const hl_gallery *given, size_t index, hl_gallery_image *out,
                              hl_error *error) {
    nearest *meant;
    hl_status status = prepare(self, given, 0, &meant, error);
    if (status == HL_OK) status = check_images(meant, index, 1, error);
    if (status != HL_OK) return status;
    const char *path = atlas_path(nearest_atlas(meant), nearest_at(meant, index));
    const gallery_image *image = nearest_image(meant, path);
    hl_gallery_image found = {sizeof found, image->path, image->file, image->facts};
    found.size = out->size;
    memcpy(out, &found, out->size < sizeof found ? out->size : sizeof found);
    return HL_OK;
}

/* ---- what the atlas holds of them ---- */

/* Rows of numbers that are wanted one by one. */
typedef struct reading {
    nearest *meant;
    const atlas *atlas;
    const hl_component *component; /* whose codes are read */
    size_t head;                   /* that, in the atlas */
    size_t shard;                  /* of the last row */
} reading;

static hl_status begin_reading(asker *self, const hl_gallery *given, uint32_t component, reading *out,
                               hl_error *error) {
    const engine *model = self->shared->model;
    if (component >= model->info->component_count) {
        return hl_fail(error, HL_USAGE, "asked about component %u of %u", component,
                       model->info->component_count);
    }
    out->component = engine_component(model, component);
    hl_status status = prepare(self, given, 0, &out->meant, error);
    if (status == HL_OK) status = nearest_head(out->meant, out->component, &out->head, error);
    if (status == HL_OK) out->atlas = nearest_atlas(out->meant);
    return status;
}

/* The image's row within its shard, which becomes the reading's. */
static size_t find_row(reading *self, size_t index) {
    size_t image = nearest_at(self->meant, index);
    atlas_shard shard = atlas_shard_at(self->atlas, self->shard);
    if (image < shard.first) self->shard = 0;
    for (shard = atlas_shard_at(self->atlas, self->shard); image >= shard.first + shard.count;) {
        shard = atlas_shard_at(self->atlas, ++self->shard);
    }
    return image - shard.first;
}

static void widen(const atlas *from, const void *numbers, size_t row, size_t width, float *out) {
    if (atlas_layout_of(from)->dtype == HL_F16) {
        convert_f16((const uint8_t *)numbers + row * width * sizeof(uint16_t), width, out);
    } else {
        memcpy(out, (const float *)numbers + row * width, width * sizeof *out);
    }
}

/* y: width + scalar_count numbers. */
static void read_code(reading *self, size_t index, float *out) {
    size_t row = find_row(self, index), width = self->component->width,
           further = self->component->scalar_count;
    widen(self->atlas, atlas_codes(self->atlas, self->shard, self->head), row, width, out);
    if (further == 0) return;
    memcpy(out + width, atlas_scalars(self->atlas, self->shard, self->head) + row * further,
           further * sizeof *out);
}

hl_status asker_gallery_codes(asker *self, const hl_gallery *given, uint32_t component, size_t first,
                              size_t count, float *out, hl_error *error) {
    reading of = {.shard = 0};
    hl_status status = begin_reading(self, given, component, &of, error);
    if (status == HL_OK) status = check_images(of.meant, first, count, error);
    if (status != HL_OK) return status;
    size_t width = engine_code_width(of.component);
    for (size_t i = 0; i < count; ++i) read_code(&of, first + i, out + i * width);
    return nearest_check(of.meant, error);
}

hl_status asker_gallery_embeddings(asker *self, const hl_gallery *given, size_t first, size_t count,
                                   float *out, hl_error *error) {
    reading of = {.shard = 0};
    hl_status status = prepare(self, given, ATLAS_EMBEDDING, &of.meant, error);
    if (status == HL_OK) status = check_images(of.meant, first, count, error);
    if (status != HL_OK) return status;
    of.atlas = nearest_atlas(of.meant);
    if (!(atlas_layout_of(of.atlas)->columns & ATLAS_EMBEDDING)) {
        return hl_fail(
            error, HL_USAGE,
            "%s: holds no column `embedding`, which is asked for; make it with --columns embedding",
            nearest_settings_of(of.meant)->atlas);
    }
    size_t width = self->interface.model->embed_dim;
    for (size_t i = 0; i < count; ++i) {
        size_t row = find_row(&of, first + i);
        widen(of.atlas, atlas_embeddings(of.atlas, of.shard), row, width, out + i * width);
    }
    return nearest_check(of.meant, error);
}

/* ---- moments ---- */

static void add_moments(const float *y, size_t width, double *sum, double *products) {
    for (size_t i = 0; i < width; ++i) {
        sum[i] += (double)y[i];
        for (size_t j = 0; j <= i; ++j) products[i * width + j] += (double)y[i] * (double)y[j];
    }
}

hl_status asker_moments(asker *self, const hl_gallery *given, uint32_t component, size_t fold, size_t folds,
                        size_t *count, double *sum, double *products, hl_error *error) {
    reading of = {.shard = 0};
    hl_status status = begin_reading(self, given, component, &of, error);
    if (folds <= 1) fold = 0, folds = 1;
    if (status == HL_OK && fold >= folds) {
        status = hl_fail(error, HL_USAGE, "asked about fold %zu of %zu; folds count from 0", fold, folds);
    }
    if (status != HL_OK) return status;
    size_t width = engine_code_width(of.component);
    float *y = malloc((width + 1) * sizeof *y);
    if (!y) return hl_no_memory(error, "a code");
    *count = 0;
    memset(sum, 0, width * sizeof *sum);
    memset(products, 0, width * width * sizeof *products);
    for (size_t i = fold; i < nearest_count(of.meant); i += folds, ++*count) {
        read_code(&of, i, y);
        add_moments(y, width, sum, products);
    }
    for (size_t i = 0; i < width; ++i) {
        for (size_t j = 0; j < i; ++j) products[j * width + i] = products[i * width + j];
    }
    free(y);
    return nearest_check(of.meant, error);
}
