/* Splits a cleaned text into words as CLIP's pattern does and encodes each with the merges. Knows nothing of
 * HTML, case or the merges' file. */
#include "words.h"

#include "text/clean.h"
#include <unictype.h>
#include <unistr.h>

/* SPACE: white space and whatever else the pattern passes over. */
typedef enum kind { SPACE, LETTER, NUMBER, OTHER } kind;

/* U+0345 is a mark whose other case is a letter, so that the pattern, which disregards case, counts it
 * neither among the letters nor among the rest. */
static kind kind_of(ucs4_t c) {
    if (c == 0x345) return SPACE;
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L)) return LETTER;
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_N)) return NUMBER;
    return is_white_space(c) ? SPACE : OTHER;
}

/* Bytes of `text` that match `pattern`, 0 if it does not begin so. Lower-cased letters are compared without
 * regard to case, which leaves one other spelling: the long s. */
static size_t literal(const char *text, size_t length, const char *pattern) {
    static const char long_s[] = "\u017f";
    size_t i = 0;
    for (; *pattern; ++pattern) {
        bool is_long_s = *pattern == 's' && length - i >= 2 && memcmp(text + i, long_s, 2) == 0;
        if (!is_long_s && (i == length || text[i] != *pattern)) return 0;
        i += is_long_s ? 2 : 1;
    }
    return i;
}

static const char start_word[] = "<start_of_text>", end_word[] = "<end_of_text>";

/* Bytes of the first word of a text that begins with no white space. */
static size_t word_length(const char *text, size_t length) {
    static const char *const literals[] = {start_word, end_word, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = 0; i < sizeof literals / sizeof *literals; ++i) {
        size_t matched = literal(text, length, literals[i]);
        if (matched) return matched;
    }
    ucs4_t c;
    size_t used = (size_t)u8_mbtouc(&c, (const uint8_t *)text, length);
    kind first = kind_of(c);
    while (first != NUMBER && used < length) {
        int size = u8_mbtouc(&c, (const uint8_t *)text + used, length - used);
        if (kind_of(c) != first) break;
        used += (size_t)size;
    }
    return used;
}

/* A word on its way through the merges: a list of symbols in which a merge swallows the right neighbour, and
 * a heap of the pairs that can be merged. */
typedef struct piece {
    uint32_t symbol;
    uint32_t previous, next; /* indices; NONE at the ends */
} piece;

typedef struct candidate {
    uint32_t rank, position; /* the left piece */
    uint32_t left, right;    /* symbols: stale if the pieces hold others by now */
} candidate;

typedef struct word {
    const merges *merges;
    piece *pieces;
    candidate *heap, *fresh; /* fresh: found during a round, wait for its end */
    size_t heap_count, fresh_count;
} word;

static const uint32_t NONE = UINT32_MAX;

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
    const merge *found = merges_find(w->merges, a, b);
    if (found) w->fresh[w->fresh_count++] = (candidate){found->rank, left, a, b};
}

/* The left piece takes the right one in, unless one of them has changed since. */
static void apply(word *w, const candidate *chosen) {
    piece *left = &w->pieces[chosen->position];
    if (left->symbol != chosen->left || left->next == NONE) return;
    piece *right = &w->pieces[left->next];
    if (right->symbol != chosen->right) return;
    left->symbol = merges_find(w->merges, chosen->left, chosen->right)->result;
    left->next = right->next;
    right->symbol = NONE;
    if (left->next != NONE) w->pieces[left->next].previous = chosen->position;
    consider(w, left->previous);
    consider(w, chosen->position);
}

/* In each round the pair of lowest rank is merged wherever it stands, from left to right; only then do pairs
 * count that came up meanwhile. */
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

static void fill(word *w, const char *text, uint32_t length) {
    for (uint32_t i = 0; i < length; ++i) {
        bool last = i + 1 == length;
        w->pieces[i] =
            (piece){merges_byte(w->merges, (uint8_t)text[i], last), i ? i - 1 : NONE, last ? NONE : i + 1};
    }
    for (uint32_t i = 0; i < length; ++i) consider(w, i);
}

/* A merge brings at most two candidates and there are fewer merges than bytes, so 3 * length is enough. */
static hl_status encode_word(const merges *table, const char *text, size_t length, token_ids *out,
                             hl_error *error) {
    word w = {.merges = table,
              .pieces = malloc(length * sizeof *w.pieces),
              .heap = malloc(3 * length * sizeof *w.heap),
              .fresh = malloc(3 * length * sizeof *w.fresh)};
    bool enough = w.pieces && w.heap && w.fresh;
    if (enough) {
        fill(&w, text, (uint32_t)length);
        merge_all(&w);
        for (uint32_t i = 0; i != NONE; i = w.pieces[i].next)
            token_ids_add(out, merges_id(table, w.pieces[i].symbol));
    }
    free(w.pieces);
    free(w.heap);
    free(w.fresh);
    return enough ? HL_OK : hl_no_memory(error, "a word");
}

static bool equals(const char *text, size_t length, const char *other) {
    return length == strlen(other) && memcmp(text, other, length) == 0;
}

hl_status words_encode(const merges *table, const char *text, size_t length, token_ids *out,
                       hl_error *error) {
    while (length > 0 && out->count < out->room) {
        ucs4_t c;
        size_t used = (size_t)u8_mbtouc(&c, (const uint8_t *)text, length);
        if (kind_of(c) != SPACE) {
            used = word_length(text, length);
            hl_status status = HL_OK;
            if (equals(text, used, start_word)) {
                token_ids_add(out, merges_start(table));
            } else if (equals(text, used, end_word)) {
                token_ids_add(out, merges_end(table));
            } else {
                status = encode_word(table, text, used, out, error);
            }
            if (status) return status;
        }
        text += used;
        length -= used;
    }
    return HL_OK;
}
