/* Inside the comparison of scores and labels: what was collected, and what is made of it. */
#ifndef COMPARE_INSIDE_H
#define COMPARE_INSIDE_H

#include "core/experiment/compare.h"
#include <stdbool.h>
#include <stddef.h>

enum { WHOLE_MODEL = -1 };

/* A score, or a label, of one variant. */
typedef struct entry {
    size_t variant;
    const char *step, *name; /* of the score, or the property */
    const hl_node *result;
    int layer;        /* of a score: WHOLE_MODEL, or from 0 */
    const char *head; /* of a label */
} entry;

typedef struct entries {
    entry *all;
    size_t count;
} entries;

/* A property, and how many heads of all variants carry it. */
typedef struct tally {
    const entry *of;
    size_t count;
} tally;

typedef struct comparison {
    const compare_variant *variants;
    size_t count;
    entries scores, labels;
    tally *tallies; /* room for one of each label */
    hl_item *items; /* the list of what is shown */
} comparison;

/* Whether two are the same score, or property, of the same step; and whether nothing earlier is. */
bool compared_same(const entry *a, const entry *b);
bool compared_same_step(const entry *a, const entry *b);
bool compared_is_first(const entries *all, size_t index);

/* A new item that is shown, with its title. */
__attribute__((format(printf, 3, 4))) hl_item *compared_item(const comparison *self, const char *schema,
                                                             const char *format, ...);

/* Adds "scores" to the root. (compare_charts.c) */
void compared_list_scores(const comparison *self, hl_item *root);
/* Figures of the scores, and tables and maps of the labels. (compare_charts.c, compare_labels.c) */
void compared_show_scores(const comparison *self);
void compared_show_labels(const comparison *self);

#endif
