/* What lies in a gallery's folder and is none of its images: hidden and system names, the pictures of
 * headlight's own runs, and the masks of a gallery.json. Each is counted, so that it can be said. */
#ifndef LEFT_OUT_H
#define LEFT_OUT_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

typedef struct left_out {
    void *files; /* a tree of those that are known by what they are, not by their names */
    size_t hidden, system, pictures, masks;
} left_out;

void left_out_free(left_out *self); /* accepts a zeroed one */

/* Whether a name in a folder is hidden or the system's. Counts it if it could have been an image or hold
 * some. */
bool left_out_name(left_out *self, const char *name, bool may_matter);

/* Learns from a folder's list of a run's files, and from its gallery.json, which files are no images. A
 * gallery.json that cannot be read says nothing. */
hl_status left_out_learn(left_out *self, const char *folder, hl_error *error);

/* Whether this file is one of them; `named`: a gallery.json names it as an image, whatever masks it names. */
bool left_out_file(left_out *self, const struct stat *file, bool named);

/* "2 masks, 1 picture of an earlier run": false when nothing was left out. */
bool left_out_describe(const left_out *self, char *out, size_t size);

#endif
