/* TextSpan itself (Gandelsman, Efros and Steinhardt 2024, algorithm 1): picks, one after another, the text
 * along which contributions vary most, and takes its direction out of contributions and texts. */
#ifndef PICKING_H
#define PICKING_H

#include "headlight/host.h"

/* Texts in the head's space, whose axes are those along which contributions vary independently of each
 * other. */
typedef struct text_space {
    size_t rank, texts;
    const double *coordinates; /* rank x texts, and not of unit length: what is in the space of a text */
    const double *variances;   /* of the contributions along each axis */
    double least;              /* a variance of less than this is rounding */
} text_space;

typedef struct text_pick {
    size_t text;
    double variance;   /* of the contributions along `direction` */
    double *direction; /* rank numbers: what was left of the text when it was picked, at unit length;
                          orthogonal to those before it */
} text_pick;

typedef struct text_picks {
    const hl_host *host;
    text_pick *all; /* the first pick first */
    size_t count;
    double *directions;
} text_picks;

/* Which texts may be picked; NULL: all. */
typedef bool text_filter(const void *user, size_t text);

/* Up to `most`; fewer where texts, directions or variance are at an end. *out is the caller's until
 * `text_picks_free`, also where this fails. */
hl_status text_picks_make(const hl_host *host, const text_space *space, size_t most, text_filter *filter,
                          const void *user, text_picks *out, hl_error *error);
void text_picks_free(text_picks *self);

/* How many of the picks of one are also among the other's. */
size_t text_picks_common(const text_picks *one, const text_picks *other);

#endif
