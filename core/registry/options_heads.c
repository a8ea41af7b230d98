/* What the entries of an HL_HEADS option may say: L3.H5, L3, all, aggregate, and sums of heads with weights.
 * Knows the writing, never which heads a model has. */
#include "core/registry/option_values.h"

#include "core/io/number.h"
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

static bool parse_number(const char **text, char letter, int32_t *out) {
    if (**text != letter) return false;
    size_t digits = strspn(*text + 1, "0123456789");
    bool padded = digits > 1 && (*text)[1] == '0'; /* L03: no head is called so */
    if (digits == 0 || digits > 6 || padded) return false;
    *out = (int32_t)strtol(*text + 1, NULL, 10);
    *text += 1 + digits;
    return true;
}

bool option_selector(const char *text, head_selector *out) {
    *out = (head_selector){-1, -1, strcmp(text, "aggregate") == 0};
    if (out->aggregate || strcmp(text, "all") == 0) return true;
    if (!parse_number(&text, 'L', &out->layer)) return false;
    if (!*text) return true;
    return *text++ == '.' && parse_number(&text, 'H', &out->head) && !*text;
}

bool option_is_sum(const char *text) {
    return strpbrk(text, "+*") != NULL;
}

/* ---- terms of a sum ---- */

static hl_status fail_term(hl_error *error, const char *expected, const char *at) {
    if (!*at) return hl_fail(error, HL_USAGE, "expected %s, got nothing", expected);
    return hl_fail(error, HL_USAGE, "expected %s, got \"%.60s\"", expected, at);
}

/* Takes a word off the front, and the blanks behind it. False when it is longer than any that is right. */
static bool take_word(const char **text, size_t length, char *out, size_t size) {
    if (length >= size) return false;
    memcpy(out, *text, length);
    out[length] = '\0';
    *text += length;
    *text += strspn(*text, blanks);
    return true;
}

/* WEIGHT and `*`, where there is one. */
static hl_status read_weight(const char **text, double *out, hl_error *error) {
    char word[32];
    const char *at = *text;
    *out = 1;
    if (strspn(at, "-.0123456789") == 0) return HL_OK;
    bool right = take_word(text, strspn(at, "+-.0123456789eE"), word, sizeof word) &&
                 number_real(word, out) && *out > 0 && *out <= OPTION_LARGEST_WEIGHT && **text == '*';
    if (!right) return fail_term(error, "a weight above 0 and at most 1e6, as in 0.7*L3.H5", at);
    *text += 1 + strspn(*text + 1, blanks);
    return HL_OK;
}

static hl_status read_heads(const char **text, head_selector *out, hl_error *error) {
    char word[32];
    const char *at = *text;
    bool right = take_word(text, strcspn(at, " \t\r\n+*"), word, sizeof word) && option_selector(word, out);
    if (!right) return fail_term(error, "L3.H5, L3 or all, with or without a weight as in 0.7*L3.H5", at);
    if (!out->aggregate) return HL_OK;
    return hl_fail(error, HL_USAGE, "\"aggregate\" has no place in a sum; write all");
}

hl_status option_term(const char **text, head_term *out, hl_error *error) {
    *text += strspn(*text, blanks);
    hl_status status = read_weight(text, &out->weight, error);
    if (status == HL_OK) status = read_heads(text, &out->heads, error);
    if (status != HL_OK) return status;
    if (**text && **text != '+') return fail_term(error, "\"+\" or the end", *text);
    *text = **text ? *text + 1 : NULL;
    return HL_OK;
}
