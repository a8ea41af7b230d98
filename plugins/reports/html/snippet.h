/* The experiment that makes one item of the results alone, as YAML to copy. */
#ifndef SNIPPET_H
#define SNIPPET_H

#include <headlight/result.h>

/* `sections`: everything of the experiment that was run but its analyses, as YAML, ending in a newline.
 * `analysis`, with its "plugin" and "options", and `item`, one of its "results", are parts of the results'
 * tree. *yaml is the caller's to free(). */
hl_status snippet_make(const char *sections, const hl_node *analysis, const hl_node *item, char **yaml,
                       hl_error *error);

#endif
