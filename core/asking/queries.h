/* q = B t of directions: made when first needed, kept while there is room, so that a text asked of many
 * images costs its products once. [any thread] */
#ifndef QUERIES_H
#define QUERIES_H

#include "core/engine/engine.h"

typedef struct queries queries;

hl_status queries_open(engine *model, queries **out, hl_error *error);
void queries_close(queries *self); /* accepts NULL */

/* width + scalar_count numbers into `out`. */
hl_status queries_get(queries *self, const hl_direction *direction, uint32_t component, float *out,
                      hl_error *error);

/* What was kept for a direction that goes. */
void queries_forget(queries *self, const hl_direction *direction);

#endif
