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

size_t palette_colored(const palette *self) {
    if (self->count <= PALETTE_COLORS) return self->count;
    size_t colored = 0;
    while (colored < PALETTE_COLORS && self->shares[colored] > 1) colored++;
    return colored;
}

static bool comes_before(const palette *self, size_t a, size_t b) {
    if (self->shares[a] != self->shares[b]) return self->shares[a] > self->shares[b];
    return strcmp(self->names[a], self->names[b]) < 0;
}

/* Insertion: there are at most as many properties as heads, mostly a dozen. */
static void sort(palette *self) {
    for (size_t i = 1; i < self->count; i++) {
        for (size_t k = i; k > 0 && comes_before(self, k, k - 1); k--) {
            const char *name = self->names[k];
            size_t share = self->shares[k];
            self->names[k] = self->names[k - 1], self->shares[k] = self->shares[k - 1];
            self->names[k - 1] = name, self->shares[k - 1] = share;
        }
    }
}

hl_status palette_open(palette *self, const hl_node *properties, hl_error *error) {
    *self = (palette){.heads = hl_get(properties, "heads")};
    size_t room = (self->heads ? self->heads->count : 0) + (size_t)1;
    self->names = calloc(room, sizeof *self->names);
    self->shares = calloc(room, sizeof *self->shares);
    if (!self->names || !self->shares) {
        palette_close(self);
        return hl_no_memory(error, "the properties' colours");
    }
    for (const hl_node *label = self->heads ? self->heads->first : NULL; label; label = label->next) {
        if (label->type != HL_TEXT || !*label->text) continue;
        size_t index = palette_index(self, label->text);
        if (index == SIZE_MAX) self->names[index = self->count++] = label->text;
        self->shares[index]++;
    }
    sort(self);
    return HL_OK;
}

void palette_close(palette *self) {
    free(self->names);
    free(self->shares);
    *self = (palette){0};
}
