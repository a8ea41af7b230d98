/* What the analyses of one experiment found: a tree of the shape that headlight/report.h tells, and the
 * hl_result that a plugin fills. Never knows which analysis or model it is. */
#ifndef RESULTS_H
#define RESULTS_H

#include "core/tree/tree.h"

/* {"version": 1, "model": {}, "compute": {}, "analyses": []} */
hl_status results_open(tree **out, hl_error *error);

/* Adds {"plugin": name, "summary": ...} to the analyses, for the caller to add to. */
hl_item *results_analysis(tree *results, const char *plugin, const char *summary);

/* Whether the text is in the root's list "truncated": [{"text": ...}, ...]. */
bool results_is_cut(const hl_node *root, const char *text);

/* Gives each item of neighbours its list, and says "truncated": true in each item of the list that shows a
 * text which is cut. Entries without a schema are no items. */
void results_complete(hl_item *list);

/* Items for a list of a tree. */
typedef struct sink {
    hl_result functions; /* first, so that the one can be cast to the other; this is what plugins get */
    hl_item *list;
    const char *who; /* the plugin, for messages */
} sink;

/* `list` and `who` outlive the sink's use. */
void sink_open(sink *self, hl_item *list, const char *who);

/* To be called when the plugin has returned: looks at its grids, and completes its items. Fails when the sink
 * did on the way: no memory, a number that is not finite, a field given twice. */
hl_status sink_finish(sink *self, tree *results, hl_error *error);

#endif
