/* Nearest names. Knows words and nothing of what they name. */
#include "core/registry/suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_WORD = 48, FAR = LONGEST_WORD };

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Insertions, deletions, changes and swaps of neighbours that turn one word into the other (Damerau 1964, in
 * the restricted form that touches no letter twice). */
static size_t distance(const char *a, const char *b) {
    size_t rows[3][LONGEST_WORD + 1];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > LONGEST_WORD || b_length > LONGEST_WORD) return FAR;
    for (size_t j = 0; j <= b_length; ++j) rows[0][j] = j;
    for (size_t i = 1; i <= a_length; ++i) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; ++j) {
            size_t change = above[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = smaller(change, smaller(above[j], row[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                row[j] = smaller(row[j], two_above[j - 2] + 1);
            }
        }
    }
    return rows[a_length % 3][b_length];
}

const char *suggest_nearest(const char *word, const char *const *names, size_t count) {
    const char *nearest = NULL;
    size_t least = FAR;
    for (size_t i = 0; i < count; ++i) {
        size_t found = distance(word, names[i]);
        if (found < least) {
            least = found;
            nearest = names[i];
        }
    }
    /* One slip in a short word, another for every five letters; never all of the word. */
    bool close = nearest && least <= 1 + strlen(nearest) / 5 && least < strlen(nearest);
    return close ? nearest : NULL;
}

void suggest(char *out, size_t size, const char *word, const char *const *names, size_t count) {
    const char *nearest = suggest_nearest(word, names, count);
    if (nearest) {
        snprintf(out, size, "; did you mean \"%s\"?", nearest);
        return;
    }
    size_t used = 0;
    *out = '\0';
    for (size_t i = 0; i < count && used < size; ++i) {
        int written = snprintf(out + used, size - used, "%s%s", i ? ", " : "; valid are: ", names[i]);
        if (written > 0) used += (size_t)written;
    }
}
