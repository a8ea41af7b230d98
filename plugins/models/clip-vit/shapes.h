/* A configuration from the names and shapes of a checkpoint that has none. */
#ifndef SHAPES_H
#define SHAPES_H

#include "config.h"

/* Refuses what shapes leave open, and says in config->assumed what was assumed. `named` as in
 * checkpoint_rules; `activation`: whether somebody says it, so that the weights need not. */
hl_status shapes_read(const hl_host *host, const hl_model_source *source, const char *named, bool activation,
                      clip_config *config, hl_error *error);

#endif
