/* See extremes.h. */
#include "extremes.h"

/* `count`: how many are there already. `sign`: 1 for the highest first, -1 for the lowest. */
static void insert(ranked *list, size_t most, size_t count, ranked one, double sign) {
    size_t at = count < most ? count : most - 1;
    if (count == most && !(sign * one.score > sign * list[at].score)) return;
    for (; at > 0 && sign * one.score > sign * list[at - 1].score; --at) list[at] = list[at - 1];
    list[at] = one;
}

void extremes_offer(extremes *self, size_t index, double score) {
    const ranked one = {index, score};
    if (self->most == 0) return;
    insert(self->highest, self->most, self->count, one, 1);
    insert(self->lowest, self->most, self->count, one, -1);
    if (self->count < self->most) ++self->count;
}

void extremes_turn(extremes *self) {
    ranked *highest = self->lowest;
    self->lowest = self->highest;
    self->highest = highest;
    for (size_t i = 0; i < self->count; ++i) {
        self->highest[i].score = -self->highest[i].score;
        self->lowest[i].score = -self->lowest[i].score;
    }
}
