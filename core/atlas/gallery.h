/* A gallery: a folder of images, a list of files, or a gallery.json, as one sorted list. Knows no codes. */
#ifndef GALLERY_H
#define GALLERY_H

#include "core/atlas/left_out.h"
#include "core/tree/tree.h"
#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct gallery_image {
    const char *path; /* relative to the gallery's folder; what results show */
    const char *file; /* to open */
    int64_t bytes,
        modified;   /* of the file; modified in nanoseconds since 1970; -1 where the file cannot be found */
    identity which; /* of the file, where it can be found */
    const hl_node *facts; /* gallery.json's object: caption, mask and further keys; NULL when there is none */
    bool looked_at;       /* the file has been: bytes, modified and which say what was seen */
} gallery_image;

typedef struct gallery {
    char *folder;
    gallery_image *images; /* in the byte order of their paths, each path once */
    size_t count;
    tree *document;    /* the gallery.json behind `facts`; NULL: there is none */
    left_out left_out; /* of a folder */
} gallery;

/* `source`: a folder (walked recursively in byte order; no folder twice, however it is linked; files with the
 * usual endings of images, whatever their case, but for what left_out.h knows), a .json file (a list of
 * objects with `path`), or any other file (one path a line). Both are UTF-8, and paths in them are relative
 * to the file. A folder's own gallery.json gives the facts of the images that were found in the folder; what
 * it says of others is left out. HL_USAGE when `source` is none of these, HL_FAILED when damaged. Names of
 * files may be any bytes. */
hl_status gallery_open(const char *source, gallery **out, hl_error *error);
void gallery_close(gallery *self); /* accepts NULL */

/* Whether a name ends as those of images do, also of ones that are not read. */
bool gallery_is_image_name(const char *name);

/* By path; NULL when there is none. */
const gallery_image *gallery_find(const gallery *self, const char *path);

#endif
