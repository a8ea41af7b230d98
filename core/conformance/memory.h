/* Memory in a checked process: what is in use, and allocations that fail on demand, while the checked plugin
 * runs. */
#ifndef CONFORMANCE_MEMORY_H
#define CONFORMANCE_MEMORY_H

#include "headlight/plugin.h"
#include <stdbool.h>

/* What is in use, in blocks or, where those are not counted, in bytes. */
long memory_in_use(void);

/* Whether single allocations can be made to fail: not under a sanitizer, nor where the library that does it
 * is not installed. */
bool memory_can_fail(void);

/* From now on allocation `number` (from 1; 0: none) fails, of those made while `plugin` runs: by itself, or
 * by the host on its behalf. */
void memory_fail(const hl_plugin *plugin, long number);

/* How many there were since. */
long memory_allocations(void);

/* The next number to try after `number`, so that a long run is looked at within a minute: the first ones one
 * by one, later ones in growing steps. */
long memory_next(long number);

#endif
