/* Strings that are known by number: added once, found by hashing. No two are alike. */
#ifndef STRING_TABLE_H
#define STRING_TABLE_H

#include "buffer.h"
#include <stdint.h>

typedef struct string_span {
    size_t offset; /* in `strings` */
    uint32_t length;
} string_span;

typedef struct string_table {
    buffer strings;
    string_span *spans; /* by number */
    uint32_t count, room;
    uint32_t *slots; /* number + 1; 0: free */
    size_t slot_count;
    bool failed; /* no memory: what was added since is missing */
} string_table;

static const uint32_t STRING_UNKNOWN = UINT32_MAX;

/* The number of `bytes`, new if there was none; *fresh (may be NULL) says whether. STRING_UNKNOWN: no memory.
 */
uint32_t string_table_add(string_table *table, const char *bytes, size_t length, bool *fresh);

/* Room for so many in all, where that is known before. false: no memory, and nothing has changed. */
bool string_table_reserve(string_table *table, size_t count);

/* STRING_UNKNOWN: not there. [any thread] */
uint32_t string_table_find(const string_table *table, const char *bytes, size_t length);

static inline const char *string_table_bytes(const string_table *table, uint32_t number) {
    return table->strings.bytes + table->spans[number].offset;
}

void string_table_free(string_table *table);

#endif
