/* Which heads carry which property: labels, put together by property. Knows labels, not what they rest on. */
#ifndef PROPERTIES_H
#define PROPERTIES_H

#include "core/tree/tree.h"
#include "headlight/extractor.h"

typedef struct properties properties;

/* The model outlives it. */
hl_status properties_open(const hl_model_info *model, properties **out, hl_error *error);
void properties_close(properties *self); /* accepts NULL */

/* Takes a label of a head of the model, number `component`, weight from 0 to 1; and a further spelling. */
hl_status properties_label(properties *self, uint32_t component, const char *property, double weight,
                           hl_error *error);
hl_status properties_alias(properties *self, const char *spelling, const char *property, hl_error *error);

/* Once all labels are there, and before the first question. */
hl_status properties_finish(properties *self, hl_error *error);

/* The property's heads in the component table's order, with their weights; owned by `self`. `name` may be
 * another spelling of it, the selection's name is the property's own. HL_FAILED, with a list of those that
 * there are, when no head carries it. */
hl_status properties_find(const properties *self, const char *name, const hl_selection **out,
                          hl_error *error);

/* Adds every head that carries something to the map: {"L3.H5": "colors", "L3.H6": "places, weather"}. */
hl_status properties_describe(const properties *self, hl_item *heads, hl_error *error);

#endif
