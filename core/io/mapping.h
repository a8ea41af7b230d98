/* A whole file as read-only memory: for what is large and searched in place. All else is read (input.h).
 *
 * A mapped file may shrink, and its disk may fail; the system then sends SIGBUS to whoever touches the
 * memory. Whether a program takes that signal is its own affair (library.h says how); if it does,
 * `mapping_absorb` makes the access succeed with zeros, and `mapping_check`, which is called after the bytes
 * were used and before anything is made of them, turns it into an error of the file. */
#ifndef MAPPING_H
#define MAPPING_H

#include "core/io/checksum.h"
#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct mapped_range mapped_range;

typedef struct mapping {
    const uint8_t *bytes;
    size_t count;
    mapped_range *range; /* NULL: no file, but memory of somebody else's */
    dev_t device;
    ino_t number;
} mapping;

/* Only regular files that hold something. */
hl_status mapping_open(const char *path, mapping *out, hl_error *error);

/* Whether some of its bytes could not be read. [any thread] */
bool mapping_is_broken(const mapping *map);

/* The error for one that is broken, or whose file at `path` has another size by now: the end of its last page
 * reads as zeros then, without a signal. [any thread] */
hl_status mapping_check(const mapping *map, const char *path, hl_error *error);

/* For a handler of SIGBUS: if `address` lies in a mapping, what cannot be read of that reads as zeros from
 * now on, and the access can be repeated. False: it is somebody else's fault. [any thread, and from a signal
 * handler] */
bool mapping_absorb(const void *address);

/* Gives pages that lie completely in [from, from + count) back to the system; reading them again still works.
 */
void mapping_release(const uint8_t *from, size_t count);

/* Checksum of all bytes; their pages are given back on the way. */
hl_status mapping_checksum(const mapping *map, char out[CHECKSUM_ROOM], hl_error *error);

void mapping_close(mapping *map); /* accepts a zeroed mapping */

#endif
