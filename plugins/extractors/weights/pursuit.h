/* Orthogonal matching pursuit (Pati, Rezaiifar and Krishnaprasad 1993) that prefers texts alike: a direction
 * as a sum of a few texts of a pool, each with a weight above 0.
 *
 * One step: what is left of the direction is multiplied with every text. Of the texts whose product is at
 * least (1 - coherence) times the largest one, that one is picked whose mean cosine with the texts picked
 * before is greatest; first of all, when there are none, the one with the largest product. Then all weights
 * are fitted anew, by least squares. A text that would make a weight 0 or less is passed over for the next
 * one, and where there is none the pursuit is over. (The definition is this project's; the idea, that texts
 * which explain a direction together should speak of one thing: SITH, 2026.) */
#ifndef PURSUIT_H
#define PURSUIT_H

#include "headlight/host.h"

/* The texts to choose from: unit norm, count x dim. */
typedef struct text_table {
    const float *vectors;
    size_t count, dim;
} text_table;

typedef struct pursuit {
    const double *direction; /* unit norm, dim numbers, the caller's */
    double sign;             /* 1, or -1 to explain the opposite direction */
    size_t most, count;      /* room for texts; how many are picked */
    size_t *texts;           /* in the order in which they were picked; the caller's, as the next three */
    double *weights;
    double *gram;     /* of the picked texts, most x most */
    double *products; /* of the direction with them */
    double explained; /* the share of the direction's squared length that the sum makes up */
    bool over;        /* nothing is left to pick */
} pursuit;

/* One step. `scores`: what is left of the direction times each text. HL_FAILED: no memory. */
hl_status pursuit_step(pursuit *self, const hl_host *host, const text_table *from, const double *scores,
                       double coherence, hl_error *error);

/* What is left of the direction: dim numbers. */
void pursuit_rest(const pursuit *self, const text_table *from, double *out);

#endif
