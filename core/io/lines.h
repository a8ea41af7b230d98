/* The lines of a text from outside: UTF-8 without NUL, with or without a byte order mark, lines that end in
 * LF or CR LF. */
#ifndef LINES_H
#define LINES_H

#include "headlight/error.h"
#include <stddef.h>

/* One line; `text` does not end with NUL. */
typedef struct line {
    const char *text;
    size_t length, number; /* from 1 */
} line;

typedef struct lines {
    const char *file; /* for messages */
    const char *at, *end;
    size_t number;
} lines;

lines lines_of(const char *file, const void *bytes, size_t count);

/* The next line; its text is NULL past the last one. HL_FAILED with file and line for what is no text. */
hl_status lines_next(lines *self, line *out, hl_error *error);

#endif
