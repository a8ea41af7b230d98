/* See wordnet.h. The format: wndb(5WN) and senseidx(5WN). */
#include "wordnet/wordnet.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST_FILE = 256 << 20, OFFSET_DIGITS = 8 };

typedef struct file {
    const char *folder;
    char name[16];
    const char *bytes;
    size_t count;
} file;

typedef struct part_files {
    file index, data, exceptions;
} part_files;

struct wordnet {
    part_files parts[WORDNET_PARTS];
    bool owned; /* the files were read, and are freed */
};

static const char *const part_names[WORDNET_PARTS] = {"noun", "verb", "adj", "adv"};

/* ---- files ---- */

static void close_file(const wordnet *self, file *of) {
    if (self->owned) free((char *)(uintptr_t)of->bytes);
}

void wordnet_close(wordnet *self) {
    for (size_t i = 0; self && i < WORDNET_PARTS; ++i) {
        close_file(self, &self->parts[i].index);
        close_file(self, &self->parts[i].data);
        close_file(self, &self->parts[i].exceptions);
    }
    free(self);
}

static void name_file(file *of, const char *folder, const char *before, const char *after) {
    of->folder = folder;
    snprintf(of->name, sizeof of->name, "%s.%s", before, after);
}

/* The folder's name stays with whoever opened it. */
static void name_files(wordnet *self, const char *folder) {
    for (size_t i = 0; i < WORDNET_PARTS; ++i) {
        name_file(&self->parts[i].index, folder, "index", part_names[i]);
        name_file(&self->parts[i].data, folder, "data", part_names[i]);
        name_file(&self->parts[i].exceptions, folder, part_names[i], "exc");
    }
}

static hl_status read_one(const hl_host *host, file *of, hl_error *error) {
    char *bytes = NULL, path[4096];
    snprintf(path, sizeof path, "%s/%s", of->folder, of->name);
    hl_status status = host->read_file(host, path, LARGEST_FILE, &bytes, &of->count, error);
    of->bytes = bytes;
    if (status == HL_OK && strlen(bytes) != of->count) {
        return hl_fail(error, HL_FAILED,
                       "%s: byte %zu: expected text, as WordNet's files are, and found a NUL: install "
                       "wordnet-base again",
                       path, strlen(bytes));
    }
    if (status == HL_OK || status == HL_NO_MEMORY || !error) return status;
    const hl_error why = *error;
    return hl_fail(
        error, status,
        "%s: WordNet is read from the files index.noun, data.noun, noun.exc ... in one folder: install "
        "Debian's wordnet-base, or name the folder in `wordnet`",
        why.message);
}

hl_status wordnet_open(const hl_host *host, const char *folder, wordnet **out, hl_error *error) {
    wordnet *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "WordNet");
    self->owned = true;
    hl_status status = HL_OK;
    name_files(self, folder);
    for (size_t i = 0; i < WORDNET_PARTS && status == HL_OK; ++i) {
        status = read_one(host, &self->parts[i].index, error);
        if (status == HL_OK) status = read_one(host, &self->parts[i].data, error);
        if (status == HL_OK) status = read_one(host, &self->parts[i].exceptions, error);
    }
    if (status == HL_OK) return HL_OK;
    wordnet_close(self);
    *out = NULL;
    return status;
}

static void take_text(file *to, wordnet_text from) {
    to->bytes = from.bytes ? from.bytes : "";
    to->count = from.bytes ? from.count : 0;
}

hl_status wordnet_of_texts(const wordnet_texts texts[WORDNET_PARTS], wordnet **out, hl_error *error) {
    wordnet *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "WordNet");
    name_files(self, "");
    for (size_t i = 0; i < WORDNET_PARTS; ++i) {
        take_text(&self->parts[i].index, texts[i].index);
        take_text(&self->parts[i].data, texts[i].data);
        take_text(&self->parts[i].exceptions, texts[i].exceptions);
    }
    return HL_OK;
}

/* ---- a line, field by field ---- */

typedef struct cursor {
    const file *in;
    const char *at, *end;
} cursor;

static cursor line_at(const file *in, size_t offset) {
    cursor line = {.in = in, .at = in->bytes + offset};
    const char *end = memchr(line.at, '\n', in->count - offset);
    line.end = end ? end : in->bytes + in->count;
    return line;
}

