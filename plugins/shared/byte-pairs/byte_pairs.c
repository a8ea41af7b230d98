/* See byte_pairs.h. */
#include "byte_pairs.h"

#include "byte_names.h"
#include <stdio.h>
#include <unistr.h>

enum { SUFFIX_ROOM = 16, FALLBACK = 6 /* <0x0A> */ };

struct byte_pairs {
    string_table pieces;
    int32_t *ids;
    pair_table merges;
    uint32_t rank;
    uint32_t bytes[2][256]; /* symbols of bytes, of the last one in a word; STRING_UNKNOWN: no piece */
    uint32_t unknown;
    char suffix[SUFFIX_ROOM];
    bool byte_level, byte_fallback, joins_unknown;
};

/* The symbols of bytes: by their names, or as what stands in for a character. */
static void find_bytes(byte_pairs *self) {
    for (unsigned byte = 0; byte < 256; ++byte) {
        char name[BYTE_NAME_ROOM + SUFFIX_ROOM];
        size_t length = self->byte_level ? byte_name_write((uint8_t)byte, name)
                                         : (size_t)snprintf(name, sizeof name, "<0x%02X>", byte);
        self->bytes[0][byte] = string_table_find(&self->pieces, name, length);
        size_t suffix = self->byte_level ? strlen(self->suffix) : 0;
        memcpy(name + length, self->suffix, suffix);
        self->bytes[1][byte] = string_table_find(&self->pieces, name, length + suffix);
    }
}

hl_status byte_pairs_make(const byte_pair_rules *rules, string_table *pieces, int32_t *ids, byte_pairs **out,
                          hl_error *error) {
    byte_pairs *self = calloc(1, sizeof *self);
    hl_status status = HL_OK;
    if (!self) {
        status = hl_no_memory(error, "a vocabulary");
    } else if (strlen(rules->suffix) >= SUFFIX_ROOM) {
        status =
            hl_fail(error, HL_USAGE, "model.end_of_word_suffix is longer than %d bytes", SUFFIX_ROOM - 1);
    }
    if (status) {
        free(self);
        string_table_free(pieces);
        free(ids);
        return status;
    }
    self->pieces = *pieces;
    self->ids = ids;
    *pieces = (string_table){0};
    strcpy(self->suffix, rules->suffix);
    self->byte_level = rules->byte_level;
    self->byte_fallback = rules->byte_fallback;
    self->joins_unknown = rules->joins_unknown;
    self->unknown = rules->unknown ? string_table_find(&self->pieces, rules->unknown, strlen(rules->unknown))
                                   : STRING_UNKNOWN;
    find_bytes(self);
    *out = self;
    return HL_OK;
}

void byte_pairs_free(byte_pairs *self) {
    if (!self) return;
    string_table_free(&self->pieces);
    pair_table_free(&self->merges);
    free(self->ids);
    free(self);
}

hl_status byte_pairs_add(byte_pairs *self, const char *left, size_t left_length, const char *right,
                         size_t right_length, hl_error *error) {
    enum { MOST = 1 << 12 };
    char joined[2 * MOST];
    if (left_length == 0 || right_length == 0 || left_length > MOST || right_length > MOST) {
        return hl_fail(error, HL_FAILED, "merge %u: expected two symbols of 1 to %d bytes", self->rank, MOST);
    }
    memcpy(joined, left, left_length);
    memcpy(joined + left_length, right, right_length);
    uint32_t a = string_table_find(&self->pieces, left, left_length);
    uint32_t b = string_table_find(&self->pieces, right, right_length);
    uint32_t result = string_table_find(&self->pieces, joined, left_length + right_length);
    if (a == STRING_UNKNOWN || b == STRING_UNKNOWN || result == STRING_UNKNOWN) {
        return hl_fail(error, HL_FAILED,
                       "merge %u: \"%.*s\" and \"%.*s\" or what they give is not in the vocabulary",
                       self->rank, (int)(left_length < 64 ? left_length : 64), left,
                       (int)(right_length < 64 ? right_length : 64), right);
    }
    if (pair_table_put(&self->merges, a, b, (merge){self->rank++, result})) return HL_OK;
    return hl_no_memory(error, "the merges");
}

/* Symbols on their way; `unknown` is one too, which no merge knows. */
typedef struct symbols {
    uint32_t *list;
    size_t count;
} symbols;

static void add_unknown(const byte_pairs *self, symbols *to) {
    bool joined = self->joins_unknown && to->count > 0 && to->list[to->count - 1] == self->unknown;
    if (self->unknown != STRING_UNKNOWN && !joined) to->list[to->count++] = self->unknown;
}

/* The character's bytes, if all of them are pieces. */
static bool add_fallback(const byte_pairs *self, const char *text, size_t length, symbols *to) {
    if (!self->byte_fallback) return false;
    for (size_t i = 0; i < length; ++i) {
        if (self->bytes[0][(uint8_t)text[i]] == STRING_UNKNOWN) return false;
    }
    for (size_t i = 0; i < length; ++i) to->list[to->count++] = self->bytes[0][(uint8_t)text[i]];
    return true;
}

static void add_character(const byte_pairs *self, const char *text, size_t length, bool last, symbols *to) {
    char name[4 + SUFFIX_ROOM];
    size_t suffix = last ? strlen(self->suffix) : 0;
    memcpy(name, text, length);
    memcpy(name + length, self->suffix, suffix);
    uint32_t found = string_table_find(&self->pieces, name, length + suffix);
    if (found != STRING_UNKNOWN) {
        to->list[to->count++] = found;
    } else if (!add_fallback(self, text, length, to)) {
        add_unknown(self, to);
    }
}

static void cut(const byte_pairs *self, const char *word, size_t length, symbols *to) {
    for (size_t i = 0, size; i < length; i += size) {
        size = self->byte_level ? 1 : (size_t)u8_mblen((const uint8_t *)word + i, length - i);
        bool last = i + size == length;
        uint32_t symbol = self->bytes[last][(uint8_t)word[i]];
        if (!self->byte_level) {
            add_character(self, word + i, size, last, to);
        } else if (symbol != STRING_UNKNOWN) {
            to->list[to->count++] = symbol;
        } else {
            add_unknown(self, to);
        }
    }
}

hl_status byte_pairs_encode(const void *vocabulary, const char *word, size_t length, token_ids *out,
                            hl_error *error) {
    const byte_pairs *self = vocabulary;
    symbols all = {malloc(length * sizeof *all.list + 1), 0};
    if (!all.list) return hl_no_memory(error, "a word");
    cut(self, word, length, &all);
    hl_status status = pair_table_merge(&self->merges, MERGE_LOWEST_FIRST, all.list, &all.count, error);
    for (size_t i = 0; status == HL_OK && i < all.count; ++i) token_ids_add(out, self->ids[all.list[i]]);
    free(all.list);
    return status;
}
