/* Properties, counted and ordered. Never knows where the labels came from, nor how a colour looks. */
#include "palette.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

const char *palette_property(const palette *self, const char *head) {
    const char *property = hl_get_text(self->heads, head);
    return *property ? property : NULL;
}

size_t palette_index(const palette *self, const char *property) {
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->names[i], property) == 0) return i;
    }
    return SIZE_MAX;
}

static size_t weight_of(const palette *self, size_t index) {
    return self->shares[index] ? self->shares[index] : self->uses[index];
}

size_t palette_colored(const palette *self) {
    if (self->count <= PALETTE_COLORS) return self->count;
    size_t colored = 0;
    while (colored < PALETTE_COLORS && weight_of(self, colored) > 1) colored++;
    return colored;
}

static bool comes_before(const palette *self, size_t a, size_t b) {
    if (self->shares[a] != self->shares[b]) return self->shares[a] > self->shares[b];
    if (!self->shares[a] && self->uses[a] != self->uses[b]) return self->uses[a] > self->uses[b];
    return strcmp(self->names[a], self->names[b]) < 0;
}

static void swap(palette *self, size_t a, size_t b) {
    const char *name = self->names[a];
    size_t share = self->shares[a], use = self->uses[a];
    self->names[a] = self->names[b], self->shares[a] = self->shares[b], self->uses[a] = self->uses[b];
    self->names[b] = name, self->shares[b] = share, self->uses[b] = use;
}

/* Insertion: there are at most as many properties as heads, mostly a dozen. */
static void sort(palette *self) {
    for (size_t i = 1; i < self->count; i++) {
        for (size_t k = i; k > 0 && comes_before(self, k, k - 1); k--) swap(self, k, k - 1);
    }
}

/* ---- what the results name ---- */

static bool has_room(palette *self) {
    if (self->count < self->room) return true;
    size_t room = self->room ? 2 * self->room : 64;
    const char **names = reallocarray(self->names, room, sizeof *names);
    if (names) self->names = names;
    size_t *shares = names ? reallocarray(self->shares, room, sizeof *shares) : NULL;
    if (shares) self->shares = shares;
    size_t *uses = shares ? reallocarray(self->uses, room, sizeof *uses) : NULL;
    if (uses) self->uses = uses;
    if (uses) self->room = room;
    return uses != NULL;
}

/* The property's number, a new one's too; SIZE_MAX: there is no memory. */
static size_t find(palette *self, const char *property) {
    size_t index = palette_index(self, property);
    if (index != SIZE_MAX) return index;
    if (!has_room(self)) return SIZE_MAX;
    self->names[self->count] = property;
    self->shares[self->count] = self->uses[self->count] = 0;
    return self->count++;
}

static bool take_properties(palette *self) {
    for (const hl_node *label = self->heads ? self->heads->first : NULL; label; label = label->next) {
        if (label->type != HL_TEXT || !*label->text) continue;
        size_t index = find(self, label->text);
        if (index == SIZE_MAX) return false;
        self->shares[index]++;
    }
    return true;
}

static bool take_labels(palette *self, const hl_node *item) {
    const hl_node *heads = hl_get(item, "heads");
    if (strcmp(hl_get_text(item, "schema"), HL_SCHEMA_HEAD_MAP) != 0 || !hl_is_list(heads)) return true;
    for (const hl_node *row = heads->first; row; row = row->next) {
        const char *label = hl_get_text(row, "label");
        size_t index = *label ? find(self, label) : 0;
        if (index == SIZE_MAX) return false;
        if (*label) self->uses[index]++;
    }
    return true;
}

/* The items of a list, or of the `results` of the maps in it. */
static bool take_items(palette *self, const hl_node *list) {
    bool ok = true;
    for (const hl_node *of = hl_is_list(list) ? list->first : NULL; of && ok; of = of->next) {
        const hl_node *results = hl_get(of, "results");
        ok = take_labels(self, of) && (!results || take_items(self, results));
    }
    return ok;
}

hl_status palette_open(palette *self, const hl_node *root, hl_error *error) {
    *self = (palette){.heads = hl_get(hl_get(root, "properties"), "heads")};
    bool ok = take_properties(self) && take_items(self, hl_get(root, "analyses")) &&
              take_items(self, hl_get(root, "extractors")) && take_items(self, hl_get(root, "comparison"));
    if (!ok) {
        palette_close(self);
        return hl_no_memory(error, "the properties' colours");
    }
    sort(self);
    return HL_OK;
}

void palette_close(palette *self) {
    free(self->names);
    free(self->shares);
    free(self->uses);
    *self = (palette){0};
}
