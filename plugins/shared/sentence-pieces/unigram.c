/* See unigram.h. */
#include "unigram.h"

#include <math.h>
#include <unistr.h>

struct unigram {
    string_table pieces;
    double *scores;
    prefixes prefixes;
    uint32_t unknown;
    double unknown_score;
};

static bool order_pieces(unigram *self) {
    uint32_t count = 0, *numbers = malloc((self->pieces.count + (size_t)1) * sizeof *numbers);
    if (!numbers) return false;
    for (uint32_t i = 0; i < self->pieces.count; ++i) {
        if (self->pieces.spans[i].length > 0) numbers[count++] = i;
    }
    bool made = prefixes_make(&self->pieces, numbers, count, &self->prefixes);
    free(numbers);
    return made;
}

hl_status unigram_make(string_table *pieces, double *scores, uint32_t unknown, unigram **out,
                       hl_error *error) {
    enum { PENALTY = 10 }; /* an unknown character is that much worse than the worst piece */
    unigram *self = calloc(1, sizeof *self);
    if (!self) {
        string_table_free(pieces);
        free(scores);
        return hl_no_memory(error, "a vocabulary");
    }
    self->pieces = *pieces;
    self->scores = scores;
    self->unknown = unknown;
    *pieces = (string_table){0};
    for (uint32_t i = 0; i < self->pieces.count; ++i)
        self->unknown_score = fmin(self->unknown_score, scores[i]);
    self->unknown_score -= PENALTY;
    if (order_pieces(self)) {
        *out = self;
        return HL_OK;
    }
    unigram_free(self);
    return hl_no_memory(error, "a vocabulary");
}

void unigram_free(unigram *self) {
    if (!self) return;
    string_table_free(&self->pieces);
    prefixes_free(&self->prefixes);
    free(self->scores);
    free(self);
}

/* The best way to the end of a piece. */
typedef struct node {
    double score;
    uint32_t piece, from; /* where the piece begins */
    bool reached;
} node;

static void offer(node *to, double score, uint32_t piece, size_t from) {
    if (!to->reached || score > to->score) *to = (node){score, piece, (uint32_t)from, true};
}

static void look_on(const unigram *self, const char *word, size_t length, size_t at, node *nodes) {
    size_t character = (size_t)u8_mblen((const uint8_t *)word + at, length - at);
    bool has_single = false;
    prefix_walk walk = prefixes_start(&self->prefixes);
    for (size_t i = at; i < length && prefixes_step(&walk, word[i]); ++i) {
        uint32_t piece = prefixes_here(&walk);
        if (piece == STRING_UNKNOWN) continue;
        offer(&nodes[i + 1], nodes[at].score + self->scores[piece], piece, at);
        has_single |= i + 1 - at == character;
    }
    if (!has_single) offer(&nodes[at + character], nodes[at].score + self->unknown_score, self->unknown, at);
}

static void list(const unigram *self, node *nodes, size_t length, token_ids *out) {
    uint32_t next =
        (uint32_t)length; /* the way back becomes the way forth: `from` is where the next piece ends */
    for (uint32_t at = (uint32_t)length; at > 0;) {
        uint32_t from = nodes[at].from;
        nodes[at].from = next;
        next = at;
        at = from;
    }
    bool was_unknown = false;
    for (uint32_t at = next; length > 0; at = nodes[at].from) {
        bool unknown = nodes[at].piece == self->unknown;
        if (!unknown || !was_unknown) token_ids_add(out, (int32_t)nodes[at].piece);
        was_unknown = unknown;
        if (at == length) return;
    }
}

hl_status unigram_encode(const void *vocabulary, const char *word, size_t length, token_ids *out,
                         hl_error *error) {
    const unigram *self = vocabulary;
    if (length == 0) return HL_OK;
    node *nodes = calloc(length + 1, sizeof *nodes);
    if (!nodes) return hl_no_memory(error, "a word");
    nodes[0].reached = true;
    for (size_t at = 0; at < length; at += (size_t)u8_mblen((const uint8_t *)word + at, length - at)) {
        if (nodes[at].reached) look_on(self, word, length, at, nodes);
    }
    list(self, nodes, length, out);
    free(nodes);
    return HL_OK;
}
