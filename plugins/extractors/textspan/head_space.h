/* The space that a head writes into, in double precision, from its basis and the moments of its codes: what
 * it costs does not depend on the gallery. */
#ifndef HEAD_SPACE_H
#define HEAD_SPACE_H

#include "headlight/ask.h"

/* c = y B = (y F) Q, the rows of Q orthonormal: where a contribution can be at all. */
typedef struct head_frame {
    const hl_host *host;
    size_t codes, dim, rank;
    double *rows;    /* Q, rank x dim */
    double *factors; /* F, codes x rank */
} head_frame;

/* *out is the caller's until `head_frame_free`, also where this fails. */
hl_status head_frame_make(const hl_ask *ask, uint32_t component, head_frame *out, hl_error *error);
void head_frame_free(head_frame *self);

/* The images whose index is `fold` modulo `folds`. */
typedef struct image_part {
    size_t fold, folds;
} image_part;

/* What the head writes over some images. */
typedef struct head_spread {
    const hl_host *host;
    size_t images, rank;
    double *axes;      /* rank x frame's rank, orthonormal: they span the row space of the contributions, or
                          its most written part, and along them contributions vary independently of each other */
    double *variances; /* along each axis, the least first */
    double variance;   /* of the contributions in all directions */
    double effective_rank; /* exp of the entropy of how the variance is shared out over its principal axes; 0
                              where nothing varies */
    double least;          /* a variance of less than this is rounding */
} head_spread;

/* Of at most `rank` axes: the largest singular directions of the contributions as they are, uncentred.
 * *out is the caller's until `head_spread_free`, also where this fails. */
hl_status head_spread_make(const hl_ask *ask, uint32_t component, const head_frame *frame, image_part part,
                           size_t rank, head_spread *out, hl_error *error);
void head_spread_free(head_spread *self);

#endif
