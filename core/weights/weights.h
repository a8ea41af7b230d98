/* Files of weights in whatever container people have, recognised by their content: the host's implementation
 * of headlight/weights.h. */
#ifndef WEIGHTS_H
#define WEIGHTS_H

#include "headlight/weights.h"

extern const hl_weights_api weights_api;

/* The same with a file that lies in memory, and outlives *weights; one that lists shards is refused. */
hl_status weights_parse(const char *name, const uint8_t *bytes, size_t count, hl_weights **weights,
                        hl_error *error);

#endif
