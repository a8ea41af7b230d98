/* See property-words.h. */
#include "property-words/property-words.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unicase.h>
#include <uninorm.h>
#include <unistr.h>

/* ---- case and what is around a name ---- */

/* Text that is no UTF-8 keeps its bytes, but for ASCII capitals. */
static char *fold_bytes(const char *name) {
    char *folded = strdup(name);
    for (char *at = folded; at && *at; ++at) *at = (char)tolower((unsigned char)*at);
    return folded;
}

static char *fold_case(const char *name) {
    size_t length = strlen(name), count = 0;
    if (u8_check((const uint8_t *)name, length)) return fold_bytes(name);
    uint8_t *folded = u8_casefold((const uint8_t *)name, length, NULL, UNINORM_NFC, NULL, &count);
    char *grown = folded ? realloc(folded, count + 1) : NULL;
    if (!grown) {
        free(folded);
        return NULL;
    }
    grown[count] = '\0';
    return grown;
}

static bool is_space(char byte) {
    return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

/* In place: one space between words, none around them, and no period at the end. */
static void tidy(char *name) {
    char *to = name;
    for (const char *from = name; *from; ++from) {
        if (!is_space(*from)) {
            *to++ = *from;
        } else if (to > name && to[-1] != ' ') {
            *to++ = ' ';
        }
    }
    while (to > name && (to[-1] == '.' || to[-1] == ' ')) --to;
    *to = '\0';
}

/* ---- plural ---- */

typedef struct irregular {
    const char *plural, *singular;
} irregular;

static const irregular irregulars[] = {
    {"people", "person"},      {"children", "child"},       {"feet", "foot"},
    {"teeth", "tooth"},        {"geese", "goose"},          {"mice", "mouse"},
    {"leaves", "leaf"},        {"knives", "knife"},         {"wolves", "wolf"},
    {"shelves", "shelf"},      {"scarves", "scarf"},        {"halves", "half"},
    {"lives", "life"},         {"wives", "wife"},           {"loaves", "loaf"},
    {"calves", "calf"},        {"thieves", "thief"},        {"hooves", "hoof"},
    {"elves", "elf"},          {"analyses", "analysis"},    {"bacteria", "bacterium"},
    {"criteria", "criterion"}, {"phenomena", "phenomenon"},
};

static bool ends_with(const char *word, size_t length, const char *ending) {
    size_t count = strlen(ending);
    return length >= count && memcmp(word + length - count, ending, count) == 0;
}

static bool has_any_ending(const char *word, size_t length, const char *const *endings) {
    while (*endings && !ends_with(word, length, *endings)) ++endings;
    return *endings != NULL;
}

/* One step from a plural to its singular, of a word and then again of what is left; the same steps are taken
 * from the singular, so that both end alike, whatever is left: churches and church, shoes and shoe, cities
 * and city, movies and movie. Returns the length that is left. */
static size_t shorten(char *word, size_t length) {
    static const char *const no_plurals[] = {"ss", "us", "is", NULL};
    static const char *const silent[] = {"che", "she", "xe", "se", "ze", "oe", NULL};
    if (length <= 3) return length;
    if (length > 4 && ends_with(word, length, "ies")) { /* but ties */
        word[length - 3] = 'y';
        return length - 2;
    }
    if (ends_with(word, length, "ie")) {
        word[length - 2] = 'y';
        return length - 1;
    }
    bool plural = word[length - 1] == 's' && !has_any_ending(word, length, no_plurals);
    return plural || has_any_ending(word, length, silent) ? length - 1 : length;
}

/* In place; room for an irregular singular, which may be longer. */
static void make_singular(char *word) {
    for (size_t i = 0; i < sizeof irregulars / sizeof *irregulars; ++i) {
        if (strcmp(word, irregulars[i].plural) == 0) strcpy(word, irregulars[i].singular);
    }
    size_t length = strlen(word), before;
    do {
        before = length;
        length = shorten(word, before);
    } while (length < before);
    word[length] = '\0';
    if (ends_with(word, length, "men")) word[length - 2] = 'a'; /* women, snowmen */
}

/* ---- keys ---- */

char *property_key(const char *name) {
    enum { LONGER = 8 }; /* than an irregular plural its singular may be */
    char *folded = fold_case(name);
    char *key = folded ? realloc(folded, strlen(folded) + 1 + LONGER) : NULL;
    if (!key) {
        free(folded);
        return NULL;
    }
    tidy(key);
    char *last = strrchr(key, ' ');
    make_singular(last ? last + 1 : key);
    return key;
}

bool property_key_is_none(const char *key) {
    static const char *const names[] = {"", "mixed", "none", "unknown"};
    for (size_t i = 0; i < sizeof names / sizeof *names; ++i) {
        if (strcmp(key, names[i]) == 0) return true;
    }
    return false;
}
