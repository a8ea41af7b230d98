/* See shown.h. */
#include "core/experiment/shown.h"

#include "core/io/utf8.h"

hl_status shown_image(void *user, const char *name, size_t side, picture *out, size_t original[2],
                      hl_error *error) {
    const shown *self = user;
    for (size_t i = 0; i < self->count; ++i) {
        if (utf8_is_shown_as(self->list[i]->name, name))
            return images_picture(self->store, self->list[i], side, out, original, error);
    }
    return hl_fail(error, HL_FAILED, "%s: a result shows an image that no analysis was given", name);
}

hl_status shown_neighbor(void *user, const char *path, size_t side, picture *out, size_t original[2],
                         hl_error *error) {
    const shown *self = user;
    const gallery_image *image = self->gallery ? nearest_image(self->gallery, path) : NULL;
    if (!image)
        return hl_fail(error, HL_FAILED, "%s: a result shows a neighbour that the gallery lacks", path);
    return picture_load_within(image->file, side, out, original, error);
}
