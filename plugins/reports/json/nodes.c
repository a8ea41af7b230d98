/* See nodes.h. The entries of a copy lie one after the other. */
#include "nodes.h"

#include <stdalign.h>
#include <stdlib.h>

struct nodes_block {
    struct nodes_block *next;
    alignas(max_align_t) char bytes[];
};

static void *take(nodes *self, size_t count, size_t element) {
    size_t bytes;
    if (__builtin_mul_overflow(count, element, &bytes) ||
        __builtin_add_overflow(bytes, sizeof(struct nodes_block), &bytes))
        return NULL;
    struct nodes_block *block = calloc(1, bytes);
    if (!block) return NULL;
    block->next = self->blocks;
    self->blocks = block;
    return block->bytes;
}

void nodes_free(nodes *self) {
    while (self->blocks) {
        struct nodes_block *block = self->blocks;
        self->blocks = block->next;
        free(block);
    }
}

hl_node *nodes_copy(nodes *self, const hl_node *of, uint32_t more) {
    hl_node *copy = take(self, (size_t)1 + of->count + more, sizeof *copy), *entries = copy + 1;
    if (!copy) return NULL;
    uint32_t count = 0;
    for (const hl_node *entry = of->first; entry; entry = entry->next) {
        entries[count] = *entry;
        entries[count].next = entry->next ? &entries[count + 1] : NULL;
        ++count;
    }
    *copy = *of;
    copy->first = count > 0 ? entries : NULL;
    return copy;
}

hl_node *nodes_entry(const hl_node *copy, uint32_t index) {
    return (hl_node *)(uintptr_t)copy + 1 + index;
}

hl_status nodes_set_text(nodes *self, hl_node *copy, const char *key, const char *text, hl_error *error) {
    char *kept = take(self, strlen(text) + 1, 1);
    if (!kept) return hl_no_memory(error, "results.json");
    strcpy(kept, text);
    uint32_t index = 0;
    while (index < copy->count && strcmp(nodes_entry(copy, index)->key, key) != 0) ++index;
    hl_node *entry = nodes_entry(copy, index);
    const hl_node *next = index < copy->count ? entry->next : NULL;
    *entry = (hl_node){.type = HL_TEXT, .key = key, .text = kept, .next = next};
    if (index < copy->count) return HL_OK;
    if (index > 0) nodes_entry(copy, index - 1)->next = entry;
    copy->first = nodes_entry(copy, 0);
    copy->count++;
    return HL_OK;
}
