/* What several labellings of the same heads say, and what it amounts to: how entangled the heads are, and how
 * far the labellings agree. */
#ifndef LABELLINGS_H
#define LABELLINGS_H

#include "chance/chance.h"
#include "head-properties/head-properties.h"

typedef struct labellings {
    head_list heads; /* of layers in which some labelling names a head */
    property_table properties;
    const char **names; /* of the steps */
    size_t count;
    size_t *of_head; /* count x heads: a property, or NO_PROPERTY */
    bool *labelled;  /* count x layers: whether it names a head there */
} labellings;

hl_status labellings_open(const hl_ask *ask, const hl_value *heads, const hl_value *layers, labellings *out,
                          hl_error *error);
void labellings_close(labellings *self); /* accepts a zeroed one */

/* Two forms of entanglement of a layer: the share of its heads whose property another head of the layer has
 * too; and the share of its pairs of heads that have one property. */
typedef enum entanglement_form { BY_HEADS = 0, BY_PAIRS, FORMS } entanglement_form;

/* Of one labelling, into out[form][layer, and behind the last the mean over layers that it labels]; what it
 * does not label is NAN. `order`: head i is taken to have the label of head order[i]; NULL: its own. `counts`
 * has room for all properties, and is zero before and after. */
void labellings_entangle(const labellings *self, size_t labelling, const size_t *order, size_t *counts,
                         double *out[FORMS]);

/* How many heads of the layer, or of all (layer_count), a labelling names. */
size_t labellings_named(const labellings *self, size_t labelling, size_t layer);

/* Cohen's kappa of two labellings over those of the `count` heads that both name; `heads` may name one more
 * than once. NAN: there is none. */
typedef struct agreement {
    size_t heads;
    double share, kappa;
} agreement;
agreement labellings_agree(const labellings *self, size_t one, size_t other, const size_t *heads,
                           size_t count, size_t *counts);

/* Fleiss' kappa of all labellings over the heads that all of them name; NAN: there is none. */
double labellings_agree_all(const labellings *self, const size_t *heads, size_t count, size_t *counts);

#endif
