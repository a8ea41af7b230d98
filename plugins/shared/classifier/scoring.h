/* Which class a part of the model would choose for every image of the gallery: exact sums of c . t, from
 * codes, with the normalisation of the whole pass as it was. */
#ifndef SCORING_H
#define SCORING_H

#include "classifier/classifier.h"

/* What is added up of a component. With c = y B and m the mean of y over the gallery: */
typedef enum scoring_part {
    SCORING_WHOLE = 0, /* y B */
    SCORING_VARYING,   /* (y - m) B: what differs between images */
    SCORING_OWN        /* of a head its own numbers' part of y B, without its share of biases and of the mean
                          that the norm took off; of all else y B */
} scoring_part;

/* The normalised embedding, or not, plus a weighted sum over components. */
typedef struct scoring_mix {
    const uint32_t *components;
    const double *weights; /* NULL: all `weight` */
    double weight;
    size_t count;
    bool embedding;
} scoring_mix;

/* answers[(mix * task_count + task) * images + image]. Reads the gallery's embeddings, and codes of the
 * components that are in a mix, block by block. With SCORING_VARYING the embedding's own mean is taken off
 * too if `centre` is true. */
hl_status scoring_answer(const classifier *of, const scoring_mix *mixes, size_t count, scoring_part part,
                         bool centre, uint16_t *answers, hl_error *error);

/* As the classifier's tasks choose by scores of all directions. `stride`: between answers of two tasks. */
void scoring_choose(const classifier *of, const double *scores, uint16_t *answers, size_t stride);

#endif
