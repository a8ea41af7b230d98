/* See pool.h. The texts stay where they lie in the file's bytes; libunistring decodes. */
#include "pool.h"

#include <string.h>
#include <unictype.h>
#include <unistr.h>
#include <xxhash.h>

/* A longer line is no short description: some other kind of file was named. */
enum { LONGEST_LINE = 1 << 16 };

/* What a pool points to. */
typedef struct own_pool {
    pool shown; /* first: what is handed out */
    char *path, *bytes;
    const char **texts;
    size_t *lines;
    uint64_t *hashes;
    size_t *slots, mask;           /* hash table: 1 + index of a text, 0 where there is none */
    size_t again_line, first_line; /* of the first line that was said before, and where */
} own_pool;

static const own_pool *behind(const pool *self) {
    return (const own_pool *)(const void *)self;
}

/* ---- one line ---- */

/* Without the white space around it, NULL at its end: a line lies in bytes that it may change. */
static char *trim(char *line, size_t length) {
    const uint8_t *at = (const uint8_t *)line, *end = at + length, *last = at;
    bool started = false;
    for (const uint8_t *next = at; next < end;) {
        ucs4_t character;
        int bytes = u8_mbtouc(&character, next, (size_t)(end - next));
        bool space = uc_is_property_white_space(character);
        next += bytes;
        if (!space) last = next;
        if (space && !started) at = next;
        started = started || !space;
    }
    line[started ? (size_t)(last - (const uint8_t *)line) : length] = '\0';
    return line + (at - (const uint8_t *)line);
}

/* The slot of a text, or the free one where it belongs. */
static size_t find_slot(const own_pool *self, const char *text, uint64_t hash) {
    size_t slot = (size_t)hash & self->mask;
    for (;; slot = (slot + 1) & self->mask) {
        size_t index = self->slots[slot];
        if (!index) return slot;
        if (self->hashes[index - 1] == hash && strcmp(self->texts[index - 1], text) == 0) return slot;
    }
}

static hl_status add_text(own_pool *self, const char *text, size_t line, hl_error *error) {
    uint64_t hash = XXH3_64bits(text, strlen(text));
    size_t *slot = &self->slots[find_slot(self, text, hash)], index = self->shown.count;
    if (*slot) {
        if (self->shown.duplicates++ == 0) {
            self->again_line = line;
            self->first_line = self->lines[*slot - 1];
        }
        return HL_OK;
    }
    if (index == POOL_MOST_TEXTS) {
        return hl_fail(error, HL_USAGE, "%s:%zu: a pool has at most %d texts: take a part of them",
                       self->shown.path, line, POOL_MOST_TEXTS);
    }
    *slot = index + 1;
    self->texts[index] = text;
    self->lines[index] = line;
    self->hashes[index] = hash;
    ++self->shown.count;
    return HL_OK;
}

static hl_status take_line(own_pool *self, char *line, size_t length, size_t number, hl_error *error) {
    if (memchr(line, '\0', length)) {
        return hl_fail(error, HL_FAILED, "%s:%zu: the line contains a NUL byte; a pool is a text file",
                       self->shown.path, number);
    }
    if (u8_check((const uint8_t *)line, length)) {
        return hl_fail(error, HL_FAILED, "%s:%zu: not UTF-8: save the file as UTF-8", self->shown.path,
                       number);
    }
    if (length > LONGEST_LINE) {
        return hl_fail(error, HL_FAILED,
                       "%s:%zu: the line has %zu bytes; a pool has one short description a line, of at most "
                       "%d bytes",
                       self->shown.path, number, length, LONGEST_LINE);
    }
    char *text = trim(line, length);
    if (*text) return add_text(self, text, number, error);
    ++self->shown.blank;
    return HL_OK;
}

/* ---- all of them ---- */

/* How many lines there are; what follows the last line's end is none where it is empty. */
static size_t count_lines(const char *bytes, size_t count) {
    size_t lines = 0;
    for (size_t i = 0; i < count; ++i) {
        bool ends = bytes[i] == '\n' || (bytes[i] == '\r' && bytes[i + 1] != '\n');
        if (ends || i + 1 == count) ++lines;
    }
    return lines;
}

