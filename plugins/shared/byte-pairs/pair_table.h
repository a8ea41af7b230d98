/* Which pair of symbols becomes which symbol, and how early: the merges of a byte-pair encoding (Sennrich,
 * Haddow and Birch 2016, section 3.2), and how they are applied to a word. Knows symbols as numbers only. */
#ifndef PAIR_TABLE_H
#define PAIR_TABLE_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct merge {
    uint32_t rank; /* the lowest is applied first */
    uint32_t result;
} merge;

typedef struct pair {
    uint64_t key; /* (left << 32 | right) + 1; 0: a free slot */
    merge merge;
} pair;

typedef struct pair_table {
    pair *pairs; /* hash table */
    size_t slot_count, count;
} pair_table;

/* A pair that is there already gets the new rank and result. false: no memory. */
bool pair_table_put(pair_table *table, uint32_t left, uint32_t right, merge what);

/* Room for so many in all, where that is known before. false: no memory, and nothing has changed. */
bool pair_table_reserve(pair_table *table, size_t count);

/* NULL: the pair is never merged. [any thread] */
const merge *pair_table_find(const pair_table *table, uint32_t left, uint32_t right);

void pair_table_free(pair_table *table);

/* How merges follow each other. */
typedef enum merge_order {
    /* In each round the pair of lowest rank is merged wherever it stands, from left to right; only then do
     * pairs count that came up meanwhile. As in CLIP's own code. */
    MERGE_IN_ROUNDS,
    /* Always the pair of lowest rank, the leftmost first, also one that has just come up. As in Hugging
     * Face's tokenizers. The two differ where a merge's result is part of one of lower rank. */
    MERGE_LOWEST_FIRST
} merge_order;

/* symbols[0 .. *count) -> what is left of them when nothing can be merged. */
hl_status pair_table_merge(const pair_table *table, merge_order order, uint32_t *symbols, size_t *count,
                           hl_error *error);

#endif
