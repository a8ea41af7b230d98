/* See word_pieces.h. */
#include "word_pieces.h"

#include "text/clean.h"
#include <unictype.h>
#include <unistr.h>

enum { PREFIX_ROOM = 16 };

struct word_pieces {
    string_table pieces;
    int32_t *ids;
    prefixes prefixes;
    char prefix[PREFIX_ROOM]; /* "##" */
    int32_t unknown;
    size_t most;
};

static bool order_pieces(word_pieces *self) {
    uint32_t count = 0, *numbers = malloc((self->pieces.count + (size_t)1) * sizeof *numbers);
    if (!numbers) return false;
    for (uint32_t i = 0; i < self->pieces.count; ++i) {
        if (self->pieces.spans[i].length > 0) numbers[count++] = i;
    }
    bool made = prefixes_make(&self->pieces, numbers, count, &self->prefixes);
    free(numbers);
    return made;
}

hl_status word_pieces_make(string_table *pieces, int32_t *ids, const char *prefix, int32_t unknown,
                           size_t most, word_pieces **out, hl_error *error) {
    word_pieces *self = strlen(prefix) < PREFIX_ROOM ? calloc(1, sizeof *self) : NULL;
    if (!self) {
        string_table_free(pieces);
        free(ids);
        return strlen(prefix) < PREFIX_ROOM
                   ? hl_no_memory(error, "a vocabulary")
                   : hl_fail(error, HL_USAGE, "continuing_subword_prefix is longer than %d bytes",
                             PREFIX_ROOM - 1);
    }
    self->pieces = *pieces;
    self->ids = ids;
    self->unknown = unknown;
    self->most = most;
    *pieces = (string_table){0};
    strcpy(self->prefix, prefix);
    if (order_pieces(self)) {
        *out = self;
        return HL_OK;
    }
    word_pieces_free(self);
    return hl_no_memory(error, "a vocabulary");
}

void word_pieces_free(word_pieces *self) {
    if (!self) return;
    string_table_free(&self->pieces);
    prefixes_free(&self->prefixes);
    free(self->ids);
    free(self);
}

/* The longest piece that `text` begins with, inside a word if not `first`; STRING_UNKNOWN: none. */
static uint32_t longest(const word_pieces *self, bool first, const char *text, size_t length, size_t *used) {
    uint32_t found = STRING_UNKNOWN;
    prefix_walk walk = prefixes_start(&self->prefixes);
    for (const char *c = first ? "" : self->prefix; *c; ++c) {
        if (!prefixes_step(&walk, *c)) return found;
    }
    for (size_t i = 0; i < length && prefixes_step(&walk, text[i]); ++i) {
        uint32_t here = prefixes_here(&walk);
        if (here == STRING_UNKNOWN) continue;
        found = here;
        *used = i + 1;
    }
    return found;
}

hl_status word_pieces_encode(const void *vocabulary, const char *word, size_t length, token_ids *out,
                             hl_error *error) {
    (void)error;
    const word_pieces *self = vocabulary;
    size_t before = out->count, used = 0;
    bool known = u8_mbsnlen((const uint8_t *)word, length) <= self->most;
    for (size_t at = 0; known && at < length; at += used) {
        uint32_t found = longest(self, at == 0, word + at, length - at, &used);
        known = found != STRING_UNKNOWN;
        if (known) token_ids_add(out, self->ids[found]);
    }
    if (known) return HL_OK;
    out->count = before;
    token_ids_add(out, self->unknown);
    return HL_OK;
}

static bool is_punctuation(ucs4_t c) {
    bool ascii =
        (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') || (c >= '{' && c <= '~');
    return ascii || uc_is_general_category_withtable(c, UC_CATEGORY_MASK_P);
}

size_t word_pieces_next(const char **text, size_t *length) {
    size_t used = 0;
    while (used < *length) {
        ucs4_t c;
        size_t size = (size_t)u8_mbtouc(&c, (const uint8_t *)*text + used, *length - used);
        bool space = is_white_space(c), alone = is_punctuation(c);
        if (used > 0 && (space || alone)) return used;
        if (alone) return size;
        if (space) {
            *text += size;
            *length -= size;
        } else {
            used += size;
        }
    }
    return used;
}
