/* See number.h. */
#include "core/io/number.h"

#include "core/io/locale.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool number_whole(const char *text, int64_t *out) {
    const char *digits = text + (*text == '-' || *text == '+');
    if (!*digits || digits[strspn(digits, "0123456789")]) return false;
    errno = 0;
    *out = strtoll(text, NULL, 10);
    return errno == 0;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool is_real(const char *text) {
    text += *text == '-' || *text == '+';
    size_t before = strspn(text, "0123456789"), after = 0;
    text += before;
    if (*text == '.') {
        after = strspn(text + 1, "0123456789");
        text += 1 + after;
    }
    if (before + after == 0) return false;
    if (*text != 'e' && *text != 'E') return !*text;
    ++text;
    text += *text == '-' || *text == '+';
    return *text && !text[strspn(text, "0123456789")];
}

bool number_real(const char *text, double *out) {
    if (!is_real(text)) return false;
    *out = strtod_l(text, NULL, locale_plain());
    return isfinite(*out);
}

void number_print(double number, int digits, char *out, size_t size) {
    locale_t before = locale_enter();
    snprintf(out, size, "%.*g", digits, number);
    locale_leave(before);
}
