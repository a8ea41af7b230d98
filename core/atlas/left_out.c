/* See left_out.h. */
#include "core/atlas/left_out.h"

#include "core/io/output_list.h"
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Where systems, network drives and archives keep what is nobody's photograph. */
static const char *const SYSTEM_NAMES[] = {
    "@eaDir",   "#recycle",     "@Recycle",   "@Recently-Snapshot",        "#snapshot",
    "__MACOSX", "$RECYCLE.BIN", "lost+found", "System Volume Information",
};

typedef struct known_file {
    identity file; /* first: compared as such */
    bool is_mask;
} known_file;

void left_out_free(left_out *self) {
    tdestroy(self->files, free);
    *self = (left_out){0};
}

bool left_out_name(left_out *self, const char *name, bool may_matter) {
    if (name[0] == '.') {
        self->hidden += may_matter;
        return true;
    }
    for (size_t i = 0; i < sizeof SYSTEM_NAMES / sizeof *SYSTEM_NAMES; ++i) {
        if (strcasecmp(name, SYSTEM_NAMES[i]) != 0) continue;
        self->system += may_matter;
        return true;
    }
    return false;
}

/* ---- learning ---- */

typedef struct lesson {
    left_out *self;
    const char *folder;
} lesson;

/* `name` is relative to the folder, or absolute. A file that is not there is no image either. */
static hl_status add(const lesson *from, const char *name, bool is_mask, hl_error *error) {
    char *path = NULL;
    struct stat status;
    if (name[0] == '/') {
        path = strdup(name);
    } else if (asprintf(&path, "%s/%s", from->folder, name) < 0) {
        path = NULL;
    }
    bool found = path && stat(path, &status) == 0;
    known_file *key = found ? malloc(sizeof *key) : NULL;
    bool complete = path && (key || !found);
    free(path);
    if (key) {
        *key = (known_file){identity_of(&status), is_mask};
        known_file **kept = tsearch(key, &from->self->files, compare_identities);
        complete = kept != NULL;
        if (!kept || *kept != key) free(key);
    }
    return complete ? HL_OK : hl_no_memory(error, "the files of a gallery that are no images");
}

static hl_status add_picture(void *context, const char *name, hl_error *error) {
    return add(context, name, false, error);
}

hl_status left_out_learn_masks(left_out *self, const char *folder, const hl_node *document, hl_error *error) {
    lesson from = {self, folder};
    hl_status status = HL_OK;
    for (const hl_node *item = document->first; item && status == HL_OK; item = item->next) {
        const char *mask = hl_get_text(item, "mask");
        if (*mask) status = add(&from, mask, true, error);
    }
    return status;
}

hl_status left_out_learn_pictures(left_out *self, const char *folder, hl_error *error) {
    lesson from = {self, folder};
    return output_list_read(folder, OUTPUT_RUN_LIST, add_picture, &from, error);
}

/* ---- asking ---- */

bool left_out_file(left_out *self, const identity *file, bool named) {
    known_file **found = tfind(file, &self->files, compare_identities);
    if (!found || ((*found)->is_mask && named)) return false;
    ++*((*found)->is_mask ? &self->masks : &self->pictures);
    return true;
}

bool left_out_describe(const left_out *self, char *out, size_t size) {
    const struct {
        size_t count;
        const char *one, *several;
    } kinds[] = {{self->masks, "mask", "masks"},
                 {self->pictures, "picture of an earlier run", "pictures of earlier runs"},
                 {self->hidden, "hidden file or folder", "hidden files or folders"},
                 {self->system, "system folder", "system folders"}};
    size_t used = 0;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; ++i) {
        if (kinds[i].count == 0 || used >= size) continue;
        int length = snprintf(out + used, size - used, "%s%zu %s", used ? ", " : "", kinds[i].count,
                              kinds[i].count == 1 ? kinds[i].one : kinds[i].several);
        used += length > 0 ? (size_t)length : 0;
    }
    return used > 0;
}
