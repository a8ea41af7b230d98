/* Chance that is the same everywhere: numbers from a seed, permutations and resampling by them, and the ends
 * of intervals. */
#ifndef CHANCE_H
#define CHANCE_H

#include <stddef.h>
#include <stdint.h>

typedef struct chance {
    uint64_t state;
} chance;

/* Begins a sequence; other seeds, other sequences. */
chance chance_begin(uint64_t seed);
uint64_t chance_next(chance *self);
/* From 0 to `count` - 1, each as likely; `count` above 0. */
size_t chance_below(chance *self, size_t count);

/* The numbers 0 to count - 1 in any order, all as likely ... */
void chance_permutation(chance *self, size_t *order, size_t count);
/* ... or in one that leaves none where it was, of more than one. */
void chance_exchange(chance *self, size_t *order, size_t count);

/* The value below which the share `part`, from 0 to 1, of the values lies, between two of them in proportion.
 * Sorts them; `count` above 0. */
double chance_quantile(double *values, size_t count, double part);

/* A value, and where 95 % of the draws lie by which it is judged; low > high: there are too few. */
typedef struct chance_interval {
    double value, low, high;
} chance_interval;

/* `value` NAN: there is none, and no interval. Draws that are NAN count for nothing; the others are sorted.
 */
chance_interval chance_between(double value, double *draws, size_t count);

#endif
