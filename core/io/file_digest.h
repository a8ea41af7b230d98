/* The checksum of a whole file, read once however often it is asked for: it is remembered (cache.h) with the
 * file's path, identity, size and times, and taken from there while all of these are the same. */
#ifndef FILE_DIGEST_H
#define FILE_DIGEST_H

#include "core/io/checksum.h"
#include "headlight/error.h"

/* Of an opened regular file; `path` is the one that it was opened by. [any thread] */
hl_status file_digest(const char *path, int descriptor, char out[CHECKSUM_ROOM], hl_error *error);

#endif
