/* Questions about a gallery: which one is meant, and whether it may be asked. */
#include "core/asking/asker_inside.h"

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
    if (meant == self->interface.gallery && (self->withheld & HL_NEEDS_GALLERY)) {
        return hl_fail(error, HL_FAILED,
                       "asks about the gallery: a step that does says so with HL_NEEDS_GALLERY");
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

static hl_status find_head(asker *self, const hl_gallery *given, uint32_t component, nearest **meant,
                           size_t *head, hl_error *error) {
    const engine *model = self->shared->model;
    if (component >= model->info->component_count) {
        return hl_fail(error, HL_USAGE, "asked about component %u of %u", component,
                       model->info->component_count);
    }
    hl_status status = prepare(self, given, 0, meant, error);
    return status == HL_OK ? nearest_head(*meant, engine_component(model, component), head, error) : status;
}

/* Whether it is a component that is no head, of which the atlas has contributions. */
static bool is_other(const asker *self, uint32_t component) {
    const engine *model = self->shared->model;
    return component < model->info->component_count && engine_component(model, component)->kind != HL_HEAD;
}

static hl_status read_others(asker *self, const hl_gallery *given, uint32_t component, size_t first,
                             size_t count, float *out, hl_error *error) {
    nearest *meant;
    size_t row;
    hl_status status = prepare(self, given, ATLAS_MLPS, &meant, error);
    if (status == HL_OK) status = nearest_other(meant, component, &row, error);
    if (status == HL_OK) status = check_images(meant, first, count, error);
    if (status != HL_OK) return status;
    return atlas_read_others(nearest_atlas(meant), self->interface.host, row,
                             nearest_images(meant, first, count), out, error);
}

hl_status asker_gallery_codes(asker *self, const hl_gallery *given, uint32_t component, size_t first,
                              size_t count, float *out, hl_error *error) {
    nearest *meant;
    size_t head;
    if (is_other(self, component)) return read_others(self, given, component, first, count, out, error);
    hl_status status = find_head(self, given, component, &meant, &head, error);
    if (status == HL_OK) status = check_images(meant, first, count, error);
    if (status != HL_OK) return status;
    return atlas_read_codes(nearest_atlas(meant), self->interface.host, head,
                            nearest_images(meant, first, count), out, error);
}

hl_status asker_gallery_embeddings(asker *self, const hl_gallery *given, size_t first, size_t count,
                                   float *out, hl_error *error) {
    nearest *meant;
    hl_status status = prepare(self, given, ATLAS_EMBEDDING, &meant, error);
    if (status == HL_OK) status = check_images(meant, first, count, error);
    if (status != HL_OK) return status;
    return atlas_read_embeddings(nearest_atlas(meant), self->interface.host,
                                 nearest_images(meant, first, count), out, error);
}

hl_status asker_moments(asker *self, const hl_gallery *given, uint32_t component, size_t fold, size_t folds,
                        size_t *count, double *sum, double *products, hl_error *error) {
    nearest *meant;
    size_t head;
    hl_status status = find_head(self, given, component, &meant, &head, error);
    if (status == HL_OK && folds > 1 && fold >= folds) {
        status = hl_fail(error, HL_USAGE, "asked about fold %zu of %zu; folds count from 0", fold, folds);
    }
    if (status != HL_OK) return status;
    atlas_images all = nearest_images(meant, 0, nearest_count(meant));
    return atlas_sum_moments(nearest_atlas(meant), self->interface.host, head, all, fold, folds, count, sum,
                             products, error);
}
