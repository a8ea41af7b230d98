/* See utf8.h. Never knows where a text comes from, nor where it goes. */
#include "core/io/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <unistr.h>

enum { REPLACEMENT = 0xfffd };

hl_status utf8_check(const char *file, size_t line, const void *bytes, size_t count, hl_error *error) {
    const uint8_t *text = bytes, *wrong = u8_check(text, count);
    if (!wrong) return HL_OK;
    for (; text < wrong; ++text) line += *text == '\n';
    return hl_fail(error, HL_FAILED,
                   "%s:%zu: not UTF-8: the line holds the byte 0x%02x; save the file as UTF-8", file, line,
                   *wrong);
}

size_t utf8_mark(const void *bytes, size_t count) {
    size_t mark = strlen(UTF8_MARK);
    return count >= mark && memcmp(bytes, UTF8_MARK, mark) == 0 ? mark : 0;
}

static bool is_ill_formed(ucs4_t character, const uint8_t *at, size_t left) {
    size_t length = strlen(UTF8_REPLACEMENT);
    return character == REPLACEMENT && (left < length || memcmp(at, UTF8_REPLACEMENT, length) != 0);
}

static bool write_bytes(FILE *file, const uint8_t *at, int length, const char *mark) {
    bool ok = true;
    for (int i = 0; i < length && ok; ++i) ok = fprintf(file, "%s%02x", mark, at[i]) > 0;
    return ok;
}

char *utf8_rewrite(const char *text, const char *mark, utf8_substitute *substitute) {
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text), *kept = at;
    char *out = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&out, &size);
    bool ok = file != NULL;
    while (ok && at < end) {
        ucs4_t character;
        int length = u8_mbtouc(&character, at, (size_t)(end - at)); /* U+FFFD for what is ill-formed */
        bool wrong = is_ill_formed(character, at, (size_t)(end - at));
        const char *instead = !wrong && substitute ? substitute(character) : NULL;
        if (wrong || instead) {
            size_t plain = (size_t)(at - kept);
            ok = fwrite(kept, 1, plain, file) == plain;
            if (ok) ok = wrong ? write_bytes(file, at, length, mark) : fputs(instead, file) >= 0;
            kept = at + length;
        }
        at += length;
    }
    if (ok) ok = fwrite(kept, 1, (size_t)(end - kept), file) == (size_t)(end - kept);
    if (file) ok = fclose(file) == 0 && ok;
    if (ok) return out;
    free(out);
    return NULL;
}

bool utf8_is_shown_as(const char *name, const char *shown) {
    if (strcmp(name, shown) == 0) return true;
    if (!u8_check((const uint8_t *)name, strlen(name))) return false;
    char *rewritten = utf8_rewrite(name, UTF8_BYTE, NULL);
    bool same = rewritten && strcmp(rewritten, shown) == 0;
    free(rewritten);
    return same;
}

bool utf8_is_control(uint32_t character) {
    return uc_is_general_category_withtable(character, UC_CATEGORY_MASK_Cc);
}
