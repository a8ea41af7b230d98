/* Which files a model's folder holds, for messages about one that lacks what it needs. Never opens a file. */
#ifndef FOLDER_H
#define FOLDER_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>

/* "found config.json, pytorch_model.bin; clip-vit reads ..., which ...": what is there, what this plugin
 * reads and where that comes from. `out` has `room` bytes; empty when all is there. */
void folder_hint(const char *path, char *out, size_t room);

/* HL_USAGE with the hint when a file that a model needs is missing. */
hl_status folder_check(const char *path, bool needs_weights, hl_error *error);

#endif
