/* The pairs of a label and a description that are judged, and what was answered: {"verdicts": [{"item",
 * "consistent"}]}. */
#ifndef PAIRS_H
#define PAIRS_H

#include "chat/chat.h"

typedef struct pair {
    const char *head, *label, *text; /* of what the chain found */
    uint32_t rank;
    bool is_null; /* the label is another head's */
    int verdict;  /* 0 or 1; -1: not judged yet */
} pair;

typedef struct pairs {
    pair *all;
    size_t count;
} pairs;

typedef struct pairs_settings {
    uint32_t descriptions; /* of a head, by rank */
    bool null_too;
    uint64_t seed; /* which other label */
} pairs_settings;

/* All descriptions of heads that have a label, by the label of the greatest weight, and then, where that is
 * asked for, again by another head's. HL_USAGE where the labels were made from no descriptions. */
hl_status pairs_collect(const hl_ask *ask, const pairs_settings *settings, pairs *out, hl_error *error);
void pairs_free(pairs *self);

/* The pairs of one question, which counts them from 1. */
typedef struct pairs_asked {
    pairs *of;
    size_t first, count;
} pairs_asked;

/* A chat_take; `user` is a pairs_asked. Strict: one verdict for each, and no other. */
hl_status pairs_take(void *user, const cJSON *answer, hl_error *error);

/* Scores "consistent" and "consistent with another". */
hl_status pairs_hand_over(const pairs *self, hl_finding *finding, hl_error *error);

#endif
