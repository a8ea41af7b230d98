/* See byte_names.h. */
#include "byte_names.h"

#include <stdbool.h>
#include <unistr.h>

static bool is_printable(unsigned byte) {
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

void byte_names_make(byte_names *out) {
    unsigned number = 0;
    for (int printable = 1; printable >= 0; --printable) {
        for (unsigned byte = 0; byte < 256; ++byte) {
            if (is_printable(byte) != printable) continue;
            out->bytes[number] = (uint8_t)byte;
            out->numbers[byte] = (uint8_t)number++;
        }
    }
}

size_t byte_name_write(uint8_t byte, char out[BYTE_NAME_ROOM]) {
    ucs4_t written = byte;
    if (!is_printable(byte)) {
        written = 0x100;
        for (unsigned before = 0; before < byte; ++before) written += !is_printable(before);
    }
    return (size_t)u8_uctomb((uint8_t *)out, written, BYTE_NAME_ROOM);
}
