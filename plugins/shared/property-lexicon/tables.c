/* See property_lexicon.h: tables of two columns, and what they say. */
#include "property-lexicon/inside.h"
#include "property-words/property-words.h"

#include <stdlib.h>
#include <string.h>

/* ---- properties ---- */

static hl_status need_key(lexicon *self, size_t property, hl_error *error) {
    char **key = &self->keys[property];
    if (!*key) *key = property_key(self->properties[property]);
    return *key ? HL_OK : hl_no_memory(error, "a property");
}

hl_status lexicon_find(lexicon *self, const char *name, size_t *out, hl_error *error) {
    char *key = property_key(name);
    hl_status status = key ? HL_OK : hl_no_memory(error, "a property");
    *out = SIZE_MAX;
    for (size_t i = 0; i < self->property_count && *out == SIZE_MAX && status == HL_OK; ++i) {
        status = need_key(self, i, error);
        if (status == HL_OK && strcmp(self->keys[i], key) == 0) *out = i;
    }
    free(key);
    return status;
}

/* Room for so many more, so that `add_property` needs none. */
static hl_status make_property_room(lexicon *self, size_t more, hl_error *error) {
    size_t count = self->property_count + more;
    const char **properties = realloc(self->properties, count * sizeof(const char *));
    if (properties) self->properties = properties;
    char **keys = properties ? realloc(self->keys, count * sizeof *keys) : NULL;
    if (!keys) return hl_no_memory(error, "a table of properties");
    self->keys = keys;
    for (size_t i = self->property_count; i < count; ++i) keys[i] = NULL;
    return HL_OK;
}

static size_t append_property(lexicon *self, const char *name) {
    self->properties[self->property_count] = name;
    return self->property_count++;
}

/* `name` lives as long as the lexicon. Most names come as they came before, and need no key. */
static hl_status add_property(lexicon *self, const char *name, size_t *out, hl_error *error) {
    for (*out = 0; *out < self->property_count; ++*out) {
        if (strcmp(self->properties[*out], name) == 0) return HL_OK;
    }
    hl_status status = lexicon_find(self, name, out, error);
    if (status == HL_OK && *out == SIZE_MAX) *out = append_property(self, name);
    return status;
}

size_t lexicon_count(const lexicon *self) {
    return self->property_count;
}

const char *lexicon_property(const lexicon *self, size_t property) {
    return self->properties[property];
}

/* ---- two columns ---- */

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static void trim(const char **from, const char **to) {
    while (*from < *to && is_blank(**from)) ++*from;
    while (*to > *from && is_blank((*to)[-1])) --*to;
}

/* One row, split at its only tab. */
typedef struct row {
    const char *left, *left_end, *right, *right_end;
} row;

static hl_status split(const pool *table, size_t index, const char *expected, row *out, hl_error *error) {
    const char *text = table->texts[index], *tab = strchr(text, '\t');
    if (tab && !strchr(tab + 1, '\t')) {
        *out = (row){text, tab, tab + 1, tab + strlen(tab)};
        trim(&out->left, &out->left_end);
        trim(&out->right, &out->right_end);
        if (out->left < out->left_end && out->right < out->right_end) return HL_OK;
    }
    return hl_fail(error, HL_FAILED, "%s:%zu: expected two columns, %s, with one tab between them",
                   table->path, table->lines[index], expected);
}

/* A copy of the text that lives as long as the lexicon: there is room for all of a table. */
static const char *keep(lexicon *self, const char *from, const char *to) {
    char *copy = self->room;
    memcpy(copy, from, (size_t)(to - from));
    copy[to - from] = '\0';
    self->room += (to - from) + 1;
    return copy;
}

/* What is kept of a row, each part with a NUL, is no longer than the row with its own. */
static hl_status make_room(lexicon *self, char **texts, const pool *table, hl_error *error) {
    size_t bytes = 1;
    for (size_t i = 0; i < table->count; ++i) bytes += strlen(table->texts[i]) + 1;
    self->room = *texts = malloc(bytes);
    return *texts ? HL_OK : hl_no_memory(error, table->path);
}

/* ---- lines and their properties ---- */

