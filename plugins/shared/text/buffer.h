/* Bytes that grow. An append that finds no memory is remembered, so that a caller checks once at the end. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

typedef struct buffer {
    char *bytes; /* free() it */
    size_t length, room;
    bool failed;
} buffer;

static inline void buffer_append(buffer *to, const char *bytes, size_t count) {
    if (to->failed) return;
    if (count >= to->room - to->length) {
        size_t room = 2 * to->room + count + 64;
        char *grown = realloc(to->bytes, room);
        to->failed = !grown;
        if (!grown) return;
        to->bytes = grown;
        to->room = room;
    }
    memcpy(to->bytes + to->length, bytes, count);
    to->length += count;
}

#endif
