/* Rotary positions on a grid (Su et al. 2021, section 3.4; in two dimensions as EVA-02 has them, Fang et al.
 * 2023, section 3): the first half of a head's numbers turns with the row of its token, the second with the
 * column,
 *
 *     angle of pair i = t 10000^(-i / (width / 4)),   t = place * side / places,   i = 0 .. width / 4 - 1
 *
 * neighbours make a pair. So a grid of any size has the places of one with `side` cells a side. What comes
 * before the grid does not turn. */
#ifndef ROTARY_H
#define ROTARY_H

#include "headlight/compute.h"

typedef struct rotary {
    hl_tensor *cosines, *sines; /* tokens x pairs; NULL: none */
    size_t tokens, pairs;       /* pairs: of one head */
} rotary;

/* `width`: of a head, a multiple of 4. */
hl_status rotary_make(const hl_compute *compute, size_t before, size_t rows, size_t cols, double side,
                      size_t width, rotary *out, hl_error *error);
void rotary_free(const hl_compute *compute, rotary *self); /* also one that is zeroed, or made in part */

/* x: sequence after sequence, `heads` side by side; in place. */
hl_status apply_rotary(const hl_compute *compute, const rotary *self, hl_matrix x, size_t heads,
                       hl_error *error);

#endif
