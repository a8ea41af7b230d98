/* See wire.h. */
#include "wire.h"

enum { VARINT = 0, FIXED64 = 1, BYTES = 2, FIXED32 = 5 };

static uint64_t read_varint(wire *from) {
    uint64_t out = 0;
    for (unsigned shift = 0; shift < 64 && from->at < from->end; shift += 7) {
        uint8_t byte = *from->at++;
        out |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) return out;
    }
    from->damaged = true;
    return 0;
}

static uint64_t read_fixed(wire *from, unsigned count) {
    uint64_t out = 0;
    from->damaged = (size_t)(from->end - from->at) < count;
    for (unsigned i = 0; i < count && !from->damaged; ++i) out |= (uint64_t)*from->at++ << 8 * i;
    return out;
}

static wire read_bytes(wire *from) {
    uint64_t count = read_varint(from);
    if (from->damaged || count > (size_t)(from->end - from->at)) {
        from->damaged = true;
        return (wire){0};
    }
    wire out = {from->at, from->at + count, false};
    from->at += count;
    return out;
}

bool wire_next(wire *from, wire_field *out) {
    if (from->damaged || from->at == from->end) return false;
    uint64_t tag = read_varint(from);
    *out = (wire_field){.number = (uint32_t)(tag >> 3)};
    if (from->damaged) return false;
    switch (tag & 7) {
    case VARINT:
        out->value = read_varint(from);
        break;
    case FIXED64:
        out->value = read_fixed(from, 8);
        break;
    case FIXED32:
        out->value = read_fixed(from, 4);
        break;
    case BYTES:
        out->bytes = read_bytes(from);
        break;
    default:
        from->damaged = true;
    }
    return !from->damaged;
}

static void write_varint(buffer *to, uint64_t value) {
    do {
        char byte = (char)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        buffer_append(to, &byte, 1);
        value >>= 7;
    } while (value);
}

void wire_write_number(buffer *to, uint32_t field, uint64_t value) {
    write_varint(to, (uint64_t)field << 3 | VARINT);
    write_varint(to, value);
}

void wire_write_float(buffer *to, uint32_t field, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    write_varint(to, (uint64_t)field << 3 | FIXED32);
    for (unsigned i = 0; i < 4; ++i) {
        char byte = (char)(bits >> 8 * i & 0xff);
        buffer_append(to, &byte, 1);
    }
}

void wire_write_bytes(buffer *to, uint32_t field, const void *bytes, size_t count) {
    write_varint(to, (uint64_t)field << 3 | BYTES);
    write_varint(to, count);
    buffer_append(to, bytes, count);
}