static hl_status add_property_of_line(lexicon *self, known_line *line, const char *from, const char *to,
                                      hl_error *error) {
    trim(&from, &to);
    size_t property;
    hl_status status = add_property(self, keep(self, from, to), &property, error);
    if (status != HL_OK) return status;
    for (size_t i = 0; i < line->count; ++i) {
        if (self->of_lines[line->first + i] == property) return HL_OK;
    }
    self->of_lines[self->of_line_count++] = property;
    ++line->count;
    return HL_OK;
}

static hl_status add_line(lexicon *self, const pool *table, size_t index, hl_error *error) {
    row columns = {NULL, NULL, NULL, NULL};
    hl_status status = split(table, index, "a text and its properties", &columns, error);
    if (status != HL_OK) return status;
    known_line *line = &self->lines[self->line_count++];
    *line = (known_line){.text = keep(self, columns.left, columns.left_end), .first = self->of_line_count};
    for (const char *from = columns.right, *to; status == HL_OK && from < columns.right_end; from = to + 1) {
        to = memchr(from, ',', (size_t)(columns.right_end - from));
        if (!to) to = columns.right_end;
        const char *begin = from, *end = to;
        trim(&begin, &end);
        if (begin == end) {
            return hl_fail(error, HL_FAILED, "%s:%zu: expected a property before and after each comma",
                           table->path, table->lines[index]);
        }
        status = add_property_of_line(self, line, begin, end, error);
    }
    return status;
}

static int by_text(const void *a, const void *b) {
    return strcmp(((const known_line *)a)->text, ((const known_line *)b)->text);
}

static hl_status refuse_twice(const lexicon *self, const char *path, hl_error *error) {
    for (size_t i = 1; i < self->line_count; ++i) {
        if (strcmp(self->lines[i - 1].text, self->lines[i].text) != 0) continue;
        return hl_fail(error, HL_FAILED,
                       "%s: \"%.200s\" stands there twice, with different properties: name them on one line, "
                       "separated by commas",
                       path, self->lines[i].text);
    }
    return HL_OK;
}

static hl_status count_chances(lexicon *self, hl_error *error) {
    self->chances = calloc(self->property_count + 1, sizeof *self->chances);
    if (!self->chances) return hl_no_memory(error, "a table of properties");
    for (size_t i = 0; i < self->line_count; ++i) {
        const known_line *line = &self->lines[i];
        for (size_t p = 0; p < line->count; ++p)
            self->chances[self->of_lines[line->first + p]] += 1.0 / (double)(line->count * self->line_count);
    }
    return HL_OK;
}

/* No more properties than that are named in the whole table. */
static size_t count_names(const pool *table) {
    size_t count = table->count;
    for (size_t i = 0; i < table->count; ++i) {
        for (const char *at = table->texts[i]; *at; ++at) count += *at == ',';
    }
    return count;
}

hl_status lexicon_read_lines(lexicon *self, hl_error *error) {
    pool *table;
    const char *path = self->files.lines;
    hl_status status = pool_open(self->host, path, &table, error);
    if (status != HL_OK) return status;
    status = make_room(self, &self->texts_of_lines, table, error);
    self->lines = calloc(table->count, sizeof *self->lines);
    self->of_lines = calloc(count_names(table), sizeof *self->of_lines);
    if (status == HL_OK) status = make_property_room(self, count_names(table), error);
    if (status == HL_OK && !(self->lines && self->of_lines)) status = hl_no_memory(error, path);
    for (size_t i = 0; i < table->count && status == HL_OK; ++i) status = add_line(self, table, i, error);
    pool_close(table);
    if (status != HL_OK) return status;
    qsort(self->lines, self->line_count, sizeof *self->lines, by_text);
    status = refuse_twice(self, path, error);
    return status == HL_OK ? count_chances(self, error) : status;
}

size_t lexicon_line_count(const lexicon *self) {
    return self->line_count;
}

lexicon_line lexicon_line_at(const lexicon *self, size_t index) {
    const known_line *line = &self->lines[index];
    return (lexicon_line){
        .text = line->text, .properties = self->of_lines + line->first, .count = line->count};
}

bool lexicon_lookup(const lexicon *self, const char *text, size_t *line) {
    const known_line wanted = {.text = text}, *found = NULL;
    if (self->lines) found = bsearch(&wanted, self->lines, self->line_count, sizeof wanted, by_text);
    if (found) *line = (size_t)(found - self->lines);
    return found != NULL;
}

/* ---- properties and their roots ---- */

