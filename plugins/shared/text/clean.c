/* A text -> what a tokenizer splits, step by step as the code that the rule belongs to does it, without ftfy;
 * knows nothing of tokens. */
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

/* Every run of white space becomes one blank; `separators`: as Python's str.split has it, else as Unicode. */
static void fold(const char *text, size_t length, bool separators, buffer *out) {
    buffer_append(out, "", 0);
    const uint8_t *at = (const uint8_t *)text, *end = at + length;
    bool blank = false;
    for (int size; at < end; at += size) {
        ucs4_t c;
        size = u8_mbtouc(&c, at, (size_t)(end - at));
        bool space = separators ? is_stripped(c) : is_white_space(c);
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

/* Blanks inside stay, those at the ends go. */
static void strip_and_fold(const buffer *text, bool separators, buffer *out) {
    size_t length = text->length;
    const char *stripped = strip(text->bytes, &length);
    fold(stripped, length, separators, out);
    if (out->failed) return;
    length = out->length;
    stripped = strip(out->bytes, &length);
    memmove(out->bytes, stripped, length);
    out->length = length;
}

static bool is_ascii_punctuation(char c) {
    return (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
           (c >= '{' && c <= '~');
}

static void drop_punctuation(const buffer *text, char underscore, buffer *out) {
    buffer_append(out, "", 0);
    for (size_t i = 0; i < text->length; ++i) {
        char c = text->bytes[i];
        if (c == '_' && underscore) buffer_append(out, &underscore, 1);
        if (!is_ascii_punctuation(c)) buffer_append(out, &c, 1);
    }
}

void clean_punctuation(const buffer *text, buffer *out) {
    buffer kept = {0};
    drop_punctuation(text, '\0', &kept);
    if (kept.failed) {
        out->failed = true;
    } else {
        strip_and_fold(&kept, true, out);
    }
    free(kept.bytes);
}

/* One after another, each from what the one before has left in `text`. */
typedef enum step { ENTITIES = 1, FOLD, FOLD_MORE, LOWER, PUNCTUATION, PUNCTUATION_AND_BLANKS } step;

static void take_step(step next, buffer *text) {
    buffer out = {0};
    if (text->failed) return;
    buffer_append(&out, "", 0);
    switch (next) {
    case ENTITIES:
        entities_resolve(text->bytes, text->length, &out);
        break;
    case FOLD:
    case FOLD_MORE:
        strip_and_fold(text, next == FOLD_MORE, &out);
        break;
    case LOWER:
        lower(text->bytes, text->length, &out);
        break;
    case PUNCTUATION:
        drop_punctuation(text, '\0', &out);
        break;
    case PUNCTUATION_AND_BLANKS:
        drop_punctuation(text, ' ', &out);
        break;
    }
    free(text->bytes);
    *text = out;
}

hl_status clean_text(const char *text, text_cleaning how, buffer *out, hl_error *error) {
    enum { STEPS = 6 };
    static const step steps[][STEPS] = {
        [TEXT_AS_IT_IS] = {0},
        [TEXT_LOWER] = {LOWER},
        [TEXT_FOLDED] = {ENTITIES, ENTITIES, FOLD_MORE},
        [TEXT_CLIP] = {ENTITIES, ENTITIES, FOLD, LOWER},
        [TEXT_CANONICAL] = {ENTITIES, ENTITIES, PUNCTUATION_AND_BLANKS, LOWER, FOLD_MORE},
        [TEXT_SIGLIP] = {LOWER, PUNCTUATION, FOLD_MORE},
    };
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
    buffer_append(out, text, length);
    for (size_t i = 0; i < STEPS && steps[how][i]; ++i) take_step(steps[how][i], out);
    if (!out->failed) return HL_OK;
    free(out->bytes);
    return hl_no_memory(error, "a text");
}
