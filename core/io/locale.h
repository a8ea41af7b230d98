/* What printf and strtod write and read, and what counts as a letter, must not depend on where the program
 * that holds the library runs: while the library works, the thread's locale is "C". */
#ifndef LOCALE_H
#define LOCALE_H

#include <locale.h>

/* glibc's own object, made without memory: this cannot fail. */
static inline locale_t locale_plain(void) {
    return newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* What the thread's locale was, for `locale_leave`. */
static inline locale_t locale_enter(void) {
    return uselocale(locale_plain());
}

static inline void locale_leave(locale_t before) {
    uselocale(before);
}

#endif
