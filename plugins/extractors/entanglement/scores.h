/* Entanglement of layers and of the model, with its interval over labellings and what chance would make of
 * it; and kappa, with its interval over heads. */
#ifndef SCORES_H
#define SCORES_H

#include "labellings.h"

typedef struct score_settings {
    size_t permutations, resamples;
    uint64_t seed;
} score_settings;

typedef chance_interval interval;

typedef struct entangled {
    interval given;    /* mean over labellings; the interval over them, where there are several */
    interval shuffled; /* mean over permutations of the labels, and where 95 % of these lie */
    double as_low;     /* the share of permutations, the labels as they are among them, that are as low */
} entangled;

/* out[form][layer], behind the last one the model. */
hl_status scores_entangle(const hl_host *host, const labellings *of, const score_settings *settings,
                          entangled *out[FORMS], hl_error *error);

/* Of each pair of labellings; of their mean; and of all at once (Fleiss), where there are three or more. A
 * value that there is not is NAN. */
typedef struct agreements {
    interval *pairs; /* one, other: (0, 1), (0, 2) ... (1, 2) ... */
    agreement *seen; /* of each pair */
    size_t count;
    interval mean, all;
} agreements;
hl_status scores_agree(const hl_host *host, const labellings *of, const score_settings *settings,
                       agreements *out, hl_error *error);
void agreements_close(const hl_host *host, agreements *self); /* accepts a zeroed one */

#endif
