/* See shown.h. */
#include "core/experiment/shown.h"

#include "core/io/call.h"
#include "core/io/utf8.h"

hl_status shown_image(shown *self, const char *name, size_t side, picture *out, size_t original[2],
                      hl_error *error) {
    for (size_t i = 0; i < self->count; ++i) {
        if (utf8_is_shown_as(self->list[i]->name, name))
            return images_picture(self->store, self->list[i], side, out, original, error);
    }
    return hl_fail(error, HL_FAILED, "%s: a result shows an image that no analysis was given", name);
}

static const gallery_image *find_neighbor(const shown *self, const char *path) {
    return self->gallery ? nearest_image(self->gallery, path) : NULL;
}

/* Once: who misses one picture looks for the rest. */
static void warn_of_blank(shown *self, const hl_error *why) {
    const hl_host *interface = nearest_host(self->gallery);
    if (self->blanks++ > 0) return;
    interface->log(interface, HL_LOG_WARNING,
                   "%s; the page shows a gray square for it, and for others like it", why->message);
}

hl_status shown_neighbor(shown *self, const char *path, size_t side, picture *out, size_t original[2],
                         hl_error *error) {
    const gallery_image *image = find_neighbor(self, path);
    if (!image)
        return hl_fail(error, HL_FAILED, "%s: a result shows a neighbour that the gallery lacks", path);
    hl_status status = picture_load_within(image->file, side, out, original, error);
    if (status == HL_UNAVAILABLE) warn_of_blank(self, error);
    return status;
}

const hl_node *shown_facts(void *user, const char *path) {
    const gallery_image *image = find_neighbor(user, path);
    return image ? image->facts : NULL;
}