static hl_status wrong(const cursor *line, const char *expected, hl_error *error) {
    return hl_fail(
        error, HL_FAILED,
        "%s/%s: byte %zu: expected %s: the file is damaged or none of WordNet's; install wordnet-base "
        "again",
        line->in->folder, line->in->name, (size_t)(line->at - line->in->bytes), expected);
}

/* The next field, up to a blank or the line's end; empty where there is none. */
static size_t take_field(cursor *line, const char **field) {
    while (line->at < line->end && *line->at == ' ') ++line->at;
    *field = line->at;
    while (line->at < line->end && *line->at != ' ') ++line->at;
    return (size_t)(line->at - *field);
}

static int digit_of(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 16;
}

/* A number of as many digits as the format gives it, 0: any. On failure the cursor is back at the field. */
static hl_status take_number(cursor *line, int base, size_t digits, const char *expected, uint32_t *out,
                             hl_error *error) {
    const char *field;
    size_t length = take_field(line, &field);
    uint64_t value = 0;
    bool valid = length > 0 && length <= OFFSET_DIGITS && (digits == 0 || length == digits);
    for (size_t i = 0; i < length && valid; ++i) {
        valid = digit_of(field[i]) < base;
        value = value * (uint64_t)base + (uint64_t)digit_of(field[i]);
    }
    *out = (uint32_t)value;
    if (valid) return HL_OK;
    line->at = field;
    return wrong(line, expected, error);
}

static hl_status skip_fields(cursor *line, uint32_t count, const char *expected, hl_error *error) {
    const char *field;
    for (uint32_t i = 0; i < count; ++i) {
        if (take_field(line, &field) == 0) return wrong(line, expected, error);
    }
    return HL_OK;
}

/* ---- sorted files ---- */

static int compare(const char *a, size_t a_length, const char *b, size_t b_length) {
    int order = memcmp(a, b, a_length < b_length ? a_length : b_length);
    if (order != 0) return order;
    return a_length < b_length ? -1 : a_length > b_length;
}

/* The line that begins with the word, by bisection; false: there is none. Lines that begin with a blank are
 * the licence, before all words. */
static bool find_line(const file *in, const char *word, cursor *out) {
    size_t low = 0, high = in->count; /* the line begins within [low, high) */
    while (low < high) {
        size_t at = low + (high - low) / 2;
        while (at > low && in->bytes[at - 1] != '\n') --at;
        *out = line_at(in, at);
        size_t after = (size_t)(out->end - in->bytes) + 1;
        bool licence = out->at < out->end && *out->at == ' ';
        const char *first = out->at;
        size_t length = 0;
        while (first + length < out->end && first[length] != ' ') ++length;
        int order = licence ? -1 : compare(first, length, word, strlen(word));
        if (order == 0) return true;
        if (order < 0)
            low = after;
        else
            high = at;
    }
    return false;
}

/* ---- words ---- */

/* What follows the word: part, senses, symbols, and how many of the senses were counted in texts. */
static hl_status take_senses(cursor *line, wordnet_part part, wordnet_senses *out, hl_error *error) {
    uint32_t count, symbols, again, counted;
    hl_status status = skip_fields(line, 2, "a word and its part of speech", error);
    if (status == HL_OK) status = take_number(line, 10, 0, "how many senses the word has", &count, error);
    if (status == HL_OK) status = take_number(line, 10, 0, "how many symbols follow", &symbols, error);
    if (status == HL_OK) status = skip_fields(line, symbols, "a symbol", error);
    if (status == HL_OK) status = take_number(line, 10, 0, "how many senses the word has", &again, error);
    if (status == HL_OK) status = take_number(line, 10, 0, "how many senses were counted", &counted, error);
    if (status == HL_OK && (count == 0 || count != again || count > WORDNET_MOST_SENSES))
        return wrong(line, "1 to 96 senses", error);
    for (uint32_t i = 0; i < count && status == HL_OK; ++i) {
        out->at[i].part = part;
        status =
            take_number(line, 10, OFFSET_DIGITS, "a sense's offset, 8 digits", &out->at[i].offset, error);
    }
    out->count = status == HL_OK ? count : 0;
    return status;
}

