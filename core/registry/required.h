/* Which functions the table of each kind must have: the contract's "optional" as data. */
#ifndef REQUIRED_H
#define REQUIRED_H

#include "headlight/plugin.h"

/* The names of those that a plugin's table of `size` bytes lacks, as "open, close", into `out`; empty: it is
 * complete. */
void required_missing(uint32_t kind, const void *table, size_t size, char *out, size_t room);

#endif
