/* A whole file as read-only memory. */
#ifndef MAPPING_H
#define MAPPING_H

#include "core/io/checksum.h"
#include "headlight/error.h"
#include <stddef.h>
#include <stdint.h>

typedef struct mapping {
    const uint8_t *bytes;
    size_t count;
} mapping;

/* Only regular files that hold something. */
hl_status mapping_open(const char *path, mapping *out, hl_error *error);

/* Gives pages that lie completely in [from, from + count) back to the system; reading them again still works.
 */
void mapping_release(const uint8_t *from, size_t count);

/* Checksum of all bytes; their pages are given back on the way. */
hl_status mapping_checksum(const mapping *map, char out[CHECKSUM_ROOM], hl_error *error);

void mapping_close(mapping *map); /* accepts a zeroed mapping */

#endif
