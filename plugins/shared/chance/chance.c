/* See chance.h. The sequence is splitmix64 (Steele, Lea and Flood 2014). */
#include "chance/chance.h"

#include <math.h>
#include <stdlib.h>

chance chance_begin(uint64_t seed) {
    return (chance){seed};
}

uint64_t chance_next(chance *self) {
    uint64_t mixed = self->state += 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

/* What would make some more likely than others is drawn again. */
size_t chance_below(chance *self, size_t count) {
    uint64_t most = UINT64_MAX - UINT64_MAX % count, drawn;
    do {
        drawn = chance_next(self);
    } while (drawn >= most);
    return (size_t)(drawn % count);
}

/* Each of the last ones changes places with one before it: `own` 1, with itself too. */
static void change_places(chance *self, size_t *order, size_t count, size_t own) {
    for (size_t i = 0; i < count; ++i) order[i] = i;
    for (size_t i = count; i-- > 1;) {
        size_t other = chance_below(self, i + own), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

void chance_permutation(chance *self, size_t *order, size_t count) {
    change_places(self, order, count, 1);
}

/* One cycle through all of them (Sattolo 1986). */
void chance_exchange(chance *self, size_t *order, size_t count) {
    change_places(self, order, count, 0);
}

static int compare(const void *a, const void *b) {
    double one = *(const double *)a, other = *(const double *)b;
    return (one > other) - (one < other);
}

double chance_quantile(double *values, size_t count, double part) {
    qsort(values, count, sizeof *values, compare);
    double place = part * (double)(count - 1);
    size_t below = (size_t)place;
    if (below + 1 >= count) return values[count - 1];
    return values[below] + (place - (double)below) * (values[below + 1] - values[below]);
}

chance_interval chance_between(double value, double *draws, size_t count) {
    chance_interval found = {.value = value, .low = 1, .high = 0};
    size_t known = 0;
    for (size_t i = 0; i < count; ++i) {
        if (!isnan(draws[i])) draws[known++] = draws[i];
    }
    if (isnan(value) || known < 2) return found;
    found.low = chance_quantile(draws, known, 0.025);
    found.high = chance_quantile(draws, known, 0.975);
    return found;
}
