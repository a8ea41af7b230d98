/* A tree that differs from another one in a few entries: nodes are copied where they change and on the way
 * there, the rest is shared. */
#ifndef NODES_H
#define NODES_H

#include <headlight/result.h>

typedef struct nodes {
    struct nodes_block *blocks;
} nodes;

void nodes_free(nodes *self);

/* A copy of a map or list whose entries are copies too, which may be changed, with room for `more`. NULL: no
 * memory. */
hl_node *nodes_copy(nodes *self, const hl_node *of, uint32_t more);

/* Entry `index` of such a copy. */
hl_node *nodes_entry(const hl_node *copy, uint32_t index);

/* A text under `key` in such a copy of a map, in the place of what it has there, else at its end. Both live
 * as long as `self`, the text as a copy. */
hl_status nodes_set_text(nodes *self, hl_node *copy, const char *key, const char *text, hl_error *error);

#endif
