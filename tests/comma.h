/* A program that speaks with a decimal comma. */
#ifndef TESTS_COMMA_H
#define TESTS_COMMA_H

#include <stdbool.h>

/* Sets such a locale: one of this machine, or one that localedef makes below `folder`; false: neither can be
 * had. */
bool comma_set(const char *folder);
void comma_unset(void);

/* Whether this thread still writes one. */
bool comma_is_set(void);

#endif
