/* What is changed in every pass of a conversation: a list of edits with all that they point to, and a name
 * that tells it from others. */
#ifndef EDITS_H
#define EDITS_H

#include "core/engine/engine.h"
#include "core/io/checksum.h"

typedef struct edit_list {
    engine_edits list; /* with this name: */
    char name[CHECKSUM_ROOM];
} edit_list;

/* Those `before`, which may be NULL, then `added`; all is copied. HL_USAGE for one that names no component,
 * or that no version of model.h knows. */
hl_status edits_make(const engine *model, const edit_list *before, const hl_edit *const *added, size_t count,
                     edit_list **out, hl_error *error);
void edits_free(edit_list *self); /* accepts NULL */

#endif
