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

/* Whose allocations: those that the plugin makes itself, by the host or by the C library, or those that are
 * made on its behalf while it runs: by the host, by other plugins, within libraries. */
typedef enum memory_owner { MEMORY_OWN = 1, MEMORY_BEHALF } memory_owner;

/* From now on allocation `number` (from 1; 0: none) of that sort fails. */
void memory_fail(const hl_plugin *plugin, memory_owner owner, long number);
void memory_fail_none(void);

/* How many there were since. */
long memory_allocations(void);

/* The next number to try after `number`: the plugin's own one by one, of the others, which are many and tried
 * by tests of their own, soon only some. */
long memory_next(memory_owner owner, long number);

#endif
