/* Protocol buffers as they lie in a file: fields one after another. Nothing is read beyond a message's bytes.
 */
#ifndef WIRE_H
#define WIRE_H

#include "text/buffer.h"
#include <stdint.h>

typedef struct wire {
    const uint8_t *at, *end;
    bool damaged; /* what came last was cut short, or is of no known kind */
} wire;

typedef struct wire_field {
    uint32_t number;
    uint64_t value; /* of a whole number, or the bits of a float */
    wire bytes;     /* of a text or message; else empty */
} wire_field;

/* false: there is none more, or the message is damaged. */
bool wire_next(wire *from, wire_field *out);

void wire_write_number(buffer *to, uint32_t field, uint64_t value);
void wire_write_float(buffer *to, uint32_t field, float value);
void wire_write_bytes(buffer *to, uint32_t field, const void *bytes, size_t count);

#endif
