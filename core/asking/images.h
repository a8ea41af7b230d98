/* Images that can be asked about, and what passes over them left: each file is opened and decoded once, each
 * pass is run once, traces are kept within a budget of memory. [any thread] */
#ifndef IMAGES_H
#define IMAGES_H

#include "core/asking/edits.h"
#include "core/io/picture.h"
#include "headlight/ask.h"

typedef struct image_store image_store;

/* `picture_side`: of what is decoded a picture is kept whose longer side is no longer; 0: none is. */
hl_status images_open(engine *model, size_t picture_side, image_store **out, hl_error *error);
void images_close(image_store *self); /* accepts NULL */

/* A new image, given up by `images_release`. A file is not opened yet. */
hl_status images_add(image_store *self, const hl_image_source *source, const hl_image **out, hl_error *error);
void images_release(image_store *self, const hl_image *image);

/* Images of somebody else's that will be asked about in this order, so that several can share a pass: all of
 * them until `images_leave` is called with the same list, which outlives that. Those of one path are one. */
hl_status images_join(image_store *self, const hl_image *const *list, size_t count, hl_error *error);
void images_leave(image_store *self, const hl_image *const *list, size_t count);

/* The trace of a pass with these edits, NULL: none. The caller's to release. */
hl_status images_trace(image_store *self, const hl_image *image, const edit_list *changed, hl_trace **out,
                       hl_error *error);

/* Traces made with these edits, which go. */
void images_forget(image_store *self, const edit_list *changed);

/* A picture of it whose longer side is at most `side` (0: as it is), and the image's own size. free it with
 * picture_free. HL_USAGE for an image that was given as pixels. */
hl_status images_picture(image_store *self, const hl_image *image, size_t side, picture *out,
                         size_t original[2], hl_error *error);

#endif
