/* When two names of properties are one: "Animals.", "animal" and " ANIMALS" are, "birds" and "animals" are
 * not. Case, plural, and spaces and periods around a name do not count. */
#ifndef PROPERTY_WORDS_H
#define PROPERTY_WORDS_H

#include <stdbool.h>

/* The same text for all names of one property; for comparing, never for showing: a key is no word
 * ("houses" and "house" are both "hous"). free() it; NULL: no memory. */
char *property_key(const char *name);

/* Whether a labeller says by this name that it found nothing in common: "mixed", "none", "unknown", or
 * nothing at all. Takes a key. */
bool property_key_is_none(const char *key);

#endif
