/* libxxhash, with its result as text. */
#include "core/io/checksum.h"

#include <stdio.h>
#include <xxhash.h>

/* libxxhash allocates the state itself; this is it. */
static XXH3_state_t *behind(checksum *self) {
    return (XXH3_state_t *)(void *)self;
}

checksum *checksum_begin(void) {
    XXH3_state_t *state = XXH3_createState();
    if (state) (void)XXH3_128bits_reset(state);
    return (checksum *)(void *)state;
}

void checksum_add(checksum *self, const void *bytes, size_t count) {
    if (count > 0) (void)XXH3_128bits_update(behind(self), bytes, count);
}

static void print(XXH128_hash_t hash, char out[CHECKSUM_ROOM]) {
    snprintf(out, CHECKSUM_ROOM, "%016llx%016llx", (unsigned long long)hash.high64,
             (unsigned long long)hash.low64);
}

void checksum_of(const void *bytes, size_t count, char out[CHECKSUM_ROOM]) {
    print(XXH3_128bits(count > 0 ? bytes : "", count), out);
}

void checksum_end(checksum *self, char out[CHECKSUM_ROOM]) {
    if (!self) return;
    if (out) print(XXH3_128bits_digest(behind(self)), out);
    (void)XXH3_freeState(behind(self));
}
