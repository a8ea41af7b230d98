/* The folder in which an atlas is made: whether there is one, what else lies there, and the lock of the
 * process that changes it. Knows names, not what is in shards. */
#ifndef ATLAS_FOLDER_H
#define ATLAS_FOLDER_H

#include "core/atlas/manifest.h"

/* "FOLDER/NAME"; free() it. */
hl_status folder_path(const char *folder, const char *name, char **out, hl_error *error);

/* Whether it holds an atlas.json. */
hl_status folder_has_atlas(const char *folder, bool *out, hl_error *error);

/* HL_USAGE when there is something in a folder without atlas.json that is none of ours. Shards are for later:
 * a change that was broken off may explain them. */
hl_status folder_refuse_foreign(const char *folder, hl_error *error);
/* HL_FAILED when there are shards. */
hl_status folder_refuse_shards(const char *folder, hl_error *error);
/* Files that are named like shards, and that the manifest does not list. */
hl_status folder_count_strangers(const char *folder, const manifest *listed, size_t *count, hl_error *error);

/* So that a rename survives a power cut. */
hl_status folder_sync(const char *folder, hl_error *error);

/* The descriptor of the locked file; -1: *reason is an errno, EWOULDBLOCK where another process has it. */
int folder_lock(const char *folder, int *reason);
/* Gives the lock back; `forget`: and leaves no trace of it. */
void folder_unlock(const char *folder, int lock, bool forget);

#endif