hl_status wordnet_find(const wordnet *self, wordnet_part part, const char *word, wordnet_senses *out,
                       hl_error *error) {
    cursor line;
    out->count = 0;
    if (!*word || !find_line(&self->parts[part].index, word, &line)) return HL_OK;
    return take_senses(&line, part, out, error);
}

static bool is_word(const wordnet *self, wordnet_part part, const char *word) {
    cursor line;
    return *word && find_line(&self->parts[part].index, word, &line);
}

/* ---- forms ---- */

/* Adds a form that is a word, unless it is there. */
static void add_form(const wordnet *self, wordnet_part part, const char *word, wordnet_forms *out) {
    for (size_t i = 0; i < out->count; ++i) {
        if (strcmp(out->at[i], word) == 0) return;
    }
    if (out->count == WORDNET_MOST_FORMS || strlen(word) >= WORDNET_LONGEST || !is_word(self, part, word))
        return;
    snprintf(out->at[out->count++], WORDNET_LONGEST, "%s", word);
}

static bool add_exceptions(const wordnet *self, wordnet_part part, const char *word, wordnet_forms *out) {
    cursor line;
    const char *field;
    size_t length;
    if (!find_line(&self->parts[part].exceptions, word, &line)) return false;
    take_field(&line, &field);
    while ((length = take_field(&line, &field)) > 0) {
        char base[WORDNET_LONGEST];
        if (length >= sizeof base) continue;
        memcpy(base, field, length);
        base[length] = '\0';
        add_form(self, part, base, out);
    }
    return true;
}

/* An ending, and what stands in its place in the base form. (morphy(7WN)) */
typedef struct detachment {
    wordnet_part part;
    const char *ending, *base;
} detachment;

static const detachment detachments[] = {
    {WORDNET_NOUN, "s", ""},        {WORDNET_NOUN, "ses", "s"},     {WORDNET_NOUN, "xes", "x"},
    {WORDNET_NOUN, "zes", "z"},     {WORDNET_NOUN, "ches", "ch"},   {WORDNET_NOUN, "shes", "sh"},
    {WORDNET_NOUN, "men", "man"},   {WORDNET_NOUN, "ies", "y"},     {WORDNET_VERB, "s", ""},
    {WORDNET_VERB, "ies", "y"},     {WORDNET_VERB, "es", "e"},      {WORDNET_VERB, "es", ""},
    {WORDNET_VERB, "ed", "e"},      {WORDNET_VERB, "ed", ""},       {WORDNET_VERB, "ing", "e"},
    {WORDNET_VERB, "ing", ""},      {WORDNET_ADJECTIVE, "er", ""},  {WORDNET_ADJECTIVE, "est", ""},
    {WORDNET_ADJECTIVE, "er", "e"}, {WORDNET_ADJECTIVE, "est", "e"}};

static void detach(const wordnet *self, wordnet_part part, const char *word, wordnet_forms *out) {
    size_t length = strlen(word);
    for (size_t i = 0; i < sizeof detachments / sizeof *detachments; ++i) {
        const detachment *rule = &detachments[i];
        size_t ending = strlen(rule->ending);
        char base[WORDNET_LONGEST + 4];
        if (rule->part != part || length <= ending || strcmp(word + length - ending, rule->ending) != 0)
            continue;
        snprintf(base, sizeof base, "%.*s%s", (int)(length - ending), word, rule->base);
        add_form(self, part, base, out);
    }
}

void wordnet_base_forms(const wordnet *self, wordnet_part part, const char *word, wordnet_forms *out) {
    out->count = 0;
    if (strlen(word) >= WORDNET_LONGEST) return;
    add_form(self, part, word, out);
    if (!add_exceptions(self, part, word, out)) detach(self, part, word, out);
}

/* ---- synsets ---- */

static bool part_of_letter(char letter, wordnet_part *out) {
    static const char letters[] = "nvasr";
    static const wordnet_part parts[] = {WORDNET_NOUN, WORDNET_VERB, WORDNET_ADJECTIVE, WORDNET_ADJECTIVE,
                                         WORDNET_ADVERB};
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (found) *out = parts[found - letters];
    return found != NULL;
}

