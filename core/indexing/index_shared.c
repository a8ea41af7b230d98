/* An atlas that several processes make together; see index.h. Each marks its part when it is done; who finds
 * all parts marked puts them together. */
#include "core/atlas/parts.h"
#include "core/atlas/writer.h"
#include "core/indexing/index.h"
#include "core/indexing/index_layout.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

enum { MARK_ROOM = 80 };

/* Two checksums: of what codes depend on, and of the gallery as this process sees it. */
static hl_status make_mark(engine *model, const gallery *images, const index_settings *settings, char *out,
                           hl_error *error) {
    index_layout layout;
    manifest *found;
    hl_status status = index_layout_look(settings->atlas, &found, error);
    if (status == HL_OK) status = index_layout_make(model, settings, found, &layout, error);
    manifest_free(found);
    if (status != HL_OK) return status;
    char seen[CHECKSUM_ROOM];
    checksum *sum = checksum_begin();
    if (sum) {
        for (size_t i = 0; i < images->count; ++i) {
            const gallery_image *image = &images->images[i];
            char line[64];
            int length = snprintf(line, sizeof line, "%" PRId64 " %" PRId64, image->bytes, image->modified);
            checksum_add(sum, image->path, strlen(image->path) + 1);
            checksum_add(sum, line, (size_t)length + 1);
        }
        checksum_end(sum, seen);
        snprintf(out, MARK_ROOM, "%s %s\n", layout.fingerprint, seen);
    } else {
        status = hl_no_memory(error, "a checksum");
    }
    index_layout_free(&layout);
    return status;
}

static void wait_a_moment(void) {
    const struct timespec moment = {0, 100000000};
    nanosleep(&moment, NULL);
}

/* Several may find all parts done at the same time: one does it, and the others see that it is done. */
static hl_status put_together(engine *model, const gallery *images, const index_settings *settings,
                              const char *mark, hl_error *error) {
    const hl_host *interface = model->interface;
    index_settings whole = *settings;
    whole.shared = false;
    whole.part = whole.parts = 0;
    while (parts_all_marked(settings->atlas, settings->parts, mark)) {
        hl_status status = index_gallery(model, images, &whole, NULL, error);
        if (status == HL_OK) parts_unmark_all(settings->atlas, settings->parts);
        if (status != HL_UNAVAILABLE || interface->cancelled(interface)) return status;
        wait_a_moment();
    }
    return HL_OK;
}

hl_status index_shared(engine *model, const gallery *images, const index_settings *settings,
                       hl_error *error) {
    char mark[MARK_ROOM];
    hl_status status = atlas_writer_may_found(settings->atlas, error);
    if (status == HL_OK) status = make_mark(model, images, settings, mark, error);
    if (status == HL_OK) parts_unmark(settings->atlas, settings->part, settings->parts);
    if (status == HL_OK) status = index_gallery(model, images, settings, NULL, error);
    if (status == HL_OK) status = parts_mark(settings->atlas, settings->part, settings->parts, mark, error);
    return status == HL_OK ? put_together(model, images, settings, mark, error) : status;
}
