/* Memory that is taken piece by piece and given back all at once. */
#ifndef ARENA_H
#define ARENA_H

#include <stddef.h>

typedef struct arena_block arena_block;

/* Empty when zeroed. */
typedef struct arena {
    arena_block *blocks; /* newest first */
    size_t used;         /* of the newest */
} arena;

/* Zeroed and aligned for anything; NULL: no memory. */
void *arena_take(arena *self, size_t bytes);
/* The same for `count` elements. */
void *arena_array(arena *self, size_t count, size_t element);

/* `count` bytes and a NUL after them. */
char *arena_copy_text(arena *self, const char *text, size_t count);

void arena_free(arena *self);

#endif
