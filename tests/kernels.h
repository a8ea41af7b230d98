/* The same tests with each of OpenBLAS's kernels that this processor can run. */
#ifndef TESTS_KERNELS_H
#define TESTS_KERNELS_H

#include "headlight/compute.h"

/* Whether each row is the same bits wherever it stands: not so with two of OpenBLAS's kernels, as
 * backends/README.md says. */
bool treats_rows_alike(const hl_compute *compute);

/* In main: runs `tests` here, with whatever kernel is chosen, and then this program again for each kernel
 * that treats rows alike. Returns the number of runs that failed. */
int with_each_kernel(int (*tests)(void));

#endif
