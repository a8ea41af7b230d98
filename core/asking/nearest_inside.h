/* Inside nearest: a gallery that can be searched, for the files that open it and ask it. */
#ifndef NEAREST_INSIDE_H
#define NEAREST_INSIDE_H

#include "core/asking/nearest.h"
#include "core/io/identity.h"
#include <pthread.h>

/* Which file an image is, however its path is written. */
typedef struct image_file {
    identity file;
    bool known;
} image_file;

struct hl_gallery {
    engine *model;
    nearest_settings settings; /* the strings are its own */
    pthread_mutex_t mutex;     /* held while the gallery is opened */
    gallery *gallery;          /* NULL before the first query */
    atlas *atlas;              /* the same */
    image_file *identities;    /* of the atlas's image_store */
    bool *absent;              /* by image of the atlas: the gallery lacks it, or has it otherwise */
    size_t *order;             /* the others, in the order of their paths */
    size_t count;              /* of these */
};

/* Whether an atlas of this layout holds the heads of the selection; columns can be added to it. */
hl_status nearest_check_heads(const nearest *self, const atlas_layout *layout, const hl_selection *selection,
                              hl_error *error);

image_file nearest_identify(const char *file);

#endif
