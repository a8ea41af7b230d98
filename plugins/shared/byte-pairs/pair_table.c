/* See pair_table.h. */
#include "pair_table.h"

#include <stdlib.h>

static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 31)) * 0x9e3779b97f4a7c15U;
    return x ^ (x >> 29);
}

/* No symbol is UINT32_MAX, so that no key is 0. */
static uint64_t key_of(uint32_t left, uint32_t right) {
    return ((uint64_t)left << 32 | right) + 1;
}

static pair *slot_of(const pair_table *table, uint64_t key) {
    size_t mask = table->slot_count - 1, slot = mix(key) & mask;
    while (table->pairs[slot].key && table->pairs[slot].key != key) slot = (slot + 1) & mask;
    return &table->pairs[slot];
}

bool pair_table_reserve(pair_table *table, size_t count) {
    pair_table grown = {.slot_count = table->slot_count ? table->slot_count : 1024, .count = table->count};
    while (grown.slot_count < 2 * count) grown.slot_count *= 2;
    if (grown.slot_count == table->slot_count) return true;
    grown.pairs = calloc(grown.slot_count, sizeof *grown.pairs);
    if (!grown.pairs) return false;
    for (size_t i = 0; i < table->slot_count; ++i) {
        if (table->pairs[i].key) *slot_of(&grown, table->pairs[i].key) = table->pairs[i];
    }
    free(table->pairs);
    *table = grown;
    return true;
}

bool pair_table_put(pair_table *table, uint32_t left, uint32_t right, merge what) {
    if (!pair_table_reserve(table, table->count + 1)) return false;
    pair *slot = slot_of(table, key_of(left, right));
    table->count += !slot->key;
    *slot = (pair){key_of(left, right), what};
    return true;
}

const merge *pair_table_find(const pair_table *table, uint32_t left, uint32_t right) {
    if (table->slot_count == 0) return NULL;
    const pair *found = slot_of(table, key_of(left, right));
    return found->key ? &found->merge : NULL;
}

void pair_table_free(pair_table *table) {
    free(table->pairs);
    *table = (pair_table){0};
}

/* ---- a word on its way through the merges ---- */

static const uint32_t NONE = UINT32_MAX;

/* A list of symbols in which a merge swallows the right neighbour, and a heap of the pairs that can be
 * merged. */
typedef struct piece {
    uint32_t symbol;
    uint32_t previous, next; /* indices; NONE at the ends */
} piece;

typedef struct candidate {
    uint32_t rank, position; /* the left piece */
    uint32_t left, right;    /* symbols: stale if the pieces hold others by now */
    uint32_t result;
} candidate;

typedef struct word {
    const pair_table *table;
    merge_order order;
    piece *pieces;
    candidate *heap, *fresh; /* fresh: found during a round, wait for its end */
    size_t heap_count, fresh_count;
} word;

static bool before(const candidate *a, const candidate *b) {
    return a->rank != b->rank ? a->rank < b->rank : a->position < b->position;
}

static void push(word *w, candidate added) {
    size_t i = w->heap_count++;
    for (; i > 0 && before(&added, &w->heap[(i - 1) / 2]); i = (i - 1) / 2) w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = added;
}

static candidate pop(word *w) {
    candidate top = w->heap[0], last = w->heap[--w->heap_count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < w->heap_count; i = child) {
        if (child + 1 < w->heap_count && before(&w->heap[child + 1], &w->heap[child])) ++child;
        if (!before(&w->heap[child], &last)) break;
        w->heap[i] = w->heap[child];
    }
    w->heap[i] = last;
    return top;
}

static void consider(word *w, uint32_t left) {
    uint32_t right = left == NONE ? NONE : w->pieces[left].next;
    if (right == NONE) return;
    uint32_t a = w->pieces[left].symbol, b = w->pieces[right].symbol;
    const merge *found = pair_table_find(w->table, a, b);
    if (!found) return;
    candidate added = {found->rank, left, a, b, found->result};
    if (w->order == MERGE_IN_ROUNDS) {
        w->fresh[w->fresh_count++] = added;
    } else {
        push(w, added);
    }
}

/* Whether the two pieces still are what was to be merged. Hugging Face's code asks only whether they still
 * give the same symbol. */
static bool is_stale(const word *w, const candidate *chosen) {
    const piece *left = &w->pieces[chosen->position];
    if (left->symbol == NONE || left->next == NONE) return true;
    uint32_t a = left->symbol, b = w->pieces[left->next].symbol;
    if (w->order == MERGE_IN_ROUNDS) return a != chosen->left || b != chosen->right;
    const merge *now = pair_table_find(w->table, a, b);
    return !now || now->result != chosen->result;
}

/* The left piece takes the right one in, unless one of them has changed since. */
static void apply(word *w, const candidate *chosen) {
    if (is_stale(w, chosen)) return;
    piece *left = &w->pieces[chosen->position], *right = &w->pieces[left->next];
    left->symbol = chosen->result;
    left->next = right->next;
    right->symbol = NONE;
    if (left->next != NONE) w->pieces[left->next].previous = chosen->position;
    consider(w, left->previous);
    consider(w, chosen->position);
}

static void merge_all(word *w) {
    while (true) {
        for (; w->fresh_count > 0; --w->fresh_count) push(w, w->fresh[w->fresh_count - 1]);
        if (w->heap_count == 0) return;
        for (uint32_t rank = w->heap[0].rank; w->heap_count > 0 && w->heap[0].rank == rank;) {
            candidate chosen = pop(w);
            apply(w, &chosen);
        }
    }
}

static void fill(word *w, const uint32_t *symbols, uint32_t count) {
    for (uint32_t i = 0; i < count; ++i) {
        w->pieces[i] = (piece){symbols[i], i ? i - 1 : NONE, i + 1 == count ? NONE : i + 1};
    }
    for (uint32_t i = 0; i < count; ++i) consider(w, i);
}

/* A merge brings at most two candidates and there are fewer merges than symbols, so 3 * count is enough. */
hl_status pair_table_merge(const pair_table *table, merge_order order, uint32_t *symbols, size_t *count,
                           hl_error *error) {
    size_t length = *count;
    if (length < 2) return HL_OK;
    word w = {.table = table,
              .order = order,
              .pieces = malloc(length * sizeof *w.pieces),
              .heap = malloc(3 * length * sizeof *w.heap),
              .fresh = malloc((order == MERGE_IN_ROUNDS ? 3 * length : 1) * sizeof *w.fresh)};
    bool enough = w.pieces && w.heap && w.fresh;
    if (enough) {
        fill(&w, symbols, (uint32_t)length);
        merge_all(&w);
        *count = 0;
        for (uint32_t i = 0; i != NONE; i = w.pieces[i].next) symbols[(*count)++] = w.pieces[i].symbol;
    }
    free(w.pieces);
    free(w.heap);
    free(w.fresh);
    return enough ? HL_OK : hl_no_memory(error, "a word");
}
