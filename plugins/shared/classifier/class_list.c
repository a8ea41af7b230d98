/* See class_list.h. Texts stay where they lie in the file's bytes. */
#include "class_list.h"

#include <string.h>
#include <unistr.h>

/* Of the file in bytes, and of its rows: more are no classes. */
enum { LARGEST_FILE = 16 << 20, MOST_ROWS = 10000 };

typedef struct own_list {
    class_list shown; /* first: what is handed out */
    char *path, *bytes;
    class_row *rows;
    const char **keys;
    size_t row_room, key_room;
} own_list;

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

static char *trim(char *at) {
    while (is_blank(*at)) ++at;
    char *end = at + strlen(at);
    while (end > at && is_blank(end[-1])) *--end = '\0';
    return at;
}

static hl_status wrong(const own_list *self, size_t line, hl_error *error, const char *expected) {
    return hl_fail(error, HL_USAGE, "%s:%zu: expected %s", self->path, line, expected);
}

/* Room for one more element; false: no memory. */
static bool grow(void *array, size_t *room, size_t count, size_t element) {
    if (count < *room) return true;
    size_t larger = *room ? 2 * *room : 16;
    void *old;
    memcpy(&old, array, sizeof old);
    void *moved = reallocarray(old, larger, element);
    if (!moved) return false;
    memcpy(array, &moved, sizeof moved);
    *room = larger;
    return true;
}

static hl_status add_row(own_list *self, class_row row, hl_error *error) {
    if (self->shown.count == MOST_ROWS)
        return hl_fail(error, HL_USAGE, "%s:%zu: names more than %d texts of classes, which is no class list",
                       self->path, row.line, MOST_ROWS);
    if (!grow(&self->rows, &self->row_room, self->shown.count, sizeof *self->rows))
        return hl_no_memory(error, self->path);
    self->rows[self->shown.count++] = row;
    return HL_OK;
}

/* ---- lines ---- */

static hl_status read_heading(own_list *self, char *line, size_t number, hl_error *error) {
    char *end = strrchr(line, ']');
    if (!end || end[1]) return wrong(self, number, error, "a heading such as [places]");
    *end = '\0';
    char *key = trim(line + 1);
    if (!*key) return wrong(self, number, error, "the key of gallery.json between [ and ]");
    for (size_t i = 0; i < self->shown.key_count; ++i) {
        if (strcmp(self->keys[i], key) == 0)
            return hl_fail(error, HL_USAGE, "%s:%zu: the heading [%s] is there a second time", self->path,
                           number, key);
    }
    if (!grow(&self->keys, &self->key_room, self->shown.key_count, sizeof *self->keys))
        return hl_no_memory(error, self->path);
    self->keys[self->shown.key_count++] = key;
    return HL_OK;
}

/* Where the value ends and its texts begin: a colon before white space or the end. NULL: it is its own text.
 */
static char *find_texts(char *line) {
    for (char *at = strchr(line, ':'); at; at = strchr(at + 1, ':')) {
        if (is_blank(at[1]) || !at[1]) return at;
    }
    return NULL;
}

static hl_status add_class(own_list *self, class_row row, char *texts, hl_error *error) {
    hl_status status = HL_OK;
    for (char *text = texts; text && status == HL_OK;) {
        char *bar = strchr(text, '|');
        if (bar) *bar = '\0';
        row.text = trim(text);
        if (!*row.text) return wrong(self, row.line, error, "VALUE: TEXT, or VALUE: TEXT | ANOTHER");
        status = add_row(self, row, error);
        text = bar ? bar + 1 : NULL;
    }
    return status;
}

static hl_status read_class(own_list *self, char *line, size_t number, hl_error *error) {
    class_row row = {.key = self->shown.key_count ? self->keys[self->shown.key_count - 1] : NULL,
                     .line = number};
    char *texts = find_texts(line);
    if (texts) *texts++ = '\0';
    row.value = row.text = trim(line);
    if (!*row.value) return wrong(self, number, error, "a value before the colon");
    for (size_t i = 0; i < self->shown.count; ++i) {
        const class_row *other = &self->rows[i];
        if (other->key == row.key && strcmp(other->value, row.value) == 0)
            return hl_fail(error, HL_USAGE,
                           "%s:%zu: the class %s is there a second time, first on line %zu; write its texts "
                           "on one line, | between them",
                           self->path, number, row.value, other->line);
    }
    return texts ? add_class(self, row, texts, error) : add_row(self, row, error);
}

