/* See property_lexicon.h: what WordNet says of a text. */
#include "property-lexicon/inside.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_TOGETHER = 4, /* words that WordNet may know as one, "traffic light" */
    COUNTED_SENSES = 3
};

/* ---- roots ---- */

static const char part_letters[] = "nvar";

static hl_status wrong_root(const lexicon *self, const root *of, const char *why, hl_error *error) {
    const char *path = self->files.roots ? self->files.roots : "the properties that are built in";
    return hl_fail(error, HL_FAILED,
                   "%s:%zu: \"%.100s\": %s: write word#part#sense, as color#n#1 (parts n, v, a, r)", path,
                   of->line, of->sense, why);
}

static hl_status resolve(const lexicon *self, root *of, hl_error *error) {
    char word[WORDNET_LONGEST];
    const char *mark = strchr(of->sense, '#');
    const char *letter = mark && mark[1] ? strchr(part_letters, mark[1]) : NULL;
    size_t length = mark ? (size_t)(mark - of->sense) : 0;
    if (length == 0 || length >= sizeof word || !letter || mark[2] != '#' || !isdigit((unsigned char)mark[3]))
        return wrong_root(self, of, "no sense of WordNet's", error);
    snprintf(word, sizeof word, "%.*s", (int)length, of->sense);
    wordnet_senses senses;
    hl_status status = wordnet_find(self->words, (wordnet_part)(letter - part_letters), word, &senses, error);
    if (status != HL_OK) return status;
    unsigned long number = strtoul(mark + 3, NULL, 10);
    if (number < 1 || number > senses.count) return wrong_root(self, of, "WordNet has no such sense", error);
    of->at = senses.at[number - 1];
    return HL_OK;
}

hl_status lexicon_need_words(lexicon *self, hl_error *error) {
    if (self->words) return HL_OK;
    hl_status status = wordnet_open(self->host, self->files.wordnet, &self->words, error);
    for (size_t i = 0; i < self->root_count && status == HL_OK; ++i)
        status = resolve(self, &self->roots[i], error);
    if (status == HL_OK) return HL_OK;
    wordnet_close(self->words);
    self->words = NULL;
    return status;
}

/* ---- the words of a text ---- */

/* Bytes of UTF-8 beyond ASCII belong to words, as they are. */
static bool in_word(char c) {
    return isalnum((unsigned char)c) || c == '\'' || ((unsigned char)c & 0x80);
}

static void take_words(const char *text, text_words *out) {
    out->count = 0;
    while (*text && out->count < LEXICON_MOST_WORDS) {
        while (*text && !in_word(*text)) ++text;
        size_t length = 0;
        while (in_word(text[length])) ++length;
        if (length > 0 && length < WORDNET_LONGEST) {
            char *word = out->at[out->count++];
            for (size_t i = 0; i < length; ++i) {
                unsigned char c = (unsigned char)text[i];
                word[i] = (char)(c < 0x80 ? tolower(c) : c);
            }
            word[length] = '\0';
        }
        text += length;
    }
}

static bool is_one_of(const char *const *list, const char *word) {
    for (; *list; ++list) {
        if (strcmp(*list, word) == 0) return true;
    }
    return false;
}

static bool is_one_of_small(const char *word) {
    static const char *const small[] = {
        "a",    "an",        "the",     "of",       "in",       "on",    "at",     "with",  "and",    "or",
        "to",   "by",        "for",     "from",     "as",       "is",    "are",    "be",    "being",  "was",
        "it",   "its",       "his",     "her",      "their",    "this",  "that",   "these", "those",  "some",
        "very", "something", "someone", "somebody", "anything", "thing", "things", "made",  "which",  "who",
        "into", "over",      "under",   "near",     "through",  "full",  "has",    "have",  "having", "there",
        "like", "kind",      "type",    "sort",     "no",       "not",   "than",   NULL};
    return is_one_of(small, word);
}

/* What frames all else, "a photo of", "a person wearing", "a bowl of", is heard only where nothing else is
 * said: "an image", "people". */
static bool is_frame(const text_words *all, size_t index) {
    static const char *const frames[] = {
        "photo",  "photos", "photograph", "photographs", "picture", "pictures", "image",
        "images", "scene",  "view",       "object",      "objects", "person",   "people",
        "man",    "woman",  "close",      "up",          "feels",   "wearing",  "feeling",
        "taken",  "lit",    "shaped",     "dominated",   NULL};
    return is_one_of(frames, all->at[index]);
}

