/* See lines.h. */
#include "core/io/lines.h"

#include "core/io/utf8.h"

lines lines_of(const char *file, const void *bytes, size_t count) {
    size_t mark = utf8_mark(bytes, count);
    return (lines){file, (const char *)bytes + mark, (const char *)bytes + count, 0};
}

hl_status lines_next(lines *self, line *out, hl_error *error) {
    *out = (line){NULL, 0, self->number};
    if (self->at == self->end) return HL_OK;
    const char *newline = memchr(self->at, '\n', (size_t)(self->end - self->at));
    const char *stop = newline ? newline : self->end;
    *out = (line){self->at, (size_t)(stop - self->at), ++self->number};
    self->at = newline ? newline + 1 : self->end;
    while (out->length > 0 && out->text[out->length - 1] == '\r') --out->length;
    if (memchr(out->text, '\0', out->length)) {
        return hl_fail(error, HL_FAILED, "%s:%zu: holds a NUL byte; expected UTF-8 text", self->file,
                       out->number);
    }
    return utf8_check(self->file, out->number, out->text, out->length, error);
}
