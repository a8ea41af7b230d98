/* Accuracy without some components: from codes, with the normalisation of the whole pass frozen, or by true
 * reruns, in which everything after the ablated component sees what became of it. */
#ifndef ABLATION_H
#define ABLATION_H

#include "ablation/cases.h"
#include "classifier/classifier.h"

typedef enum ablation_way { ABLATION_MEAN = 0, ABLATION_ZERO } ablation_way;
typedef enum ablation_rows { ABLATION_POOLED = 0, ABLATION_ALL } ablation_rows;

/* What users set: rows of an option table, in this order. */
extern const char *const ablation_ways[], *const ablation_row_words[], *const ablation_match_words[];
#define ABLATION_OPTIONS                                                                                     \
    {.name = "ablate",                                                                                       \
     .type = HL_CHOICE,                                                                                      \
     .fallback = "mean",                                                                                     \
     .choices = ablation_ways,                                                                               \
     .help = "What stands in place of what is ablated: its mean over the gallery, or nothing."},             \
        {.name = "reruns",                                                                                   \
         .type = HL_BOOL,                                                                                    \
         .fallback = "false",                                                                                \
         .help = "Whether the model is also run again without what is ablated, and how far both agree; "     \
                 "without it everything comes from codes, the last layer norm frozen."},                     \
        {.name = "images",                                                                                   \
         .type = HL_INT,                                                                                     \
         .fallback = "200",                                                                                  \
         .min = 1,                                                                                           \
         .max = 1000000,                                                                                     \
         .help = "How many images of the gallery reruns take, evenly spread over it."},                      \
        {.name = "rows",                                                                                     \
         .type = HL_CHOICE,                                                                                  \
         .fallback = "pooled",                                                                               \
         .choices = ablation_row_words,                                                                      \
         .help = "Where reruns ablate: in the row that becomes the embedding, or in those of all tokens."},  \
        {.name = "draws",                                                                                    \
         .type = HL_INT,                                                                                     \
         .fallback = "3",                                                                                    \
         .min = 0,                                                                                           \
         .max = 1000,                                                                                        \
         .help = "How many times as many random heads are ablated instead."},                                \
        {.name = "seed",                                                                                     \
         .type = HL_INT,                                                                                     \
         .fallback = "1",                                                                                    \
         .min = 0,                                                                                           \
         .max = 1e9,                                                                                         \
         .help = "Of the random heads; draw i takes seed + i."},                                             \
    {                                                                                                        \
        .name = "match", .type = HL_CHOICE, .fallback = "layer", .choices = ablation_match_words,            \
        .help = "Where random heads come from: as many of each layer as are ablated there, or any layer."    \
    }
enum {
    ABLATION_WAY,
    ABLATION_RERUNS,
    ABLATION_IMAGES,
    ABLATION_ROWS,
    ABLATION_DRAWS,
    ABLATION_SEED,
    ABLATION_MATCH,
    ABLATION_OPTION_COUNT
};

typedef struct ablation_settings {
    ablation_way way;
    ablation_rows rows;
    bool reruns;
    size_t images, draws;
    uint64_t seed;
    draw_from match;
} ablation_settings;

/* From the values of ABLATION_OPTIONS. */
ablation_settings ablation_read(const hl_value *const *values);

/* Adds the set in hand, and the draws that go with it. `allowed` by component: heads that may be drawn; NULL:
 * all. */
hl_status ablation_add(case_list *cases, const char *name, ablation_settings settings, const bool *allowed,
                       hl_error *error);

/* The classes that are chosen without each case. */
typedef struct ablation {
    const classifier *of;
    const case_list *cases;
    ablation_settings settings;
    uint16_t *frozen; /* [case, task, image of the gallery] */
    uint16_t *rerun;  /* [case, task, image of the reruns]; NULL: there were none */
    size_t *images;   /* of the reruns, in the gallery */
    size_t image_count;
} ablation;

/* To be freed also after a failure. Finished reruns are kept on disk, so that one which was interrupted goes
 * on where it was. */
hl_status ablation_run(const classifier *of, const case_list *cases, ablation_settings settings,
                       ablation *out, hl_error *error);
void ablation_free(ablation *self);

/* ---- what came of it ---- */

/* `where`: over the whole gallery from codes, over the images of the reruns from codes, or by reruns. */
typedef enum ablation_where { ABLATION_GALLERY, ABLATION_SUBSET, ABLATION_RERUN } ablation_where;

/* From codes: a class for each image of the gallery. */
const uint16_t *ablation_answers(const ablation *self, size_t one, size_t task);

hl_status ablation_measure(const ablation *self, size_t one, size_t task, ablation_where where,
                           classifier_measures *out, hl_error *error);

/* The accuracy over all draws of a case: mean, and the quantiles between which 95 % of them lie. Without
 * draws, as of a case without heads, the case's own. */
typedef struct ablation_spread {
    size_t draws, as_low; /* as_low: how many are as low as the case itself, or lower */
    double mean, low, high;
    double worst;  /* mean accuracy of the worst group */
    double shared; /* heads of the case itself in a draw, on average */
} ablation_spread;
hl_status ablation_spread_of(const ablation *self, size_t one, size_t task, ablation_where where,
                             ablation_spread *out, hl_error *error);

/* The share of the reruns' images with a class for which codes and reruns choose the same. */
double ablation_agreement(const ablation *self, size_t one, size_t task);

#endif
