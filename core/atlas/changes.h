/* Changes of an atlas's shards, so that one that was broken off can be tidied up.
 *
 * Before shards come and go, CHANGES_FILE names them, and it goes when they have: so a shard that atlas.json
 * does not list is known to be this module's own, or else is somebody's and stays. */
#ifndef CHANGES_H
#define CHANGES_H

#include "core/atlas/manifest.h"

#define CHANGES_FILE ".changes.json" /* like atlas.json: the shards that a change adds or takes away */

/* Notes what a change from `now` to `next` adds and takes away. */
hl_status changes_announce(const char *folder, const manifest *now, const manifest *next, hl_error *error);

/* Removes what a change wrote and atlas.json does not list, or what it was to take away. `current`: what
 * atlas.json says for sure; NULL: it is read, for a change can have failed anywhere. */
hl_status changes_settle(const char *folder, const manifest *current, hl_error *error);

#endif
