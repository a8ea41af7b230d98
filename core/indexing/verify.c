/* `headlight verify`, and what an atlas holds. */
#include "core/atlas/atlas.h"
#include "core/atlas/manifest.h"
#include "core/host/library.h"

hl_status hl_verify(hl_library *library, const char *folder, hl_error *error) {
    host *made;
    hl_status status = host_open(&library->settings, &library->cancel, 0, &made, error);
    if (status != HL_OK) return status;
    atlas *opened;
    status = atlas_open(folder, &opened, error);
    if (status == HL_OK) status = atlas_verify(opened, &made->interface, error);
    atlas_close(opened);
    host_close(made);
    return status;
}

hl_status hl_summarise_atlas(const char *folder, hl_atlas_summary *summary, hl_error *error) {
    manifest *found;
    hl_status status = manifest_read(folder, &found, error);
    if (status != HL_OK) return status;
    *summary = (hl_atlas_summary){.shards = found->shard_count};
    for (size_t i = 0; i < found->shard_count; ++i) {
        summary->images += (size_t)found->shards[i].images;
        summary->skipped += (size_t)found->shards[i].skipped;
    }
    manifest_free(found);
    return HL_OK;
}
