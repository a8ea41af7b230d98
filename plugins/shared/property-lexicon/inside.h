/* What the files of this folder share. */
#ifndef PROPERTY_LEXICON_INSIDE_H
#define PROPERTY_LEXICON_INSIDE_H

#include "pool/pool.h"
#include "property-lexicon/property_lexicon.h"

typedef struct known_line {
    const char *text;
    size_t first, count; /* in `of_lines` */
} known_line;

/* A sense under which a property lies. */
typedef struct root {
    size_t property;
    char sense[WORDNET_LONGEST]; /* as written, "color#n#1" */
    size_t line;                 /* in the file; 0: it is built in */
    wordnet_sense at;            /* once WordNet is read */
} root;

enum { LEXICON_MOST_WORDS = 64 }; /* of a text; further ones have no say */

typedef struct text_words {
    char at[LEXICON_MOST_WORDS][WORDNET_LONGEST];
    size_t count;
} text_words;

struct lexicon {
    const hl_host *host;
    lexicon_files files; /* not owned: the caller's options outlive it */
    const char **properties;
    char **keys; /* of properties, as property-words.h compares them; NULL: not asked for yet */
    size_t property_count;
    char *texts_of_lines, *texts_of_roots, *room; /* names and texts, and where the next one goes */
    known_line *lines;
    size_t line_count;
    size_t *of_lines, of_line_count; /* properties of all lines */
    double *chances;                 /* by property; properties of the table of lines only */
    root *roots;
    size_t root_count;
    wordnet *words;  /* NULL: not read yet */
    text_words text; /* in hand */
    double *votes;   /* by property, of one of its words */
};

hl_status lexicon_read_lines(lexicon *self, hl_error *error);
hl_status lexicon_read_roots(lexicon *self, hl_error *error);
hl_status lexicon_need_words(lexicon *self, hl_error *error);
bool lexicon_lookup(const lexicon *self, const char *text, size_t *line);

/* The table of properties that is built in: names, each with its senses, separated by blanks; ends with
 * NULL. */
typedef struct built_in {
    const char *property, *senses;
} built_in;
extern const built_in lexicon_built_in[];

#endif
