/* 128-bit checksums (XXH3) as 32 hexadecimal digits. They find damage and tell files apart; they are no
 * signature. */
#ifndef CHECKSUM_H
#define CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

enum { CHECKSUM_ROOM = 33 }; /* 32 digits and NUL */

typedef struct checksum checksum; /* of bytes that come one after another */

checksum *checksum_begin(void); /* NULL: no memory */
void checksum_add(checksum *self, const void *bytes, size_t count);
void checksum_end(checksum *self, char out[CHECKSUM_ROOM]); /* frees it; out may be NULL */

/* Of bytes that lie together; needs no memory. */
void checksum_of(const void *bytes, size_t count, char out[CHECKSUM_ROOM]);

#endif
