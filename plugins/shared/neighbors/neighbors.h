/* What the analyses of neighbours share: options alike, every query asked of every selection of heads, and
 * each answer one item. */
#ifndef NEIGHBORS_H
#define NEIGHBORS_H

#include "headlight/analysis.h"

/* Rows of their tables: what is asked, whom, and how. Only who asks by images has the last. */
enum { NEIGHBORS_ASKED, NEIGHBORS_SELECTIONS, NEIGHBORS_COUNT, NEIGHBORS_METRIC, NEIGHBORS_INCLUDE_QUERY };

/* The choices of `metric`, in the order of hl_metric. */
extern const char *const neighbors_metrics[];

/* More would be a list of the whole gallery rather than an answer. */
enum { NEIGHBORS_MOST = 10000 };

#define NEIGHBORS_IMAGES_ROW                                                                                 \
    [NEIGHBORS_ASKED] = {                                                                                    \
        .name = "images", .type = HL_IMAGES, .help = "The query images; they need not be in the gallery."}

#define NEIGHBORS_HEADS_ROW                                                                                  \
    [NEIGHBORS_SELECTIONS] = {                                                                               \
        .name = "heads",                                                                                     \
        .type = HL_HEADS,                                                                                    \
        .flags = HL_OPTION_SETS | HL_OPTION_ALL_COMPONENTS,                                                  \
        .help =                                                                                              \
            "The heads to ask: a head (L3.H5), each head of a layer (L3), all of them one by one (all), or " \
            "a set of heads as one, by the weighted mean of what they write (0.7*L3.H5 + L2.H1)."}

/* `count`: the usual one, in quotes. */
#define NEIGHBORS_ANSWER_ROWS(COUNT)                                                                         \
    [NEIGHBORS_COUNT] = {.name = "count",                                                                    \
                         .type = HL_INT,                                                                     \
                         .fallback = COUNT,                                                                  \
                         .min = 1,                                                                           \
                         .max = NEIGHBORS_MOST,                                                              \
                         .help = "How many neighbours to show."},                                            \
    [NEIGHBORS_METRIC] = {                                                                                   \
        .name = "metric",                                                                                    \
        .type = HL_CHOICE,                                                                                   \
        .fallback = "dot",                                                                                   \
        .choices = neighbors_metrics,                                                                        \
        .help = "How contributions are compared: by their dot product, or by its cosine, which leaves "      \
                "lengths out."}

#define NEIGHBORS_INCLUDE_QUERY_ROW                                                                          \
    [NEIGHBORS_INCLUDE_QUERY] = {                                                                            \
        .name = "include-query",                                                                             \
        .type = HL_BOOL,                                                                                     \
        .fallback = "false",                                                                                 \
        .help = "Whether a query image that is itself in the gallery may be its own neighbour."}

/* hl_analysis_api.run. */
hl_status neighbors_of_images(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                              hl_error *error);
hl_status neighbors_of_texts(const hl_ask *ask, const hl_value *const *values, hl_result *result,
                             hl_error *error);

#endif
