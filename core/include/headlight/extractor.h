/* Extractors: what heads have in common, found by a chain of named steps.
 *
 *     extractors:
 *       - {name: spans, plugin: textspan, pool: pool.txt}
 *       - {name: labels, plugin: lexicon, from: spans}
 *     properties: labels
 *
 * A step gives descriptions of heads (TextSpan: Gandelsman, Efros and Steinhardt 2024, section 4), labels, or
 * verdicts on them, and may build on earlier steps. It asks through hl_ask (moments, bases, texts, what
 * the step that it builds on found) and hands over what it finds. It is run once, when somebody needs its
 * answer: an experiment that names it, a later step, or an analysis that asks for a property. What it found
 * is kept on disk, and not asked for again while model, backend, gallery, plugin, options, files
 * named in them and what it builds on are the same, unless it needs neither weights nor gallery: so a step
 * reads no other files, and takes no clock and no chance into account. Analyses never meet an extractor; they
 * ask for the heads of a property.
 */
#ifndef HEADLIGHT_EXTRACTOR_H
#define HEADLIGHT_EXTRACTOR_H

#include "ask.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum hl_step { HL_STEP_NONE = 0, HL_STEP_DESCRIPTIONS, HL_STEP_LABELS, HL_STEP_VERDICTS } hl_step;

/* What follows is filled by plugins, with `size` first; strings and numbers are copied. A head is named as in
 * the component table, "L11.H3". */

/* One of the texts, or directions, by which a head is described. */
struct hl_description {
    uint32_t size;
    const char *head;
    uint32_t rank;          /* within the head: 1, 2, 3 ..., in this order */
    const char *text;       /* NULL: a direction that nothing names */
    const float *direction; /* embed_dim numbers; NULL: the text alone */
    double variance, total; /* of the head's contributions that it explains; with all ranks before it */
};

/* Labels are many-to-many: a head may have several, and abstains by having none. Of several with the same
 * head and property the greatest weight counts. */
struct hl_label {
    uint32_t size;
    const char *head;
    const char *property; /* "colors" */
    double weight;        /* from 0, which says that the head does not carry it, to 1 */
    const char *evidence; /* what it rests on, for people: results and page show it; NULL: nothing is said */
};

/* A number that says how good labels or descriptions are. */
struct hl_verdict {
    uint32_t size;
    const char *score; /* "entanglement" */
    int32_t layer;     /* from 0; -1: of the whole model; of a verdict on a head: that head's, or -1 */
    double value;
    double low, high; /* the ends of its interval; low > high: there is none */

    /* Since ABI 2.1. A verdict on one head, and on one of its descriptions: "consistent" 1 or 0. */
    const char *head; /* NULL: on a layer or the model */
    uint32_t rank;    /* of the description; 0: on none */
};

/* Where findings go. A step of descriptions calls `describe`, one of labels `label` and `alias`, one of
 * verdicts `judge`; another's function is an error. A function that fails has said why: return its status.
 * [the thread that called `run`] */
typedef struct hl_finding hl_finding;
struct hl_finding {
    uint32_t size;
    hl_status (*describe)(hl_finding *finding, const hl_description *description, hl_error *error);
    hl_status (*label)(hl_finding *finding, const hl_label *label, hl_error *error);

    /* A further spelling under which an experiment may ask for the property, whether or not a head carries
     * it. A property's own name comes before spellings, and of equal spellings the first one counts. */
    hl_status (*alias)(hl_finding *finding, const char *spelling, const char *property, hl_error *error);

    hl_status (*judge)(hl_finding *finding, const hl_verdict *verdict, hl_error *error);

    /* Since ABI 2.1, for any kind of step. What else people and reports should see of the step: */

    /* further facts of a head, a map in which results and page show it beside what was found of it
     * ("effective_rank", "overlap"); the same map when asked again; NULL, and the step fails, for a head that
     * the model lacks. Not the keys head, texts, property, weight, evidence, score, layer, value, low, high,
     * schema; */
    hl_item *(*about)(hl_finding *finding, const char *head);

    /* and items with a schema (result.h), which follow the findings in the step's results. Its functions fill
     * what `about` returns too. Grids and pictures are not taken here. */
    hl_result *result;
};

typedef struct hl_extractor_api {
    uint32_t size;
    uint32_t step;  /* what it gives: an hl_step */
    uint32_t from;  /* what it builds on, of an earlier step; HL_STEP_NONE: nothing */
    uint32_t needs; /* HL_NEEDS_..., option.h. With none, and on what needs none, it is run before any weight
                       is read, so that `headlight run --check` finds what is wrong with a file of labels; it
                       then asks what takes no weights: heads, and what it builds on. What needs the gallery
                       is refused without HL_NEEDS_GALLERY, for what is kept would not depend on it */

    /* `values`: one for each row of the plugin's option table, in its order. [one thread at a time] */
    hl_status (*run)(const hl_ask *ask, const hl_value *const *values, hl_finding *finding, hl_error *error);

    /* Since ABI 2.1: it builds on up to so many steps of the kind `from` (`from: [a, b]`), the first of which
     * is the one that NULL means in questions; hl_ask.source names them. 0: one. */
    uint32_t from_most;
} hl_extractor_api;

#ifdef __cplusplus
}
#endif

#endif
