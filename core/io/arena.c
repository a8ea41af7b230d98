/* See arena.h: a list of blocks, each as large again as those before it up to a bound. */
#include "core/io/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST = 4 << 10, LARGEST = 1 << 20, ALIGNMENT = alignof(max_align_t) };

struct arena_block {
    arena_block *next;
    size_t room;
    alignas(ALIGNMENT) char bytes[];
};

/* A piece that is larger than a block gets one of its own. */
static arena_block *add_block(arena *self, size_t bytes) {
    size_t room = self->blocks ? 2 * self->blocks->room : FIRST, size;
    if (room > LARGEST) room = LARGEST;
    if (room < bytes) room = bytes;
    if (__builtin_add_overflow(room, sizeof(arena_block), &size)) return NULL;
    arena_block *block = calloc(1, size);
    if (!block) return NULL;
    block->next = self->blocks;
    block->room = room;
    self->blocks = block;
    self->used = 0;
    return block;
}

void *arena_take(arena *self, size_t bytes) {
    size_t rounded;
    if (__builtin_add_overflow(bytes, (size_t)ALIGNMENT - 1, &rounded)) return NULL;
    rounded -= rounded % ALIGNMENT;
    arena_block *block = self->blocks;
    if (!block || block->room - self->used < rounded) block = add_block(self, rounded);
    if (!block) return NULL;
    void *piece = block->bytes + self->used;
    self->used += rounded;
    return piece;
}

void *arena_array(arena *self, size_t count, size_t element) {
    size_t bytes;
    return __builtin_mul_overflow(count, element, &bytes) ? NULL : arena_take(self, bytes);
}

char *arena_copy_text(arena *self, const char *text, size_t count) {
    char *copy = count < SIZE_MAX ? arena_take(self, count + 1) : NULL;
    if (copy) memcpy(copy, text, count);
    return copy;
}

void arena_free(arena *self) {
    while (self->blocks) {
        arena_block *block = self->blocks;
        self->blocks = block->next;
        free(block);
    }
    self->used = 0;
}
