/* Strings in order, for finding those of them that a text begins with. */
#ifndef PREFIXES_H
#define PREFIXES_H

#include "string_table.h"

typedef struct prefixes {
    const string_table *table; /* outlives this */
    uint32_t *sorted;          /* numbers of the table's strings, in the order of their bytes */
    uint32_t count;
    uint32_t first[257]; /* where strings begin that begin with a byte */
} prefixes;

/* Of the strings `numbers`, none of them empty; false: no memory. */
bool prefixes_make(const string_table *table, const uint32_t *numbers, uint32_t count, prefixes *out);
void prefixes_free(prefixes *p);

/* What is left of the strings while a text is read byte by byte. */
typedef struct prefix_walk {
    const prefixes *of;
    uint32_t low, high; /* those that begin with the bytes read so far */
    uint32_t depth;
} prefix_walk;

prefix_walk prefixes_start(const prefixes *p);

/* false: no string goes on with `byte`. */
bool prefixes_step(prefix_walk *walk, char byte);

/* The string that ends here, or STRING_UNKNOWN. */
uint32_t prefixes_here(const prefix_walk *walk);

/* The longest string that `text` begins with, and its length; STRING_UNKNOWN: none. */
uint32_t prefixes_longest(const prefixes *p, const char *text, size_t length, size_t *used);

#endif
