/* See edits.h. */
#include "core/asking/edits.h"

#include "core/io/call.h"
#include "core/io/sized.h"
#include <stdlib.h>
#include <string.h>

/* An edit and what it points to, in one block of memory. */
typedef struct own_edit {
    hl_edit edit; /* first: the list points to it */
    max_align_t memory[];
} own_edit;

static hl_status check(const engine *model, const hl_edit *edit, hl_error *error) {
    if (edit->component >= model->info->component_count) {
        return hl_fail(error, HL_USAGE, "an edit names component %u of %u", edit->component,
                       model->info->component_count);
    }
    const hl_component *component = engine_component(model, edit->component);
    if (edit->action != HL_EDIT_SCALE && edit->action != HL_EDIT_REPLACE) {
        return hl_fail(error, HL_USAGE, "an edit of %s asks for action %u, which there is not",
                       component->name, edit->action);
    }
    if (edit->action != HL_EDIT_SCALE && !edit->values) {
        return hl_fail(error, HL_USAGE, "an edit of %s names no values; expected %u numbers", component->name,
                       component->width);
    }
    return HL_OK;
}

static hl_edit *copy(const engine *model, const hl_edit *edit) {
    size_t width = engine_component(model, edit->component)->width;
    size_t values = edit->values ? width * sizeof *edit->values : 0;
    size_t tokens = edit->tokens ? edit->token_count * sizeof *edit->tokens : 0;
    own_edit *made = malloc(sizeof *made + values + tokens + 1);
    if (!made) return NULL;
    char *memory = (char *)made->memory;
    sized_copy(&made->edit, sizeof made->edit, edit);
    made->edit.token_count = edit->tokens ? edit->token_count : 0;
    if (edit->values) made->edit.values = memcpy(memory, edit->values, values);
    if (edit->tokens) made->edit.tokens = memcpy(memory + values, edit->tokens, tokens);
    return &made->edit;
}

static void add_to_name(checksum *sum, const engine *model, const hl_edit *edit) {
    const hl_component *component = engine_component(model, edit->component);
    char line[128];
    int length = snprintf(line, sizeof line, "edit site %u action %u factor %a tokens %zu of ", edit->site,
                          edit->action, edit->action == HL_EDIT_SCALE ? (double)edit->factor : 0,
                          edit->tokens ? edit->token_count : SIZE_MAX);
    checksum_add(sum, line, (size_t)length + 1);
    checksum_add(sum, component->name, strlen(component->name) + 1);
    if (edit->tokens) checksum_add(sum, edit->tokens, edit->token_count * sizeof *edit->tokens);
    if (edit->action != HL_EDIT_SCALE)
        checksum_add(sum, edit->values, component->width * sizeof *edit->values);
}

static hl_status make_name(edit_list *self, const engine *model, hl_error *error) {
    checksum *sum = checksum_begin();
    if (!sum) return hl_no_memory(error, "edits");
    for (size_t i = 0; i < self->list.count; ++i) add_to_name(sum, model, self->list.all[i]);
    checksum_end(sum, self->name);
    self->list.name = self->name;
    return HL_OK;
}

static hl_status add(edit_list *self, const hl_edit **room, const engine *model, const hl_edit *given,
                     hl_error *error) {
    hl_edit edit;
    hl_status status = call_take(&edit, sizeof edit, given, "hl_edit", error);
    if (status == HL_OK) status = check(model, &edit, error);
    if (status != HL_OK) return status;
    room[self->list.count] = copy(model, &edit);
    if (!room[self->list.count]) return hl_no_memory(error, "edits");
    ++self->list.count;
    return HL_OK;
}

hl_status edits_make(const engine *model, const edit_list *before, const hl_edit *const *added, size_t count,
                     edit_list **out, hl_error *error) {
    *out = NULL;
    edit_list *self = calloc(1, sizeof *self);
    size_t earlier = before ? before->list.count : 0;
    const hl_edit **room = reallocarray(NULL, earlier + count + 1, sizeof *room);
    hl_status status = self && room ? HL_OK : hl_no_memory(error, "edits");
    if (status == HL_OK) self->list.all = room;
    for (size_t i = 0; i < earlier && status == HL_OK; ++i) {
        status = add(self, room, model, before->list.all[i], error);
    }
    for (size_t i = 0; i < count && status == HL_OK; ++i) status = add(self, room, model, added[i], error);
    if (status == HL_OK) status = make_name(self, model, error);
    if (status == HL_OK) {
        *out = self;
        return HL_OK;
    }
    if (!self || !self->list.all) free(room);
    edits_free(self);
    return status;
}

void edits_free(edit_list *self) {
    if (!self) return;
    for (size_t i = 0; i < self->list.count; ++i) free((void *)(uintptr_t)self->list.all[i]);
    free((void *)(uintptr_t)self->list.all);
    free(self);
}
