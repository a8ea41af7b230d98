/* See normal.h. */
#include "normal.h"

#include <unicase.h>
#include <unictype.h>
#include <unigbrk.h>
#include <uninorm.h>
#include <unistr.h>

static const char line[] = "\u2581";

static void compose(const buffer *text, uninorm_t form, buffer *out) {
    size_t count = 0;
    uint8_t *made = u8_normalize(form, (const uint8_t *)text->bytes, text->length, NULL, &count);
    if (made) {
        buffer_append(out, (const char *)made, count);
    } else {
        out->failed = text->length > 0;
    }
    free(made);
}

static size_t size_at(const char *text, size_t length) {
    ucs4_t c;
    return (size_t)u8_mbtouc(&c, (const uint8_t *)text, length);
}

/* What a step makes of one character. */
typedef void each(ucs4_t c, const char *bytes, size_t size, buffer *out);

static void for_each(const buffer *text, each *what, buffer *out) {
    for (size_t i = 0, size; i < text->length; i += size) {
        ucs4_t c;
        size = (size_t)u8_mbtouc(&c, (const uint8_t *)text->bytes + i, text->length - i);
        what(c, text->bytes + i, size, out);
    }
}

static void lower_one(ucs4_t c, const char *bytes, size_t size, buffer *out) {
    if (c == 0x3a3) {
        buffer_append(out, "\u03c3", 2);
        return;
    }
    uint8_t room[32];
    size_t count = sizeof room;
    uint8_t *lowered = u8_tolower((const uint8_t *)bytes, size, NULL, NULL, room, &count);
    if (lowered) {
        buffer_append(out, (const char *)lowered, count);
    } else {
        out->failed = true;
    }
    if (lowered != room) free(lowered);
}

static void fold_one(ucs4_t c, const char *bytes, size_t size, buffer *out) {
    if (!is_white_space(c)) {
        buffer_append(out, bytes, size);
    } else if (out->length == 0 || out->bytes[out->length - 1] != ' ') {
        buffer_append(out, " ", 1);
    }
}

static void join_blanks(const buffer *text, bool trims, buffer *out) {
    for (size_t i = 0; i < text->length; ++i) {
        bool blank = text->bytes[i] == ' ';
        bool follows = out->length > 0 ? out->bytes[out->length - 1] == ' ' : trims;
        if (!blank || !follows) buffer_append(out, &text->bytes[i], 1);
    }
    if (trims && out->length > 0 && out->bytes[out->length - 1] == ' ') --out->length;
}

static void line_one(ucs4_t c, const char *bytes, size_t size, buffer *out) {
    if (c == ' ') {
        buffer_append(out, line, sizeof line - 1);
    } else {
        buffer_append(out, bytes, size);
    }
}

static void strip(const buffer *text, bool left, buffer *out) {
    const uint8_t *start = (const uint8_t *)text->bytes, *end = start + text->length;
    ucs4_t c;
    while (left && start < end) {
        int size = u8_mbtouc(&c, start, (size_t)(end - start));
        if (!is_white_space(c)) break;
        start += size;
    }
    for (const uint8_t *last; !left && start < end; end = last) {
        last = u8_prev(&c, end, start);
        if (!last || !is_white_space(c)) break;
    }
    buffer_append(out, (const char *)start, (size_t)(end - start));
}

/* A cluster that is short is replaced as a whole if anything that it begins with is known, else each of its
 * characters is looked up: so Hugging Face's tokenizers do it. */
static void map_cluster(const charsmap *map, const char *text, size_t length, buffer *out) {
    enum { SHORT = 6 };
    size_t used;
    const char *found = length < SHORT ? charsmap_shortest(map, text, length, &used) : NULL;
    if (found) {
        buffer_append(out, found, strlen(found));
        return;
    }
    for (size_t i = 0, size; i < length; i += size) {
        size = size_at(text + i, length - i);
        found = charsmap_shortest(map, text + i, size, &used);
        buffer_append(out, found ? found : text + i, found ? strlen(found) : size);
    }
}

static void map_clusters(const charsmap *map, const buffer *text, buffer *out) {
    const uint8_t *at = (const uint8_t *)text->bytes, *end = at + text->length;
    while (at < end) {
        const uint8_t *next = u8_grapheme_next(at, end);
        if (!next || next <= at) next = end;
        map_cluster(map, (const char *)at, (size_t)(next - at), out);
        at = next;
    }
}