/* A cursor at the pointers of a synset, and how many they are. */
static hl_status open_synset(const wordnet *self, wordnet_sense at, cursor *line, bool *satellite,
                             uint32_t *pointers, hl_error *error) {
    const file *data = &self->parts[at.part].data;
    uint32_t offset, lexicographer, words;
    const char *type;
    wordnet_part part = WORDNET_PARTS;
    if (at.offset >= data->count || (at.offset > 0 && data->bytes[at.offset - 1] != '\n')) {
        return hl_fail(
            error, HL_FAILED,
            "%s/%s: byte %u: expected the line of a synset: the files are damaged or of two versions; "
            "install wordnet-base again",
            data->folder, data->name, (unsigned)at.offset);
    }
    *line = line_at(data, at.offset);
    hl_status status = take_number(line, 10, OFFSET_DIGITS, "the synset's offset", &offset, error);
    if (status == HL_OK && offset != at.offset) {
        line->at -= OFFSET_DIGITS;
        return wrong(line, "the synset's own offset", error);
    }
    if (status == HL_OK)
        status = take_number(line, 10, 2, "the number of a lexicographer's file", &lexicographer, error);
    if (status != HL_OK) return status;
    if (take_field(line, &type) != 1 || !part_of_letter(*type, &part) || part != at.part) {
        line->at = type;
        return wrong(line, "the synset's part of speech", error);
    }
    *satellite = *type == 's';
    status = take_number(line, 16, 2, "how many words there are", &words, error);
    if (status == HL_OK) status = skip_fields(line, 2 * words, "a word and its number", error);
    return status == HL_OK ? take_number(line, 10, 3, "how many pointers there are", pointers, error)
                           : status;
}

typedef struct pointer {
    char symbol[3];
    wordnet_sense to;
} pointer;

static hl_status take_pointer(cursor *line, pointer *out, hl_error *error) {
    const char *field;
    size_t length = take_field(line, &field);
    if (length == 0 || length >= sizeof out->symbol) {
        line->at = field;
        return wrong(line, "a pointer's symbol", error);
    }
    memcpy(out->symbol, field, length);
    out->symbol[length] = '\0';
    hl_status status =
        take_number(line, 10, OFFSET_DIGITS, "a pointer's offset, 8 digits", &out->to.offset, error);
    if (status != HL_OK) return status;
    if (take_field(line, &field) != 1 || !part_of_letter(*field, &out->to.part)) {
        line->at = field;
        return wrong(line, "a pointer's part of speech", error);
    }
    uint32_t words;
    return take_number(line, 16, 4, "a pointer's words, 4 digits", &words, error);
}

/* ---- climbing ---- */

/* Whether what the pointer leads to lies above. A cluster's head points back at all of its satellites, and a
 * derived noun at what it is derived from: those ways are not taken. */
static bool leads_up(const pointer *of, wordnet_part from, bool satellite) {
    bool to_noun = of->to.part == WORDNET_NOUN;
    switch (*of->symbol) {
    case '@':
        return true; /* kind, and with "@i" instance */
    case '&':
        return satellite;
    case '=':
    case '+':
        return from != WORDNET_NOUN && to_noun;
    case '\\':
        return from != WORDNET_NOUN;
    default:
        return false;
    }
}

static hl_status add_above(wordnet_above *out, wordnet_sense sense, const cursor *line, hl_error *error) {
    for (size_t i = 0; i < out->count; ++i) {
        if (out->at[i].offset == sense.offset && out->at[i].part == sense.part) return HL_OK;
    }
    if (out->count == WORDNET_MOST_ABOVE) return wrong(line, "at most 512 synsets above a sense", error);
    out->at[out->count++] = sense;
    return HL_OK;
}

static hl_status climb_one(const wordnet *self, wordnet_sense from, wordnet_above *out, hl_error *error) {
    cursor line;
    bool satellite;
    uint32_t pointers = 0;
    pointer to;
    hl_status status = open_synset(self, from, &line, &satellite, &pointers, error);
    for (uint32_t i = 0; i < pointers && status == HL_OK; ++i) {
        status = take_pointer(&line, &to, error);
        if (status == HL_OK && leads_up(&to, from.part, satellite))
            status = add_above(out, to.to, &line, error);
    }
    return status;
}

hl_status wordnet_climb(const wordnet *self, wordnet_sense from, wordnet_above *out, hl_error *error) {
    hl_status status = HL_OK;
    out->at[0] = from;
    out->count = 1;
    for (size_t i = 0; i < out->count && status == HL_OK; ++i)
        status = climb_one(self, out->at[i], out, error);
    return status;
}