static hl_status read_line(own_list *self, char *line, size_t number, hl_error *error) {
    line = trim(line);
    if (!*line || *line == '#') return HL_OK;
    return *line == '[' ? read_heading(self, line, number, error) : read_class(self, line, number, error);
}

static hl_status read_lines(own_list *self, size_t count, hl_error *error) {
    char *at = self->bytes, *end = self->bytes + count;
    const uint8_t *bad = u8_check((const uint8_t *)at, count);
    size_t number = 1;
    for (const char *i = at; bad && i < (const char *)bad; ++i) number += *i == '\n';
    if (bad || strlen(at) != count)
        return wrong(self, bad ? number : 1, error, "a text file in UTF-8, but there are other bytes");
    if (count >= 3 && memcmp(at, "\xEF\xBB\xBF", 3) == 0) at += 3;
    hl_status status = HL_OK;
    while (at < end && status == HL_OK) {
        size_t length = strcspn(at, "\r\n");
        char *next = at + length;
        size_t ending = next[0] == '\r' && next[1] == '\n' ? 2 : next < end;
        *next = '\0';
        status = read_line(self, at, number++, error);
        at = next + ending;
    }
    return status;
}

static hl_status check_rows(own_list *self, hl_error *error) {
    const class_row *ignored;
    if (self->shown.count == 0)
        return hl_fail(error, HL_USAGE, "%s: names no class; write one a line, such as \"one: one thing\"",
                       self->path);
    for (size_t i = 0; i < self->shown.key_count; ++i) {
        if (class_list_find(&self->shown, self->keys[i], &ignored) == 0 || ignored->key != self->keys[i])
            return hl_fail(error, HL_USAGE, "%s: there is no class under [%s]; write them one a line",
                           self->path, self->keys[i]);
    }
    return HL_OK;
}

/* ---- all together ---- */

hl_status class_list_parse(const hl_host *host, const char *name, char *bytes, size_t count, class_list **out,
                           hl_error *error) {
    *out = NULL;
    own_list *self = calloc(1, sizeof *self);
    if (!self) {
        free(bytes);
        return hl_no_memory(error, name);
    }
    self->bytes = bytes;
    self->path = strdup(name);
    hl_status status = self->path ? HL_OK : hl_no_memory(error, name);
    if (status == HL_OK) status = read_lines(self, count, error);
    self->shown.host = host;
    self->shown.path = self->path;
    self->shown.rows = self->rows;
    self->shown.keys = self->keys;
    if (status == HL_OK) status = check_rows(self, error);
    if (status == HL_OK) {
        *out = &self->shown;
    } else {
        class_list_close(&self->shown);
    }
    return status;
}

hl_status class_list_open(const hl_host *host, const char *path, class_list **out, hl_error *error) {
    char *bytes;
    size_t count;
    *out = NULL;
    hl_status status = host->read_file(host, path, LARGEST_FILE, &bytes, &count, error);
    return status == HL_OK ? class_list_parse(host, path, bytes, count, out, error) : status;
}

void class_list_close(class_list *shown) {
    own_list *self = (own_list *)(void *)shown;
    if (!self) return;
    free(self->path);
    free(self->bytes);
    free(self->rows);
    free(self->keys);
    free(self);
}

/* Rows of one key stand together, as those before any heading do. */
size_t class_list_find(const class_list *self, const char *key, const class_row **first) {
    size_t at = 0, count = 0;
    while (at < self->count && !(self->rows[at].key && strcmp(self->rows[at].key, key) == 0)) ++at;
    if (at == self->count) at = 0;
    *first = self->rows + at;
    const char *found = self->rows[at].key;
    if (found && strcmp(found, key) != 0) return 0;
    while (at + count < self->count && self->rows[at + count].key == found) ++count;
    return count;
}
