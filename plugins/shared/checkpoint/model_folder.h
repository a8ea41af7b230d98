/* A model's folder: its name, which of its files holds the weights, and what it holds at all, for messages
 * about one that lacks what it needs. Never opens a file. */
#ifndef MODEL_FOLDER_H
#define MODEL_FOLDER_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>

/* The two files that a plugin reads, and where people get them: "as OpenCLIP publishes them; ...". Weights
 * may have other names, see model_folder_weights. */
typedef struct model_files {
    const char *plugin, *configuration, *weights, *origin;
} model_files;

/* Which file of weights is to be taken: the one of the name `named`, unless that is NULL; else `preferred`;
 * else the first that is there of the names that open_clip and transformers give such files (.safetensors
 * before .bin, a whole one before an index of shards); else the only other one that ends as such files do, in
 * .safetensors, .pt, .pth, .bin or .ckpt. Shards, and what training leaves beside a model, do not count.
 * `others` says whether there were any to choose from. NULL in *out: there is none. HL_USAGE where several
 * could be meant, or the named one is not there. free() *out. */
hl_status model_folder_weights(const char *path, const char *preferred, const char *named, char **out,
                               bool *others, hl_error *error);

/* "found model.pt, no open_clip_config.json": what is there, and what of the two files is not. */
void model_folder_list(const model_files *files, const char *path, char *out, size_t room);

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
