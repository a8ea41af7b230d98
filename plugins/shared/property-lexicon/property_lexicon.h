/* Which properties a text speaks of: "a rusty red car" of colors and vehicles.
 *
 * What is known comes from two places. A table of lines says it of the texts of a pool, each with its
 * properties; of any other text WordNet says it: each word votes for the properties under whose roots its
 * senses lie ("a dog" is an animal as dog#n#1 lies under animal#n#1), the nearest root first, a frequent
 * sense before a rare one. WordNet is read when the first text needs it. */
#ifndef PROPERTY_LEXICON_H
#define PROPERTY_LEXICON_H

#include "headlight/host.h"
#include "headlight/option.h"
#include "wordnet/wordnet.h"

#define LEXICON_WORDNET_FOLDER "/usr/share/wordnet"

/* What users set: rows of an option table, in this order, at its beginning. */
enum { LEXICON_WORDNET, LEXICON_LINES, LEXICON_ROOTS, LEXICON_OPTION_COUNT };
#define LEXICON_OPTIONS                                                                                      \
    [LEXICON_WORDNET] = {.name = "wordnet",                                                                  \
                         .type = HL_PATH,                                                                    \
                         .fallback = "~",                                                                    \
                         .help = "The folder of WordNet's files, read where a text is in no table; left "    \
                                 "out: /usr/share/wordnet, "                                                 \
                                 "Debian's wordnet-base."},                                                  \
    [LEXICON_LINES] = {.name = "pool-properties",                                                            \
                       .type = HL_PATH,                                                                      \
                       .fallback = "~",                                                                      \
                       .help = "What lines of a pool speak of: a text, a tab and its properties, separated " \
                               "by commas, on each line; a text "                                            \
                               "that is there speaks of these and of nothing else."},                        \
    [LEXICON_ROOTS] = {.name = "properties",                                                                 \
                       .type = HL_PATH,                                                                      \
                       .fallback = "~",                                                                      \
                       .help = "Properties and what they are in WordNet, instead of those that are built "   \
                               "in: a property, a tab and a sense, "                                         \
                               "color#n#1, on each line."}

/* Files; NULL: there is none. `roots` NULL: the properties that are built in. `wordnet` NULL: only the table
 * of lines is asked for. */
typedef struct lexicon_files {
    const char *wordnet, *lines, *roots;
} lexicon_files;

/* Those that a user named: `values` of LEXICON_OPTIONS. */
lexicon_files lexicon_named_files(const hl_value *const *values);

typedef struct lexicon_line {
    const char *text;
    const size_t *properties;
    size_t count; /* at least 1 */
} lexicon_line;

typedef struct lexicon lexicon;

/* Reads the tables; HL_FAILED, with file and line, for a line that is none. */
hl_status lexicon_open(const hl_host *host, const lexicon_files *files, lexicon **out, hl_error *error);
void lexicon_close(lexicon *self); /* accepts NULL */

/* The properties, those of the table of lines first. */
size_t lexicon_count(const lexicon *self);
const char *lexicon_property(const lexicon *self, size_t property);
/* Which one is called so, in any case, number and spelling of property-words; SIZE_MAX: none. */
hl_status lexicon_find(lexicon *self, const char *name, size_t *out, hl_error *error);

/* The table of lines, sorted by text. */
size_t lexicon_line_count(const lexicon *self);
lexicon_line lexicon_line_at(const lexicon *self, size_t index);

/* The share of the table's lines that speak of a property, a line of two counting half for each; 0 without a
 * table. */
double lexicon_chance(const lexicon *self, size_t property);

/* A text speaks of a property from this share on. */
#define LEXICON_SPEAKS_OF 0.25

/* shares[0 .. count): how much of the text speaks of each property; they sum to 1, or all are 0 where nothing
 * is known. [one thread at a time] */
hl_status lexicon_read(lexicon *self, const char *text, double *shares, hl_error *error);

/* What a label means that is no property of the lexicon, "birds": the senses of its words together, else of
 * its last one. Empty: WordNet knows no such word. [one thread at a time] */
hl_status lexicon_meaning(lexicon *self, const char *label, wordnet_senses *out, hl_error *error);

/* Whether a word of the text means something that lies under one of these senses. [one thread at a time] */
hl_status lexicon_is_under(lexicon *self, const char *text, const wordnet_senses *roots, bool *out,
                           hl_error *error);

#endif