static bool allocate(own_pool *self, const char *name, size_t lines) {
    const hl_host *host = self->shown.host;
    size_t slots = 16;
    while (slots < 2 * lines) slots *= 2;
    self->path = strdup(name);
    self->texts = host->allocate(host, lines + 1, sizeof *self->texts);
    self->lines = host->allocate(host, lines + 1, sizeof *self->lines);
    self->hashes = host->allocate(host, lines + 1, sizeof *self->hashes);
    self->slots = host->allocate(host, slots, sizeof *self->slots);
    self->mask = slots - 1;
    self->shown.path = self->path;
    self->shown.texts = self->texts;
    self->shown.lines = self->lines;
    self->shown.hashes = self->hashes;
    return self->path && self->texts && self->lines && self->hashes && self->slots;
}

/* bytes[count] is NUL, and so is no end of a line. */
static hl_status take_lines(own_pool *self, size_t count, hl_error *error) {
    static const char mark[] = "\xEF\xBB\xBF";
    char *at = self->bytes, *end = at + count;
    hl_status status = HL_OK;
    if (strncmp(at, mark, strlen(mark)) == 0) at += strlen(mark);
    for (size_t number = 1; at < end && status == HL_OK; ++number) {
        char *stop = at;
        while (stop < end && *stop != '\n' && *stop != '\r') ++stop;
        char *next = stop < end ? stop + 1 + (stop[0] == '\r' && stop[1] == '\n') : end;
        status = take_line(self, at, (size_t)(stop - at), number, error);
        at = next;
    }
    if (status != HL_OK || self->shown.count > 0) return status;
    return hl_fail(error, HL_USAGE, "%s: the pool is empty: write one text a line", self->shown.path);
}

static void say_duplicates(const own_pool *self) {
    const hl_host *host = self->shown.host;
    size_t count = self->shown.duplicates;
    if (count == 0) return;
    host->log(host, HL_LOG_WARNING,
              "%s: %zu %s said before, and left out: line %zu says what line %zu does%s", self->shown.path,
              count, count == 1 ? "line was" : "lines were", self->again_line, self->first_line,
              count == 1 ? "" : ", and so on");
}

hl_status pool_parse(const hl_host *host, const char *name, char *bytes, size_t count, pool **out,
                     hl_error *error) {
    own_pool *self = host->allocate(host, 1, sizeof *self);
    *out = NULL;
    if (!self) {
        free(bytes);
        return hl_no_memory(error, "a pool");
    }
    *self = (own_pool){.shown = {.host = host}, .bytes = bytes};
    bool room = allocate(self, name, count_lines(bytes, count));
    hl_status status = room ? take_lines(self, count, error) : hl_no_memory(error, "a pool");
    if (status == HL_OK) {
        say_duplicates(self);
        *out = &self->shown;
    } else {
        pool_close(&self->shown);
    }
    return status;
}

hl_status pool_open(const hl_host *host, const char *path, pool **out, hl_error *error) {
    char *bytes;
    size_t count;
    *out = NULL;
    hl_status status = host->read_file(host, path, POOL_LARGEST, &bytes, &count, error);
    return status == HL_OK ? pool_parse(host, path, bytes, count, out, error) : status;
}

void pool_close(pool *self) {
    if (!self) return;
    own_pool *own = (own_pool *)(void *)self;
    const hl_host *host = self->host;
    free(own->path);
    free(own->bytes);
    host->release(host, own->texts);
    host->release(host, own->lines);
    host->release(host, own->hashes);
    host->release(host, own->slots);
    host->release(host, own);
}

size_t pool_find(const pool *self, const char *text) {
    const own_pool *own = behind(self);
    char *copy = strdup(text), *bare = copy ? trim(copy, strlen(copy)) : NULL;
    size_t index = bare ? own->slots[find_slot(own, bare, XXH3_64bits(bare, strlen(bare)))] : 0;
    free(copy);
    return index - 1;
}