/* A word before "of" frames what follows it unless it names a property: "a bowl of rice", but "the texture of
 * bark". */
static bool is_before_of(const text_words *all, size_t index) {
    return index + 1 < all->count && strcmp(all->at[index + 1], "of") == 0;
}

/* Words [first, first + count) as WordNet writes them, with a mark between them. */
static bool join(const text_words *all, size_t first, size_t count, char mark, char out[WORDNET_LONGEST]) {
    size_t used = 0;
    for (size_t i = 0; i < count; ++i) {
        size_t length = strlen(all->at[first + i]);
        if (used + length + 2 > WORDNET_LONGEST) return false;
        if (i > 0) out[used++] = mark;
        memcpy(out + used, all->at[first + i], length + 1);
        used += length;
    }
    return true;
}

/* The senses of the first of a word's base forms that has some, in this part. */
static hl_status senses_of(const lexicon *self, wordnet_part part, const char *word, wordnet_senses *out,
                           hl_error *error) {
    wordnet_forms forms;
    out->count = 0;
    hl_status status = HL_OK;
    wordnet_base_forms(self->words, part, word, &forms);
    for (size_t i = 0; i < forms.count && out->count == 0 && status == HL_OK; ++i)
        status = wordnet_find(self->words, part, forms.at[i], out, error);
    return status;
}

/* What a word, or several together, may mean: as noun and adjective, else as verb. */
typedef struct meanings {
    wordnet_senses of[WORDNET_PARTS];
    bool any, frames, before_of;
} meanings;

static hl_status mean(const lexicon *self, const char *word, meanings *out, hl_error *error) {
    memset(out, 0, sizeof *out);
    hl_status status = senses_of(self, WORDNET_NOUN, word, &out->of[WORDNET_NOUN], error);
    if (status == HL_OK)
        status = senses_of(self, WORDNET_ADJECTIVE, word, &out->of[WORDNET_ADJECTIVE], error);
    out->any = out->of[WORDNET_NOUN].count + out->of[WORDNET_ADJECTIVE].count > 0;
    if (status == HL_OK && !out->any)
        status = senses_of(self, WORDNET_VERB, word, &out->of[WORDNET_VERB], error);
    out->any = out->any || out->of[WORDNET_VERB].count > 0;
    return status;
}

/* The longest run of words from here that WordNet knows; *taken: how many. */
static hl_status mean_longest(const lexicon *self, const text_words *all, size_t first, meanings *out,
                              size_t *taken, hl_error *error) {
    static const char marks[] = "_-";
    char together[WORDNET_LONGEST];
    hl_status status = HL_OK;
    size_t most = all->count - first < MOST_TOGETHER ? all->count - first : MOST_TOGETHER;
    out->any = false;
    for (*taken = most; *taken > 1; --*taken) {
        for (const char *mark = marks; *mark && status == HL_OK; ++mark) {
            if (!join(all, first, *taken, *mark, together)) continue;
            status = mean(self, together, out, error);
            if (out->any || status != HL_OK) return status;
        }
    }
    return is_one_of_small(all->at[first]) ? HL_OK : mean(self, all->at[first], out, error);
}

/* Calls `visit` with what each word of the text may mean. */
typedef hl_status (*visitor)(void *user, const lexicon *self, const meanings *of, hl_error *error);

static hl_status visit_words(lexicon *self, const char *text, visitor visit, void *user, hl_error *error) {
    text_words *all = &self->text;
    hl_status status = lexicon_need_words(self, error);
    take_words(text, all);
    for (size_t at = 0, taken; at < all->count && status == HL_OK; at += taken) {
        meanings of;
        taken = 1;
        status = mean_longest(self, all, at, &of, &taken, error);
        of.frames = taken == 1 && is_frame(all, at);
        of.before_of = is_before_of(all, at + taken - 1);
        if (status == HL_OK && of.any) status = visit(user, self, &of, error);
    }
    return status;
}

/* ---- votes ---- */

/* The properties of the nearest root above a sense. */
static hl_status vote_of_sense(const lexicon *self, wordnet_sense sense, double weight, double *votes,
                               bool *names_one, hl_error *error) {
    wordnet_above above;
    hl_status status = wordnet_climb(self->words, sense, &above, error);
    bool found = false;
    for (size_t i = 0; i < above.count && !found && status == HL_OK; ++i) {
        for (size_t r = 0; r < self->root_count; ++r) {
            const root *at = &self->roots[r];
            if (at->at.offset != above.at[i].offset || at->at.part != above.at[i].part) continue;
            votes[at->property] += weight;
            *names_one |= i == 0;
            found = true;
        }
    }
    return status;
}

