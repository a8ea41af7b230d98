/* How byte-level vocabularies write a byte (Radford et al. 2019, section 2.2): a printable one as the
 * character of the same number, the others as U+0100 and on. */
#ifndef BYTE_NAMES_H
#define BYTE_NAMES_H

#include <stddef.h>
#include <stdint.h>

enum { BYTE_NAME_ROOM = 4 };

/* CLIP numbers bytes by their names: printable ones first. */
typedef struct byte_names {
    uint8_t numbers[256]; /* by byte */
    uint8_t bytes[256];   /* by number */
} byte_names;

void byte_names_make(byte_names *out);

/* Writes the name, UTF-8 without a NUL; returns its length. */
size_t byte_name_write(uint8_t byte, char out[BYTE_NAME_ROOM]);

#endif
