/* Text from outside, which may be any bytes: whether it is UTF-8, and copies that are. libunistring decodes.
 */
#ifndef UTF8_H
#define UTF8_H

#include "headlight/error.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_MARK        "\xef\xbb\xbf" /* the byte order mark that a file may begin with */
#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD: here was something that cannot be shown */

/* HL_FAILED with file and line when the bytes are not UTF-8. `line`: of the first byte, counted from 1. */
hl_status utf8_check(const char *file, size_t line, const void *bytes, size_t count, hl_error *error);

/* Bytes of the mark that a text begins with; 0: it begins with none. */
size_t utf8_mark(const void *bytes, size_t count);

/* What stands for a character; NULL: the character itself. */
typedef const char *utf8_substitute(uint32_t character);

/* A copy in which every byte of an ill-formed sequence is `mark` and two hex digits, so that file names of
 * other encodings stay apart, and the rest is what `substitute` says (NULL: itself). free() it; NULL: no
 * memory. */
char *utf8_rewrite(const char *text, const char *mark, utf8_substitute *substitute);

#define UTF8_BYTE "\\x" /* the mark: a byte is shown as it is in C */

/* Whether results, whose texts are UTF-8, call `name` so: by itself, or with its wrong bytes as UTF8_BYTE
 * says. */
bool utf8_is_shown_as(const char *name, const char *shown);

/* C0, DEL and C1: Unicode's category Cc. */
bool utf8_is_control(uint32_t character);

#endif
