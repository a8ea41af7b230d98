/* Parts of an atlas that several processes make together: in ATLAS/parts/ an atlas for each, "0-of-3", and
 * beside it "0-of-3.done" when its process has done its share. Knows names and marks; what becomes of parts
 * is for others. */
#ifndef PARTS_H
#define PARTS_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>

#define PARTS_FOLDER "parts"

/* The folder of a part; free() it. */
hl_status parts_folder(const char *atlas, size_t part, size_t parts, char **out, hl_error *error);

typedef struct parts_list {
    char **folders; /* first by the number of parts, then by the part's */
    size_t count;
} parts_list;

/* The parts that are there; none when there is no such folder. */
hl_status parts_find(const char *atlas, parts_list *out, hl_error *error);
void parts_list_free(parts_list *self); /* accepts a zeroed one */

/* Whether the folder is there and holds nothing but what this module and atlases in it make. */
bool parts_are_ours(const char *atlas);

/* Says that a part is done. `share_of` tells what of (a gallery, a model), so that the marks of an earlier
 * run over something else do not count. */
hl_status parts_mark(const char *atlas, size_t part, size_t parts, const char *share_of, hl_error *error);

/* Whether all `parts` have this mark. */
bool parts_all_marked(const char *atlas, size_t parts, const char *share_of);

void parts_unmark(const char *atlas, size_t part, size_t parts);

/* Takes the marks of all `parts` away, and the folder if nothing is left in it. */
void parts_unmark_all(const char *atlas, size_t parts);

#endif
