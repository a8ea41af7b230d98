/* Splits a cleaned text into words as CLIP's pattern does and encodes each with the merges. Knows nothing of
 * HTML, case or the merges' file. */
#include "words.h"

#include "text/clean.h"
#include <unictype.h>
#include <unistr.h>

/* SPACE: white space and whatever else the pattern passes over. */
typedef enum kind { SPACE, LETTER, NUMBER, OTHER } kind;

/* U+0345 is a mark whose other case is a letter, so that the pattern, where it disregards case, counts it
 * neither among the letters nor among the rest. */
static kind kind_of(ucs4_t c, bool any_case) {
    if (c == 0x345 && any_case) return SPACE;
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_L)) return LETTER;
    if (uc_is_general_category_withtable(c, UC_CATEGORY_MASK_N)) return NUMBER;
    return is_white_space(c) ? SPACE : OTHER;
}

/* Bytes of `text` that match `pattern`, 0 if it does not begin so. Without regard to case lower-cased letters
 * have one other spelling: the long s. */
static size_t literal(const char *text, size_t length, const char *pattern, bool any_case) {
    static const char long_s[] = "\u017f";
    size_t i = 0;
    for (; *pattern; ++pattern) {
        bool is_long_s = any_case && *pattern == 's' && length - i >= 2 && memcmp(text + i, long_s, 2) == 0;
        if (!is_long_s && (i == length || text[i] != *pattern)) return 0;
        i += is_long_s ? 2 : 1;
    }
    return i;
}

static const char start_word[] = "<start_of_text>", end_word[] = "<end_of_text>";

/* Bytes of the first word of a text that begins with no white space. */
static size_t word_length(const char *text, size_t length, bool any_case) {
    static const char *const literals[] = {start_word, end_word, "'s", "'t", "'re", "'ve", "'m", "'ll", "'d"};
    for (size_t i = any_case ? 0 : 2; i < sizeof literals / sizeof *literals; ++i) {
        size_t matched = literal(text, length, literals[i], any_case);
        if (matched) return matched;
    }
    ucs4_t c;
    size_t used = (size_t)u8_mbtouc(&c, (const uint8_t *)text, length);
    kind first = kind_of(c, any_case);
    while (first != NUMBER && used < length) {
        int size = u8_mbtouc(&c, (const uint8_t *)text + used, length - used);
        if (kind_of(c, any_case) != first) break;
        used += (size_t)size;
    }
    return used;
}

size_t words_next(const char **text, size_t *length, bool any_case) {
    while (*length > 0) {
        ucs4_t c;
        size_t used = (size_t)u8_mbtouc(&c, (const uint8_t *)*text, *length);
        if (kind_of(c, any_case) != SPACE) return word_length(*text, *length, any_case);
        *text += used;
        *length -= used;
    }
    return 0;
}

static hl_status encode_word(const merges *table, const char *text, size_t length, token_ids *out,
                             hl_error *error) {
    uint32_t *symbols = malloc(length * sizeof *symbols);
    if (!symbols) return hl_no_memory(error, "a word");
    for (size_t i = 0; i < length; ++i) symbols[i] = merges_byte(table, (uint8_t)text[i], i + 1 == length);
    size_t count = length;
    hl_status status = pair_table_merge(merges_pairs(table), MERGE_IN_ROUNDS, symbols, &count, error);
    for (size_t i = 0; status == HL_OK && i < count; ++i) token_ids_add(out, merges_id(table, symbols[i]));
    free(symbols);
    return status;
}

static bool equals(const char *text, size_t length, const char *other) {
    return length == strlen(other) && memcmp(text, other, length) == 0;
}

hl_status words_encode(const merges *table, const char *text, size_t length, token_ids *out,
                       hl_error *error) {
    for (size_t used; out->count < out->room && (used = words_next(&text, &length, true)) > 0;) {
        hl_status status = HL_OK;
        if (equals(text, used, start_word)) {
            token_ids_add(out, merges_start(table));
        } else if (equals(text, used, end_word)) {
            token_ids_add(out, merges_end(table));
        } else {
            status = encode_word(table, text, used, out, error);
        }
        if (status) return status;
        text += used;
        length -= used;
    }
    return HL_OK;
}
