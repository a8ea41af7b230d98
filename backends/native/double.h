/* Products and eigenvectors in double precision, for extractors and bases. */
#ifndef DOUBLE_H
#define DOUBLE_H

#include "headlight/host.h"
#include "processor.h"

/* out (rows, columns) = x w, or out += x w: the product of two panels, x (depth, rows) and w (depth,
 * columns). `stride` numbers from row to row of `out`; only the first `count` rows matter. [any thread] */
typedef struct double_kernel {
    const char *name;
    bool (*runs_on)(const processor *machine);
    size_t rows, columns;
    void (*multiply)(const double *x, const double *w, size_t depth, size_t count, bool add, double *out,
                     size_t stride);
} double_kernel;

#endif