static void map_longest(const charsmap *map, const buffer *text, buffer *out) {
    for (size_t i = 0, used; i < text->length; i += used) {
        const char *found = charsmap_longest(map, text->bytes + i, text->length - i, &used);
        if (!found) used = size_at(text->bytes + i, text->length - i);
        buffer_append(out, found ? found : text->bytes + i, found ? strlen(found) : used);
    }
}

static void bert_clean_one(ucs4_t c, const char *bytes, size_t size, buffer *out) {
    const uint32_t control = UC_CATEGORY_MASK_Cc | UC_CATEGORY_MASK_Cf | UC_CATEGORY_MASK_Co;
    bool kept = c == '\t' || c == '\n' || c == '\r' || !uc_is_general_category_withtable(c, control);
    if (!kept || c == 0xfffd) return;
    bool blank = is_white_space(c);
    buffer_append(out, blank ? " " : bytes, blank ? 1 : size);
}

static bool is_chinese(ucs4_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0x20000 && c <= 0x2a6df) ||
           (c >= 0x2a700 && c <= 0x2b73f) || (c >= 0x2b740 && c <= 0x2b81f) ||
           (c >= 0x2b920 && c <= 0x2ceaf) || (c >= 0xf900 && c <= 0xfaff) || (c >= 0x2f800 && c <= 0x2fa1f);
}

static void chinese_one(ucs4_t c, const char *bytes, size_t size, buffer *out) {
    bool apart = is_chinese(c);
    if (apart) buffer_append(out, " ", 1);
    buffer_append(out, bytes, size);
    if (apart) buffer_append(out, " ", 1);
}

static void no_accent_one(ucs4_t c, const char *bytes, size_t size, buffer *out) {
    if (!uc_is_general_category_withtable(c, UC_CATEGORY_MASK_Mn)) buffer_append(out, bytes, size);
}

static void no_accents(const buffer *text, buffer *out) {
    buffer apart = {0};
    buffer_append(&apart, "", 0);
    compose(text, UNINORM_NFD, &apart);
    if (apart.failed) {
        out->failed = true;
    } else {
        for_each(&apart, no_accent_one, out);
    }
    free(apart.bytes);
}

static void take(normal_step step, const charsmap *map, const buffer *text, buffer *out) {
    switch (step) {
    case NORMAL_NFC:
        compose(text, UNINORM_NFC, out);
        break;
    case NORMAL_NFD:
        compose(text, UNINORM_NFD, out);
        break;
    case NORMAL_NFKC:
        compose(text, UNINORM_NFKC, out);
        break;
    case NORMAL_NFKD:
        compose(text, UNINORM_NFKD, out);
        break;
    case NORMAL_LOWER:
        for_each(text, lower_one, out);
        break;
    case NORMAL_FOLD:
        for_each(text, fold_one, out);
        break;
    case NORMAL_BLANKS:
        join_blanks(text, false, out);
        break;
    case NORMAL_TRIM:
        join_blanks(text, true, out);
        break;
    case NORMAL_LINES:
        for_each(text, line_one, out);
        break;
    case NORMAL_STRIP_LEFT:
        strip(text, true, out);
        break;
    case NORMAL_STRIP_RIGHT:
        strip(text, false, out);
        break;
    case NORMAL_CHARSMAP:
        map_clusters(map, text, out);
        break;
    case NORMAL_SENTENCE:
        map_longest(map, text, out);
        break;
    case NORMAL_PUNCTUATION:
        clean_punctuation(text, out);
        break;
    case NORMAL_BERT_CLEAN:
        for_each(text, bert_clean_one, out);
        break;
    case NORMAL_BERT_CHINESE:
        for_each(text, chinese_one, out);
        break;
    case NORMAL_NO_ACCENTS:
        no_accents(text, out);
        break;
    }
}

void normal_apply(normal_step step, const charsmap *map, buffer *text) {
    buffer out = {0};
    if (text->failed) return;
    buffer_append(&out, "", 0);
    take(step, map, text, &out);
    free(text->bytes);
    *text = out;
}
