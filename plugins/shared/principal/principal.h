/* Principal directions: those of the joint space along which what a head writes spreads most.
 *
 * With the spread of codes S (n x n: their covariance over images, or what their weights allow) and the rows
 * of a basis B (n x dim) these are the eigenvectors of B' S B, which is dim x dim and of rank n at most. They
 * are found in n dimensions: with S = F F' the matrices B' F F' B and F' B B' F have the same eigenvalues. */
#ifndef PRINCIPAL_H
#define PRINCIPAL_H

#include "headlight/extractor.h"

typedef struct principal {
    const hl_host *host;
    size_t rank;           /* directions along which there is more than rounding */
    size_t count, dim;     /* of these, how many are here */
    double total;          /* the sum of all values: the trace of B' S B; 0 where the rank is */
    double effective_rank; /* exp of the entropy of the values' shares: of equal ones their number */
    double *values;        /* descending, count */
    double *directions;    /* orthonormal, count x dim; signs carry no meaning, but are the same every time */
} principal;

/* `spread`: symmetric, positive semidefinite but for rounding, without gaps; used up. `basis`: n x dim.
 * `least`: values up to this one are rounding. At most `most` directions. Free with principal_free, also
 * after a failure. */
hl_status principal_make(const hl_ask *ask, double *spread, const float *basis, size_t n, double least,
                         size_t most, principal *out, hl_error *error);
void principal_free(principal *self); /* accepts a zeroed one */

/* Its facts of the head: rank, effective_rank, variance. Returns them, for more. */
hl_item *principal_tell(const principal *self, const char *head, hl_finding *to);

#endif
