/* "Did you mean": the valid name that a wrong word most likely stands for. */
#ifndef SUGGEST_H
#define SUGGEST_H

#include <stddef.h>

/* The name within a slip or two of the keyboard of `word`; NULL when none is that close. */
const char *suggest_nearest(const char *word, const char *const *names, size_t count);

/* The end of a sentence about a wrong word, cut to `size` bytes: `; did you mean "opacity"?` or, when no name
 * is close, `; valid are: images, texts`. Empty when there are no names. */
void suggest(char *out, size_t size, const char *word, const char *const *names, size_t count);

#endif