static hl_status make_roots(lexicon *self, size_t most, size_t properties, hl_error *error) {
    self->roots = calloc(most, sizeof *self->roots);
    return self->roots ? make_property_room(self, properties, error)
                       : hl_no_memory(error, "a table of properties");
}

static hl_status add_built_in(lexicon *self, const built_in *own, hl_error *error) {
    size_t property;
    hl_status status = HL_OK;
    if (self->line_count > 0)
        status = add_property(self, own->property, &property, error);
    else
        property = append_property(self, own->property); /* no two that are built in are alike */
    for (const char *sense = own->senses; *sense && status == HL_OK; sense += strspn(sense, " ")) {
        root *to = &self->roots[self->root_count++];
        int length = (int)strcspn(sense, " ");
        to->property = property;
        snprintf(to->sense, sizeof to->sense, "%.*s", length, sense);
        sense += length;
    }
    return status;
}

static hl_status add_own(lexicon *self, const pool *table, size_t index, hl_error *error) {
    row columns = {NULL, NULL, NULL, NULL};
    hl_status status = split(table, index, "a property and a sense such as color#n#1", &columns, error);
    if (status != HL_OK) return status;
    root *to = &self->roots[self->root_count++];
    to->line = table->lines[index];
    snprintf(to->sense, sizeof to->sense, "%.*s", (int)(columns.right_end - columns.right), columns.right);
    return add_property(self, keep(self, columns.left, columns.left_end), &to->property, error);
}

hl_status lexicon_read_roots(lexicon *self, hl_error *error) {
    hl_status status = HL_OK;
    if (!self->files.roots) {
        size_t most = 0, count = 0;
        for (const built_in *own = lexicon_built_in; own->property; ++own, ++count)
            most += strlen(own->senses);
        status = make_roots(self, most, count, error);
        for (const built_in *own = lexicon_built_in; own->property && status == HL_OK; ++own)
            status = add_built_in(self, own, error);
        return status;
    }
    pool *table;
    status = pool_open(self->host, self->files.roots, &table, error);
    if (status != HL_OK) return status;
    status = make_roots(self, table->count, table->count, error);
    if (status == HL_OK) status = make_room(self, &self->texts_of_roots, table, error);
    for (size_t i = 0; i < table->count && status == HL_OK; ++i) status = add_own(self, table, i, error);
    pool_close(table);
    return status;
}

/* ---- the whole ---- */

lexicon_files lexicon_named_files(const hl_value *const *values) {
    const hl_value *folder = values[LEXICON_WORDNET];
    return (lexicon_files){.wordnet = folder->given ? folder->string : LEXICON_WORDNET_FOLDER,
                           .lines = values[LEXICON_LINES]->string,
                           .roots = values[LEXICON_ROOTS]->string};
}

hl_status lexicon_open(const hl_host *host, const lexicon_files *files, lexicon **out, hl_error *error) {
    lexicon *self = *out = calloc(1, sizeof *self);
    if (!self) return hl_no_memory(error, "a lexicon");
    self->host = host;
    self->files = *files;
    hl_status status = files->lines ? lexicon_read_lines(self, error) : HL_OK;
    size_t of_lines = self->property_count;
    if (status == HL_OK && files->wordnet) status = lexicon_read_roots(self, error);
    double *chances =
        status == HL_OK ? realloc(self->chances, (self->property_count + 1) * sizeof *chances) : NULL;
    if (chances) self->chances = chances;
    self->votes = calloc(self->property_count + 1, sizeof *self->votes);
    if (chances && self->votes) {
        for (size_t i = of_lines; i < self->property_count; ++i) chances[i] = 0;
        return HL_OK;
    }
    if (status == HL_OK) status = hl_no_memory(error, "a lexicon");
    lexicon_close(self);
    *out = NULL;
    return status;
}

void lexicon_close(lexicon *self) {
    if (!self) return;
    for (size_t i = 0; i < self->property_count; ++i) free(self->keys[i]);
    wordnet_close(self->words);
    free(self->properties);
    free(self->keys);
    free(self->roots);
    free(self->lines);
    free(self->of_lines);
    free(self->chances);
    free(self->votes);
    free(self->texts_of_lines);
    free(self->texts_of_roots);
    free(self);
}

double lexicon_chance(const lexicon *self, size_t property) {
    return self->chances[property];
}
