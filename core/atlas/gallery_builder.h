/* A gallery that is growing: for the modules that find its images. */
#ifndef GALLERY_BUILDER_H
#define GALLERY_BUILDER_H

#include "core/atlas/gallery.h"
#include <sys/stat.h>

#define GALLERY_FILE "gallery.json"

typedef struct gallery_builder {
    gallery *list;
    size_t room;
} gallery_builder;

/* "FOLDER/PATH"; an absolute path stands for itself. free() it; NULL: no memory. */
char *gallery_join(const char *folder, const char *path);

/* Adds an image, in any order. `path` need not end with NUL; "./" before it, as `find .` writes it, is left
 * out. */
hl_status gallery_add(gallery_builder *to, const char *path, size_t length, const hl_node *facts,
                      hl_error *error);

/* What is known of the file of the image that was added last, so that it is looked at once. `about` NULL: it
 * cannot be found. */
void gallery_add_file(gallery_builder *to, const struct stat *about);

/* Reads a gallery.json into the list's document. HL_FAILED when it is damaged, or no list. */
hl_status gallery_read_document(gallery *list, const char *path, hl_error *error);

/* All images of the gallery's folder and the folders below; learns what is to be left out of them, and reads
 * the folder's own gallery.json if there is one. */
hl_status gallery_walk(gallery *list, const struct stat *root, hl_error *error);

#endif
