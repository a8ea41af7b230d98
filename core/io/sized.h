/* Structs of the public headers that start with their size. */
#ifndef SIZED_H
#define SIZED_H

#include <stdint.h>
#include <string.h>

/* Copies a struct that somebody else filled, who may have been built with a shorter or a longer one: what it
 * lacks is zero, what this headlight does not know is left out. `to` has `room` bytes and says so afterwards.
 */
static inline void sized_copy(void *to, size_t room, const void *given) {
    uint32_t size, whole = (uint32_t)room;
    memcpy(&size, given, sizeof size);
    memset(to, 0, room);
    memcpy(to, given, size < room ? size : room);
    memcpy(to, &whole, sizeof whole);
}

#endif
