/* Which heads carry which property: the answers of an extractor plugin, kept. Knows labels, not what they
 * rest on. */
#ifndef PROPERTIES_H
#define PROPERTIES_H

#include "core/tree/tree.h"
#include "headlight/extractor.h"
#include "headlight/plugin.h"

typedef struct properties properties;

/* Asks the extractor, whose step must be labels, about the model. */
hl_status properties_open(const hl_host *host, const hl_plugin *extractor, const hl_value *const *values,
                          const hl_model_info *model, properties **out, hl_error *error);
void properties_close(properties *self); /* accepts NULL */

/* The property's heads in the component table's order, with their weights; owned by `self`. `name` may be
 * another spelling of it, the selection's name is the property's own. HL_FAILED, with a list of those that
 * there are, when no head carries it. */
hl_status properties_find(const properties *self, const char *name, const hl_selection **out,
                          hl_error *error);

/* Adds every head that carries something to the map: {"L3.H5": "colors", "L3.H6": "places, weather"}. */
hl_status properties_describe(const properties *self, hl_item *heads, hl_error *error);

#endif