typedef struct ballot {
    double *shares;
    bool of_frames; /* whose words vote now */
} ballot;

/* A word's votes sum to 1, or to 0 where none of its senses lies under a root; to 2 where it names a root
 * itself: "the texture of gravel" speaks of textures. */
static hl_status vote(void *user, const lexicon *self, const meanings *of, hl_error *error) {
    const ballot *to = user;
    double *votes = self->votes, all = 0;
    bool names_one = false;
    hl_status status = HL_OK;
    memset(votes, 0, self->property_count * sizeof *votes);
    for (size_t part = 0; part < WORDNET_PARTS; ++part) {
        const wordnet_senses *senses = &of->of[part];
        for (size_t i = 0; i < senses->count && i < COUNTED_SENSES && status == HL_OK; ++i)
            status = vote_of_sense(self, senses->at[i], 1.0 / (double)((i + 1) * (i + 1)), votes, &names_one,
                                   error);
    }
    bool frames = of->frames || (of->before_of && !names_one);
    if (frames != to->of_frames) return status;
    for (size_t p = 0; p < self->property_count; ++p) all += votes[p];
    for (size_t p = 0; p < self->property_count && all > 0; ++p)
        to->shares[p] += (names_one ? 2 : 1) * votes[p] / all;
    return status;
}

static double sum_of(const double *shares, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += shares[i];
    return sum;
}

hl_status lexicon_read(lexicon *self, const char *text, double *shares, hl_error *error) {
    size_t known;
    memset(shares, 0, self->property_count * sizeof *shares);
    if (lexicon_lookup(self, text, &known)) {
        lexicon_line line = lexicon_line_at(self, known);
        for (size_t i = 0; i < line.count; ++i) shares[line.properties[i]] = 1.0 / (double)line.count;
        return HL_OK;
    }
    ballot to = {.shares = shares};
    hl_status status = visit_words(self, text, vote, &to, error);
    to.of_frames = true;
    if (status == HL_OK && !(sum_of(shares, self->property_count) > 0))
        status = visit_words(self, text, vote, &to, error);
    double all = sum_of(shares, self->property_count);
    for (size_t p = 0; p < self->property_count && all > 0; ++p) shares[p] /= all;
    return status;
}

/* ---- labels that are no property of the lexicon ---- */

static void add_senses(wordnet_senses *to, const wordnet_senses *from) {
    for (size_t i = 0; i < from->count && i < COUNTED_SENSES && to->count < WORDNET_MOST_SENSES; ++i)
        to->at[to->count++] = from->at[i];
}

hl_status lexicon_meaning(lexicon *self, const char *label, wordnet_senses *out, hl_error *error) {
    text_words *all = &self->text;
    out->count = 0;
    hl_status status = lexicon_need_words(self, error);
    take_words(label, all);
    meanings of = {.any = false};
    size_t first = all->count < MOST_TOGETHER ? 0 : all->count - MOST_TOGETHER, taken;
    for (; first < all->count && !of.any && status == HL_OK; ++first) {
        status = mean_longest(self, all, first, &of, &taken, error);
        of.any = of.any && first + taken == all->count;
    }
    for (size_t part = 0; part < WORDNET_PARTS && of.any; ++part) add_senses(out, &of.of[part]);
    return status;
}

typedef struct search {
    const wordnet_senses *roots;
    bool found;
} search;

static hl_status look_above(void *user, const lexicon *self, const meanings *of, hl_error *error) {
    search *in = user;
    hl_status status = HL_OK;
    for (size_t part = 0; part < WORDNET_PARTS && !in->found; ++part) {
        for (size_t i = 0; i < of->of[part].count && i < COUNTED_SENSES && status == HL_OK; ++i) {
            wordnet_above above;
            status = wordnet_climb(self->words, of->of[part].at[i], &above, error);
            for (size_t a = 0; a < above.count && status == HL_OK; ++a) {
                for (size_t r = 0; r < in->roots->count; ++r) {
                    const wordnet_sense *wanted = &in->roots->at[r];
                    in->found |= wanted->offset == above.at[a].offset && wanted->part == above.at[a].part;
                }
            }
        }
    }
    return status;
}

hl_status lexicon_is_under(lexicon *self, const char *text, const wordnet_senses *roots, bool *out,
                           hl_error *error) {
    search in = {.roots = roots};
    hl_status status = visit_words(self, text, look_above, &in, error);
    *out = in.found;
    return status;
}
