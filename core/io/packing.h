/* Numbers and texts as bytes and back, for what is kept on disk: numbers of eight bytes, texts with their
 * length and a NUL. For this machine only. Nobody need check call by call: what goes wrong is remembered. */
#ifndef PACKING_H
#define PACKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Empty when zeroed. */
typedef struct packer {
    uint8_t *bytes; /* to be freed */
    size_t count, room;
    bool failed; /* no memory */
} packer;

void pack_bytes(packer *self, const void *bytes, size_t count);
void pack_whole(packer *self, int64_t value);
void pack_double(packer *self, double value);
void pack_text(packer *self, const char *text); /* NULL comes back as NULL */

typedef struct unpacker {
    const uint8_t *at;
    size_t left;
    bool wrong; /* it is not what was packed */
} unpacker;

/* They point into what is unpacked; NULL, or 0, once something is wrong. */
const void *unpack_bytes(unpacker *self, size_t count);
int64_t unpack_whole(unpacker *self);
double unpack_double(unpacker *self);
const char *unpack_text(unpacker *self);

#endif
