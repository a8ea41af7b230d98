/* A tree from inside: for the files of this folder. */
#ifndef BUILDING_H
#define BUILDING_H

#include "core/io/arena.h"
#include "core/tree/tree.h"

enum { MOST_LEVELS = 1024 }; /* so that whoever walks a tree may do so by calling itself */

/* A map or a list. */
struct hl_item {
    hl_node node; /* first: the one is cast to the other */
    tree *owner;
    hl_node *last;     /* of its entries */
    const char *place; /* for messages; may be NULL */
    size_t level;      /* 0: what holds the root */
    hl_node *
        *index; /* of a larger map: where an entry is, by its key; `index_room` places, NULL where free */
    size_t index_room; /* a power of two; 0: the entries are looked through */
};

/* Something that the maker has not completed yet. */
typedef struct unfinished {
    struct unfinished *next;
    hl_item *in;
    const hl_node *node;
} unfinished;

struct tree {
    arena memory;
    hl_item holder;         /* a list whose only entry is the root */
    unfinished *unfinished; /* grids and tables */
    tree_facts *facts;      /* of the gallery's images; NULL: there is none */
    void *facts_user;
    hl_status status; /* of the first thing that went wrong */
    hl_error error;
};

/* Without a root. */
hl_status tree_open_empty(tree **out, hl_error *error);

/* An entry of this type, of `size` bytes that begin with a node; NULL: no memory, which is remembered. `key`
 * is in the arena, UTF-8 and new in the map. */
void *item_add(hl_item *item, const char *key, uint32_t type, size_t size);

/* The type and value of a number of JSON: whole where it is written so and fits, else the nearest double.
 * Keeps `digits`. */
hl_node item_read_number(const char *digits);

hl_node *item_find(const hl_item *map, const char *key); /* NULL: there is none */

void *tree_no_memory(tree *self); /* remembers it; returns NULL */

#endif
