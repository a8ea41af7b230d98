/* Selections that are opened, written as in an option of heads, and those that stand for a property. */
#include "core/asking/asker_inside.h"

#include "core/registry/selection.h"
#include <stdlib.h>
#include <string.h>

typedef struct own_selection {
    hl_selection shown; /* first: what is handed out */
    arena memory;       /* all that it points to */
} own_selection;

enum { EVERYTHING = HL_OPTION_AGGREGATE | HL_OPTION_SETS | HL_OPTION_ALL_COMPONENTS };

static hl_status no_memory(hl_error *error) {
    return hl_no_memory(error, "a selection of heads");
}

static hl_status check(const char *heads, hl_error *error) {
    hl_error why;
    char words[256];
    hl_status status = selection_check(heads, EVERYTHING, &why);
    if (status == HL_OK) return HL_OK;
    if (why.message[0]) return hl_fail(error, status, "%s", why.message);
    selection_words(EVERYTHING, words, sizeof words);
    return hl_fail(error, status, "expected %s, got \"%.200s\"", words, heads);
}

static hl_status copy(arena *memory, const hl_selection *from, hl_selection *out, hl_error *error) {
    uint32_t *components = arena_array(memory, from->count + 1, sizeof *components);
    double *weights = arena_array(memory, from->count + 1, sizeof *weights);
    *out = *from;
    out->name = arena_copy_text(memory, from->name, strlen(from->name));
    out->components = components;
    out->weights = from->weights ? weights : NULL;
    if (!components || !weights || !out->name) return no_memory(error);
    if (from->count > 0) memcpy(components, from->components, from->count * sizeof *components);
    if (from->weights) memcpy(weights, from->weights, from->count * sizeof *weights);
    return HL_OK;
}

static hl_status read(const asker *self, const char *heads, own_selection *out, hl_error *error) {
    selection_list list = {.memory = &out->memory, .model = self->interface.model};
    hl_status status = check(heads, error);
    if (status == HL_OK) status = selection_add(&list, heads, error);
    if (status != HL_OK) return status;
    if (list.count == 1) return copy(&out->memory, list.all[0], &out->shown, error);
    return hl_fail(
        error, HL_USAGE,
        "\"%.200s\" stands for %zu selections, one for each head; name one, or a sum such as 1*%.200s", heads,
        list.count, heads);
}

static void free_selection(own_selection *made) {
    if (made) arena_free(&made->memory);
    free(made);
}

hl_status asker_open_selection(const asker *self, const char *heads, const hl_selection **out,
                               hl_error *error) {
    own_selection *made = calloc(1, sizeof *made);
    hl_status status = made ? read(self, heads, made, error) : no_memory(error);
    if (status == HL_OK) {
        *out = &made->shown;
    } else {
        free_selection(made);
    }
    return status;
}

hl_status asker_property(const asker *self, const char *name, const hl_selection **out, hl_error *error) {
    const asker_findings *found = &self->findings;
    if (!found->property) {
        return hl_fail(error, HL_USAGE, "nothing says which heads carry \"%.200s\"", name);
    }
    const hl_selection *heads;
    own_selection *made = calloc(1, sizeof *made);
    hl_status status = made ? found->property(found->user, name, &heads, error) : no_memory(error);
    if (status == HL_OK) status = copy(&made->memory, heads, &made->shown, error);
    if (status == HL_OK) {
        *out = &made->shown;
    } else {
        free_selection(made);
    }
    return status;
}

void asker_release_selection(const hl_selection *selection) {
    free_selection((own_selection *)(uintptr_t)selection);
}
