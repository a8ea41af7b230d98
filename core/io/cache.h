/* What can be made again, kept on disk for the next time: bytes by key, in $XDG_CACHE_HOME/headlight or
 * ~/.cache/headlight. A key names all that the bytes depend on; the longest keeps working.
 *
 * Nothing that is lost here is an error: where there is no such folder, or it is not this user's own, nothing
 * is kept; a file that is damaged, or is none of ours, is as good as none. Each is written beside its place
 * and renamed, so processes at the same time harm nothing. When all together outgrow the cache, those go that
 * were not asked for the longest. [any thread] */
#ifndef CACHE_H
#define CACHE_H

#include <stddef.h>

enum { CACHE_MOST = 1 << 30 }; /* bytes of all files together */

/* *bytes, to be freed, has a NUL behind the last of them; NULL: not there. */
void cache_recall(const char *key, void **bytes, size_t *count);

void cache_remember(const char *key, const void *bytes, size_t count);

#endif
