/* Extractors: which heads carry which property.
 *
 * The way from a gallery to properties is a chain of typed steps: moments of codes -> descriptions (TextSpan)
 * -> labels -> verdicts (how good the labels are). An extractor declares which step it is. Labels are
 * many-to-many: a head may carry several properties with a weight each, say what they rest on, or abstain by
 * having none. Analyses never meet an extractor; they ask the host for the heads of a property.
 *
 * This version runs the step of labels. The inputs of the other steps will be further fields at the end of
 * hl_extractor_api. */
#ifndef HEADLIGHT_EXTRACTOR_H
#define HEADLIGHT_EXTRACTOR_H

#include "host.h"
#include "model.h"
#include "option.h"

typedef enum hl_step { HL_STEP_NONE = 0, HL_STEP_DESCRIPTIONS, HL_STEP_LABELS, HL_STEP_VERDICTS } hl_step;

/* Of several labels with the same head and property the greatest weight counts. */
typedef struct hl_label {
    const char *head;     /* "L11.H3" */
    const char *property; /* "colors" */
    double weight;        /* from 0, which says that the head does not carry it, to 1 */
    const char *evidence; /* what it rests on, for people; may be NULL */
} hl_label;

/* Where labels go; strings are copied. */
typedef struct hl_label_sink hl_label_sink;
struct hl_label_sink {
    uint32_t size;
    hl_status (*add)(hl_label_sink *sink, const hl_label *label, hl_error *error);

    /* A further spelling under which an experiment may ask for the property, whether or not a head carries
     * it. A property's own name comes before spellings, and of equal spellings the first one counts. */
    hl_status (*alias)(hl_label_sink *sink, const char *spelling, const char *property, hl_error *error);
};

typedef struct hl_extractor_api {
    uint32_t size;
    uint32_t step;  /* what it gives: an hl_step */
    uint32_t from;  /* what it builds on, of an earlier step; HL_STEP_NONE: nothing */
    uint32_t needs; /* HL_NEEDS_..., option.h */

    /* HL_STEP_LABELS: `values` are those of the plugin's option table. [one thread at a time] */
    hl_status (*labels)(const hl_host *host, const hl_model_info *model, const hl_value *const *values,
                        hl_label_sink *sink, hl_error *error);
} hl_extractor_api;

#endif
