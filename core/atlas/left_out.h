/* What lies in a gallery's folder and is none of its images: hidden and system names, the pictures of
 * headlight's own runs, and the masks of a gallery.json. Each is counted, so that it can be said. */
#ifndef LEFT_OUT_H
#define LEFT_OUT_H

#include "core/io/identity.h"
#include "headlight/error.h"
#include "headlight/result.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct left_out {
    void *files; /* a tree of those that are known by what they are, not by their names */
    size_t hidden, system, pictures, masks;
} left_out;

void left_out_free(left_out *self); /* accepts a zeroed one */

/* Whether a name in a folder is hidden or the system's. Counts it if it could have been an image or hold
 * some. */
bool left_out_name(left_out *self, const char *name, bool may_matter);

/* Learns which files are no images: from the list of a run's files in a folder, and from the masks that the
 * document of its gallery.json names. */
hl_status left_out_learn_pictures(left_out *self, const char *folder, hl_error *error);
hl_status left_out_learn_masks(left_out *self, const char *folder, const hl_node *document, hl_error *error);

/* Whether this file is one of them; `named`: a gallery.json names it as an image, whatever masks it names. */
bool left_out_file(left_out *self, const identity *file, bool named);

/* "2 masks, 1 picture of an earlier run": false when nothing was left out. */
bool left_out_describe(const left_out *self, char *out, size_t size);

#endif
