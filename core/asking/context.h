/* The hl_ask that analyses ask: images by their files, answered from traces that are kept.
 *
 * An image's pass runs when it is first asked about, together with the images that the experiment names after
 * it; traces stay until their memory passes a budget, the least recently asked going first. */
#ifndef CONTEXT_H
#define CONTEXT_H

#include "core/asking/nearest.h"
#include "core/engine/engine.h"
#include "core/io/picture.h"

typedef struct context context;

/* `images`: all that will be asked about; the array outlives the context, as does `searched`, which is NULL
 * where the experiment names none. */
hl_status context_open(engine *model, const hl_image *const *images, size_t count, nearest *searched,
                       context **out, hl_error *error);
void context_close(context *self); /* accepts NULL */

const hl_ask *context_interface(const context *self);

/* Decodes the image that results call `name`. `user` is the context. */
hl_status context_load_picture(void *user, const char *name, picture *out, hl_error *error);

/* The same for an image of the gallery, and what the gallery says of it (NULL: nothing). */
hl_status context_load_neighbor(void *user, const char *path, picture *out, hl_error *error);
const hl_node *context_facts(void *user, const char *path);

#endif
