/* Parts of an atlas that several processes made become one; see indexing.h. */
#include "core/indexing/indexing.h"

#include "core/atlas/parts.h"
#include <stdlib.h>

typedef struct adoption {
    parts_list parts;
    atlas_writer **writers; /* of each part; NULL: left alone */
} adoption;

/* NULL: another process writes it. */
static hl_status open_part(const indexing *self, const char *folder, atlas_writer **out, hl_error *error) {
    hl_status status = atlas_writer_open(folder, &self->layout.atlas, 0, out, error);
    if (status == HL_OK) status = atlas_writer_check(*out, error);
    if (status == HL_OK) return HL_OK;
    atlas_writer_close(*out);
    *out = NULL;
    if (status != HL_UNAVAILABLE) return status;
    indexing_warn(self, "%s: another process is indexing into this part; it is left alone", folder);
    return HL_OK;
}

/* A process that was broken off may have put the part to the others already. */
static hl_status copy_part(const indexing *self, const char *folder, hl_error *error) {
    const hl_host *interface = self->model->interface;
    const manifest *whole = atlas_writer_manifest(self->writer);
    atlas *from;
    hl_status status = atlas_open(folder, &from, error);
    for (size_t i = 0; status == HL_OK && i < from->opened; ++i) {
        if (!manifest_holds(whole, &from->manifest->shards[i])) {
            status = atlas_writer_copy(self->writer, from, i, error);
        }
        if (status == HL_OK) status = hl_check_cancelled(interface, error);
    }
    atlas_close(from);
    return status;
}

static hl_status adopt(const indexing *self, adoption *of, hl_error *error) {
    hl_status status = HL_OK;
    size_t copied = 0;
    for (size_t i = 0; i < of->parts.count && status == HL_OK; ++i) {
        status = open_part(self, of->parts.folders[i], &of->writers[i], error);
        if (status != HL_OK || !of->writers[i]) continue;
        if (atlas_writer_manifest(of->writers[i])->shard_count == 0) continue;
        status = copy_part(self, of->parts.folders[i], error);
        ++copied;
    }
    if (status == HL_OK && copied > 0) status = atlas_writer_publish(self->writer, error);
    for (size_t i = 0; i < of->parts.count && status == HL_OK; ++i) {
        if (of->writers[i]) status = atlas_writer_remove(of->writers[i], error);
    }
    return status;
}

hl_status indexing_adopt_parts(const indexing *self, hl_error *error) {
    adoption all = {.writers = NULL};
    hl_status status = parts_find(self->folder, &all.parts, error);
    if (status == HL_OK && all.parts.count > 0) {
        all.writers = calloc(all.parts.count, sizeof(atlas_writer *));
        status = all.writers ? adopt(self, &all, error) : hl_no_memory(error, self->folder);
    }
    for (size_t i = 0; all.writers && i < all.parts.count; ++i) atlas_writer_close(all.writers[i]);
    free(all.writers);
    parts_list_free(&all.parts);
    return status;
}
