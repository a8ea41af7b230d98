/* Products and eigenvectors in double precision, for extractors and bases. */
#ifndef DOUBLE_H
#define DOUBLE_H

#include "headlight/host.h"
#include "processor.h"

/* Products of panels, x (depth, rows) and w (depth, columns), whose steps along the depth are `x_step` and
 * `w_step` numbers apart. [any thread] */
typedef struct double_kernel {
    const char *name;
    bool (*runs_on)(const processor *machine);
    size_t rows, columns;
    /* panels (depth, width), one after the other, of `count` lines in all, number i of line l at
     * from[l * line + i * step], where either is 1; zeros beyond them. `width` is `rows` or `columns`. */
    void (*pack)(const double *from, size_t line, size_t step, size_t count, size_t depth, size_t width,
                 double *panels);
    /* out (rows, columns) = x w, or out += x w; `stride` numbers from row to row. Only the first `count` rows
     * matter, of x and of `out`; no row beyond those of the panel is touched. */
    void (*multiply)(const double *x, size_t x_step, const double *w, size_t w_step, size_t depth,
                     size_t count, bool add, double *out, size_t stride);
} double_kernel;

#endif
