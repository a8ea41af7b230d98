/* The highest and the lowest of many scores that come one by one. */
#ifndef EXTREMES_H
#define EXTREMES_H

#include <stddef.h>

typedef struct ranked {
    size_t index; /* of what was scored */
    double score;
} ranked;

/* Of equal scores the one that came first is nearer to the end. */
typedef struct extremes {
    ranked *highest, *lowest; /* `most` each, the caller's: the highest first; the lowest first */
    size_t most, count;       /* room; how many are there */
} extremes;

void extremes_offer(extremes *self, size_t index, double score);

/* As if every score had been offered with the other sign. */
void extremes_turn(extremes *self);

#endif
