/* Token ids of a text, as many as there is room for. */
#ifndef TOKEN_IDS_H
#define TOKEN_IDS_H

#include <stddef.h>
#include <stdint.h>

typedef struct token_ids {
    int32_t *ids; /* NULL: they are only counted */
    size_t count, room;
} token_ids;

static inline void token_ids_add(token_ids *to, int32_t id) {
    if (to->count == to->room) return;
    if (to->ids) to->ids[to->count] = id;
    ++to->count;
}

#endif
