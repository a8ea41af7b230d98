/* See selection_terms.h. Knows the writing, never what a model has. */
#include "core/registry/selection_terms.h"

#include "core/io/number.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t\r\n";

static void skip_blanks(const char **text) {
    *text += strspn(*text, blanks);
}

/* ---- one term ---- */

static bool take_number(const char **text, char letter, int32_t *out) {
    if (**text != letter) return false;
    size_t digits = strspn(*text + 1, "0123456789");
    bool padded = digits > 1 && (*text)[1] == '0'; /* L03: nothing is called so */
    if (digits == 0 || digits > 6 || padded) return false;
    *out = (int32_t)strtol(*text + 1, NULL, 10);
    *text += 1 + digits;
    return true;
}

static bool ends_here(const char *text) {
    return !isalnum((unsigned char)*text) && *text != '.' && *text != '_';
}

static bool take_word(const char **text, const char *word) {
    size_t length = strlen(word);
    if (strncmp(*text, word, length) != 0 || !ends_here(*text + length)) return false;
    *text += length;
    return true;
}

static bool take_named(const char **text, selection_term *out) {
    static const struct {
        const char *word;
        term_kind kind;
    } words[] = {
        {"all", TERM_HEADS},           {"input", TERM_INPUT},         {"remainder", TERM_REMAINDER},
        {"aggregate", TERM_AGGREGATE}, {"embedding", TERM_EMBEDDING},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; ++i) {
        out->kind = words[i].kind;
        if (take_word(text, words[i].word)) return true;
    }
    return false;
}

/* What may follow a layer's number or name. */
static bool take_part(const char **text, selection_term *out) {
    out->kind = TERM_MLP;
    if (take_word(text, "MLP")) return true;
    out->kind = TERM_HEADS;
    return take_number(text, 'H', &out->head);
}

/* pool.H5, pool.MLP: of what no number is said. */
static bool take_group(const char **text, selection_term *out) {
    static const char small[] = "abcdefghijklmnopqrstuvwxyz";
    const char *at = *text;
    out->group = at;
    out->group_length = strspn(at, small);
    at += out->group_length;
    if (out->group_length == 0 || *at++ != '.' || !take_part(&at, out) || !ends_here(at)) return false;
    *text = at;
    return true;
}

/* What may follow a layer: .H5, .MLP, -L11 or nothing. */
static bool take_rest_of_layer(const char **text, selection_term *out) {
    const char *at = *text;
    out->last = out->first;
    out->kind = TERM_HEADS;
    if (*at == '.') {
        ++at;
        if (!take_part(&at, out)) return false;
    } else if (*at == '-') {
        ++at;
        if (!take_number(&at, 'L', &out->last)) at = *text; /* a minus */
    }
    *text = at;
    return ends_here(at);
}

static bool take_term(const char **text, selection_term *out) {
    *out = (selection_term){.first = -1, .last = -1, .head = -1, .weight = 1};
    const char *at = *text;
    bool right = take_named(&at, out) || take_group(&at, out);
    if (!right) {
        *out = (selection_term){.first = -1, .last = -1, .head = -1, .weight = 1};
        at = *text;
        right = take_number(&at, 'L', &out->first) && take_rest_of_layer(&at, out);
    }
    if (right) *text = at;
    return right;
}

bool term_alone(const char *entry, selection_term *out) {
    return take_term(&entry, out) && !*entry;
}

bool term_is_sum(const char *entry) {
    selection_term first;
    if (strpbrk(entry, "+*")) return true;
    skip_blanks(&entry);
    if (*entry == '-') return true;
    if (!take_term(&entry, &first)) return false;
    skip_blanks(&entry);
    return *entry == '-';
}

/* ---- sums ---- */

static hl_status fail_term(hl_error *error, const char *expected, const char *at) {
    if (!*at) return hl_fail(error, HL_USAGE, "expected %s, got nothing", expected);
    return hl_fail(error, HL_USAGE, "expected %s, got \"%.60s\"", expected, at);
}

/* Takes `length` bytes off, which must fit. */
static bool take_bytes(const char **text, size_t length, char *out, size_t size) {
    if (length >= size) return false;
    memcpy(out, *text, length);
    out[length] = '\0';
    *text += length;
    return true;
}

/* WEIGHT and `*`, where there is one. */
static hl_status take_weight(const char **text, double *out, hl_error *error) {
    char word[32];
    const char *at = *text;
    *out = 1;
    if (strspn(at, ".0123456789") == 0) return HL_OK;
    bool right = take_bytes(text, strspn(at, "+-.0123456789eE"), word, sizeof word) &&
                 number_real(word, out) && *out > 0 && *out <= SELECTION_LARGEST_WEIGHT;
    skip_blanks(text);
    if (!right || **text != '*') {
        return fail_term(error, "a weight other than 0 and at most 1e6, as in 0.7*L3.H5", at);
    }
    ++*text;
    skip_blanks(text);
    return HL_OK;
}

static hl_status take_summand(const char **text, uint32_t flags, selection_term *out, hl_error *error) {
    bool all = flags & HL_OPTION_ALL_COMPONENTS;
    if (!take_term(text, out)) {
        return fail_term(error,
                         all ? "L3.H5, L3, L8-L11, all, L3.MLP or input, with or without a weight as in "
                               "0.7*L3.H5"
                             : "L3.H5, L3, L8-L11 or all, with or without a weight as in 0.7*L3.H5",
                         *text);
    }
    if (out->kind == TERM_AGGREGATE) {
        return hl_fail(error, HL_USAGE, "\"aggregate\" has no place in a sum; write all");
    }
    if (out->kind != TERM_EMBEDDING) return HL_OK;
    return hl_fail(error, HL_USAGE, "\"embedding\", the sum of everything, has no place in a sum");
}

hl_status term_next(const char **text, uint32_t flags, selection_term *out, hl_error *error) {
    double weight = 1;
    skip_blanks(text);
    bool negative = **text == '-';
    if (negative) ++*text;
    skip_blanks(text);
    hl_status status = take_weight(text, &weight, error);
    if (status == HL_OK) status = take_summand(text, flags, out, error);
    if (status != HL_OK) return status;
    out->weight = negative ? -weight : weight;
    skip_blanks(text);
    if (!**text) {
        *text = NULL;
        return HL_OK;
    }
    if (**text == '+') {
        ++*text;
        return HL_OK;
    }
    if (**text == '-') return HL_OK; /* the sign of the next */
    return fail_term(error, "\"+\", \"-\" or the end", *text);
}
