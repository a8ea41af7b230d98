/* Images become codes: those that the gallery has and the atlas has not; see indexing.h. */
#include "core/indexing/indexing.h"

#include "core/engine/encoder.h"
#include <stdlib.h>

/* Small enough that the last batches of all threads end together, large enough for products that fill a core.
 */
enum { DEFAULT_BATCH = 8 };

/* What cannot be found at the moment is not pending: the next run looks again. */
static size_t list_pending(const indexing *self, const gallery_image **pending) {
    size_t count = 0, away = 0;
    const char *one = NULL;
    for (size_t i = self->first; i < self->last; ++i) {
        const gallery_image *image = &self->gallery->images[i];
        if (!indexing_is_away(image)) {
            if (!self->held[i]) pending[count++] = image;
        } else if (away++ == 0) {
            one = image->path;
        }
    }
    if (away == 0) return count;
    indexing_warn(self, "%zu of the gallery's %zu images cannot be found at the moment, such as %s%s", away,
                  self->last - self->first, one,
                  self->settings->keep_others ? "; codes that the atlas has of them answer for them" : "");
    return count;
}

hl_status indexing_run_encoder(const indexing *self, const gallery_image *const *images, size_t count,
                               size_t group, uint32_t columns, shard_filler *filler, hl_error *error) {
    const atlas_layout *layout = &self->layout.atlas;
    hl_detail detail = columns & ATLAS_FIRST ? HL_DETAIL_TOKENS : HL_DETAIL_CODES;
    hl_capture heads = {.size = sizeof heads,
                        .site = HL_SITE_HEAD,
                        .detail = (uint32_t)detail,
                        .components = self->layout.components,
                        .count = layout->head_count};
    hl_capture others = {.size = sizeof others,
                         .site = HL_SITE_MLP,
                         .detail = HL_DETAIL_CODES,
                         .components = self->model->others,
                         .count = layout->mlps};
    const hl_capture *const captures[] = {&heads, &others};
    const engine_edits *edits = self->settings->edits;
    hl_request request = {.size = sizeof request,
                          .captures = captures,
                          .capture_count = columns & ATLAS_MLPS ? 2 : 1,
                          .edits = edits ? edits->all : NULL,
                          .edit_count = edits ? edits->count : 0};
    encoder_settings settings = {.images = images,
                                 .count = count,
                                 .group = group,
                                 .batch = self->settings->batch ? self->settings->batch : DEFAULT_BATCH,
                                 .request = &request,
                                 .keep = shard_filler_keep,
                                 .user = filler};
    return encoder_run(self->model, &settings, error);
}

static hl_status encode(const indexing *self, const gallery_image *const *pending, size_t count,
                        hl_error *error) {
    size_t group = (size_t)atlas_writer_manifest(self->writer)->shard_size;
    shard_filler_settings settings = {.model = self->model,
                                      .layout = &self->layout,
                                      .writer = self->writer,
                                      .images = pending,
                                      .count = count};
    shard_filler *filler;
    hl_status status = atlas_writer_check(self->writer, error);
    if (status == HL_OK) status = engine_load(self->model, error);
    if (status == HL_OK) status = shard_filler_open(&settings, &filler, error);
    if (status != HL_OK) return status;
    status = indexing_run_encoder(self, pending, count, group, self->layout.atlas.columns, filler, error);
    shard_filler_close(filler);
    return status;
}

hl_status indexing_encode(const indexing *self, hl_error *error) {
    const gallery_image **pending = calloc(self->last - self->first + 1, sizeof *pending);
    if (!pending) return hl_no_memory(error, "the list of images");
    size_t count = list_pending(self, pending);
    hl_status status = count > 0 ? encode(self, pending, count, error) : HL_OK;
    free(pending);
    return status;
}
