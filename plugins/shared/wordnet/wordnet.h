/* WordNet's database: which senses a word has, the most frequent first, and what lies above a sense.
 *
 * The files of Princeton's WordNet 3 (index.noun, data.noun, noun.exc and so on for verb, adj and adv), as
 * Debian's wordnet-base has them in /usr/share/wordnet. They are read whole and asked where they lie: an
 * index by binary search, data by the offsets that it names. Nothing in them is trusted: what is not as the
 * format says is an error that names file and byte, and no cycle is walked twice.
 *
 * Words are in lower case, with '_' for a blank. */
#ifndef WORDNET_H
#define WORDNET_H

#include "headlight/host.h"

typedef enum wordnet_part {
    WORDNET_NOUN,
    WORDNET_VERB,
    WORDNET_ADJECTIVE,
    WORDNET_ADVERB,
    WORDNET_PARTS
} wordnet_part;

enum {
    WORDNET_LONGEST = 128, /* of a word, with its NUL; longer ones are not in it */
    WORDNET_MOST_FORMS = 8,
    WORDNET_MOST_SENSES = 96,
    WORDNET_MOST_ABOVE = 512
};

/* A synset: where it lies in its part's data. */
typedef struct wordnet_sense {
    wordnet_part part;
    uint32_t offset;
} wordnet_sense;

typedef struct wordnet_senses {
    wordnet_sense at[WORDNET_MOST_SENSES];
    size_t count; /* 0: the word is not in it */
} wordnet_senses;

/* A sense and what lies above it: `at[0]` is itself, what is near comes first, nothing comes twice. */
typedef struct wordnet_above {
    wordnet_sense at[WORDNET_MOST_ABOVE];
    size_t count;
} wordnet_above;

typedef struct wordnet_forms {
    char at[WORDNET_MOST_FORMS][WORDNET_LONGEST];
    size_t count;
} wordnet_forms;

typedef struct wordnet wordnet;

/* Read only, once it is open; `folder` outlives it. [any thread] */
hl_status wordnet_open(const hl_host *host, const char *folder, wordnet **out, hl_error *error);
void wordnet_close(wordnet *self); /* accepts NULL */

/* One file of a part, "index", "data" or "exc", in memory; NULL or a file that is not set is empty. For tests
 * of the parser. `bytes` has a NUL behind its last, and stays the caller's. */
typedef struct wordnet_text {
    const char *bytes;
    size_t count;
} wordnet_text;
typedef struct wordnet_texts {
    wordnet_text index, data, exceptions;
} wordnet_texts;
hl_status wordnet_of_texts(const wordnet_texts texts[WORDNET_PARTS], wordnet **out, hl_error *error);

/* The senses of a word as it is written, the most frequent first. */
hl_status wordnet_find(const wordnet *self, wordnet_part part, const char *word, wordnet_senses *out,
                       hl_error *error);

/* The words of this part that a form may stand for, "mice" for "mouse": itself if it is one, what the lists
 * of exceptions say, else what the rules of detachment lead to. Of several words, the last is inflected. */
void wordnet_base_forms(const wordnet *self, wordnet_part part, const char *word, wordnet_forms *out);

/* A noun: what it is a kind or an instance of, up to the top. An adjective or adverb: what it is similar to,
 * and the nouns that it is a value of, belongs to or is made from, with all above them. A verb: what it is a
 * way of, and the nouns that are made from it, with all above them. */
hl_status wordnet_climb(const wordnet *self, wordnet_sense from, wordnet_above *out, hl_error *error);

#endif
