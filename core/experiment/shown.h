/* The pictures that a run's results name. */
#ifndef SHOWN_H
#define SHOWN_H

#include "core/asking/images.h"
#include "core/asking/nearest.h"

typedef struct shown {
    image_store *store;
    const hl_image *const *list; /* all that the experiment names */
    size_t count;
    nearest *gallery; /* NULL: there is none */
} shown;

/* The image that results call `name`, and the neighbour at `path`: the longer side at most `side` (0: as it
 * is), and its own size in `original`, width first. HL_UNAVAILABLE for a neighbour's file that cannot be read
 * any more. `user` is a shown. */
hl_status shown_image(void *user, const char *name, size_t side, picture *out, size_t original[2],
                      hl_error *error);
hl_status shown_neighbor(void *user, const char *path, size_t side, picture *out, size_t original[2],
                         hl_error *error);

#endif
