/* `headlight verify`, and what an atlas holds. */
#include "core/atlas/atlas.h"
#include "core/atlas/manifest.h"
#include "core/atlas/parts.h"
#include "core/host/library.h"
#include "core/io/call.h"

/* An atlas's folder, its own and those of parts that have not been put together: all of them together are it.
 */
typedef hl_status folder_visit(void *context, const char *folder, hl_error *error);

static hl_status visit_if_there(const char *folder, folder_visit *visit, void *context, hl_error *error) {
    manifest *found;
    hl_status status = manifest_find(folder, MANIFEST_FILE, &found, error);
    if (status != HL_OK || !found) return status;
    manifest_free(found);
    return visit(context, folder, error);
}

static hl_status visit_folders(const char *folder, folder_visit *visit, void *context, hl_error *error) {
    parts_list parts;
    hl_status status = parts_find(folder, &parts, error);
    if (status != HL_OK) return status;
    status = parts.count > 0 ? visit_if_there(folder, visit, context, error) : visit(context, folder, error);
    for (size_t i = 0; i < parts.count && status == HL_OK; ++i) {
        status = visit_if_there(parts.folders[i], visit, context, error);
        if (status == HL_USAGE) status = HL_OK; /* just put to the others */
    }
    parts_list_free(&parts);
    return status;
}

static hl_status verify_folder(void *context, const char *folder, hl_error *error) {
    const host *made = context;
    atlas *opened;
    hl_status status = atlas_open(folder, &opened, error);
    if (status == HL_OK) status = atlas_verify(opened, &made->interface, error);
    atlas_close(opened);
    return status;
}

static hl_status verify_all(hl_library *library, const char *folder, hl_error *error) {
    host *made;
    hl_status status = host_open(&library->settings, 0, &made, error);
    if (status != HL_OK) return status;
    status = visit_folders(folder, verify_folder, made, error);
    host_close(made);
    return status;
}

hl_status hl_verify(hl_library *library, const hl_call *call, const char *folder, hl_error *error) {
    call_scope scope;
    hl_status status = call_begin(&scope, call, error);
    if (status == HL_OK) status = verify_all(library, folder, error);
    call_end(&scope);
    return status;
}

static hl_status add_summary(void *context, const char *folder, hl_error *error) {
    hl_atlas_summary *summary = context;
    manifest *found;
    hl_status status = manifest_read(folder, &found, error);
    if (status != HL_OK) return status;
    summary->shards += found->shard_count;
    for (size_t i = 0; i < found->shard_count; ++i) {
        summary->images += (size_t)found->shards[i].images;
        summary->skipped += (size_t)found->shards[i].skipped;
    }
    manifest_free(found);
    return HL_OK;
}

hl_status hl_summarise_atlas(const char *folder, hl_atlas_summary *summary, hl_error *error) {
    *summary = (hl_atlas_summary){0};
    return visit_folders(folder, add_summary, summary, error);
}
