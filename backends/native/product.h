/* A product under way, and what happens to its micro tiles at the end. */
#ifndef PRODUCT_H
#define PRODUCT_H

#include "native.h"

#include <stdint.h>

/* Where the rows of a product lie in a matrix: group after group, `step` rows apart, each from row `first`.
 */
typedef struct place {
    matrix at;
    size_t group, step, first;
} place;

static inline float *place_row(const place *p, size_t row) {
    return row_of(p->at, row / p->group * p->step + p->first + row % p->group);
}

/* What becomes of a micro tile: act(sums + bias) + residual, or, with `activation_last`, act(sums + bias +
 * residual). */
typedef struct tile_end {
    void (*activate)(hl_activation activation, float *x, size_t count);
    hl_activation activation;
    bool activation_last;
    size_t width; /* numbers of a row of the tile */
    /* What is stored of it, and where: from output `first` on in each of its rows. */
    size_t rows, columns, first;
    const float *bias;       /* of output `first` */
    float *const *residuals; /* NULL: none */
    float *const *outs;
} tile_end;

/* sums (rows, width): used up */
void finish_tile(const tile_end *end, float *sums);

#endif
