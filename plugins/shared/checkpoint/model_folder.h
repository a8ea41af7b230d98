/* A model's folder: its name, and which files it holds, for messages about one that lacks what it needs.
 * Never opens a file. */
#ifndef MODEL_FOLDER_H
#define MODEL_FOLDER_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>

/* The two files that a plugin reads, and where people get them: "as OpenCLIP publishes them; ...". */
typedef struct model_files {
    const char *plugin, *configuration, *weights, *origin;
} model_files;

/* "found config.json, pytorch_model.bin; clip-vit reads ..., which ...": what is there, what the plugin reads
 * and where that comes from. `out` has `room` bytes; empty when all is there. */
void model_folder_hint(const model_files *files, const char *path, char *out, size_t room);

/* When a file that a model needs is missing, an error with the hint: HL_UNAVAILABLE for the weights, HL_USAGE
 * for a configuration that they lack. */
hl_status model_folder_check(const model_files *files, const char *path, bool needs_weights, hl_error *error);

/* The folder's own name, however the path is written; a folder above it may be nobody's business. free() it;
 * NULL: no memory. */
char *model_folder_name(const char *path);

#endif
