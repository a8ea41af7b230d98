/* A text -> what the tokenizer splits. Follows open_clip's default cleaning step by step, without ftfy; knows
 * nothing of tokens. */
#include "clean.h"

#include "entities.h"
#include <unicase.h>
#include <unictype.h>
#include <unistr.h>

enum { MAX_TEXT = 1 << 24 };

bool is_white_space(ucs4_t c) {
    return uc_is_property_white_space(c);
}

/* What Python's str.strip takes off: white space and the four separators of ASCII. */
static bool is_stripped(ucs4_t c) {
    return is_white_space(c) || (c >= 0x1c && c <= 0x1f);
}

/* Cuts white space off both ends of the text; returns where it begins. */
static const char *strip(const char *text, size_t *length) {
    const uint8_t *start = (const uint8_t *)text, *end = start + *length;
    ucs4_t c;
    while (start < end) {
        int size = u8_mbtouc(&c, start, (size_t)(end - start));
        if (!is_stripped(c)) break;
        start += size;
    }
    for (const uint8_t *last; start < end; end = last) {
        last = u8_prev(&c, end, start);
        if (!last || !is_stripped(c)) break;
    }
    *length = (size_t)(end - start);
    return (const char *)start;
}

/* Every run of white space becomes one blank. */
static void fold(const char *text, size_t length, buffer *out) {
    buffer_append(out, "", 0);
    const uint8_t *at = (const uint8_t *)text, *end = at + length;
    bool blank = false;
    for (int size; at < end; at += size) {
        ucs4_t c;
        size = u8_mbtouc(&c, at, (size_t)(end - at));
        bool space = is_white_space(c);
        if (!space) buffer_append(out, (const char *)at, (size_t)size);
        if (space && !blank) buffer_append(out, " ", 1);
        blank = space;
    }
}

static void lower_piece(const char *text, size_t length, buffer *out) {
    size_t count = 0;
    uint8_t *lowered = u8_tolower((const uint8_t *)text, length, NULL, NULL, NULL, &count);
    if (lowered) {
        buffer_append(out, (const char *)lowered, count);
    } else {
        out->failed = true;
    }
    free(lowered);
}

/* Is the nearest character that is not case-ignorable cased? Looks from `at` towards `limit`. */
static bool cased_beyond(const uint8_t *at, const uint8_t *limit) {
    bool forward = at < limit;
    while (at != limit) {
        ucs4_t c;
        at = forward ? at + u8_mbtouc(&c, at, (size_t)(limit - at)) : u8_prev(&c, at, limit);
        if (!uc_is_property_case_ignorable(c)) return uc_is_property_cased(c);
    }
    return false;
}

/* The capital sigma depends on its neighbours (Unicode, section 3.13, "Final_Sigma"). libunistring and Python
 * disagree about neighbours that are both cased and case-ignorable; this is Python's way. */
static void lower(const char *text, size_t length, buffer *out) {
    static const char capital[] = "\u03a3";
    const char *start = text, *end = text + length;
    for (const char *sigma; (sigma = memmem(text, (size_t)(end - text), capital, 2)); text = sigma + 2) {
        lower_piece(text, (size_t)(sigma - text), out);
        bool final = cased_beyond((const uint8_t *)sigma, (const uint8_t *)start) &&
                     !cased_beyond((const uint8_t *)sigma + 2, (const uint8_t *)end);
        buffer_append(out, final ? "\u03c2" : "\u03c3", 2);
    }
    lower_piece(text, (size_t)(end - text), out);
}

static bool fold_and_lower(const buffer *text, buffer *folded, buffer *out) {
    size_t length = text->length;
    const char *stripped = strip(text->bytes, &length);
    fold(stripped, length, folded);
    if (folded->failed) return false;
    length = folded->length;
    stripped = strip(folded->bytes, &length);
    lower(stripped, length, out);
    return !out->failed;
}

hl_status clean_text(const char *text, buffer *out, hl_error *error) {
    *out = (buffer){0};
    size_t length = strnlen(text, MAX_TEXT + 1);
    if (length > MAX_TEXT) {
        return hl_fail(error, HL_USAGE, "text \"%.40s...\": is longer than %d bytes", text, MAX_TEXT);
    }
    const uint8_t *wrong = u8_check((const uint8_t *)text, length);
    if (wrong) {
        return hl_fail(error, HL_USAGE, "text: is not valid UTF-8 at byte %zu: save it as UTF-8",
                       (size_t)(wrong - (const uint8_t *)text));
    }
    buffer once = {0}, twice = {0}, folded = {0};
    entities_resolve(text, length, &once);
    if (!once.failed) entities_resolve(once.bytes, once.length, &twice);
    bool failed = once.failed || twice.failed;
    if (!failed) failed = !fold_and_lower(&twice, &folded, out);
    free(once.bytes);
    free(twice.bytes);
    free(folded.bytes);
    if (!failed) return HL_OK;
    free(out->bytes);
    return hl_no_memory(error, "a text");
}
