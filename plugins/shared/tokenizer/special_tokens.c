/* See special_tokens.h. */
#include "special_tokens.h"

#include "text/clean.h"
#include <unistr.h>

bool special_tokens_add(special_tokens *all, const char *content, size_t length, special_token row) {
    uint32_t number = string_table_add(&all->contents, content, length, NULL);
    if (number == STRING_UNKNOWN) return false;
    special_token *grown = realloc(all->rows, all->contents.room * sizeof *grown);
    if (!grown) return false;
    all->rows = grown;
    all->rows[number] = row;
    return true;
}

bool special_tokens_ready(special_tokens *all) {
    uint32_t count = all->contents.count, *numbers = malloc((count + (size_t)1) * sizeof *numbers);
    if (!numbers) return false;
    for (uint32_t i = 0; i < count; ++i) numbers[i] = i;
    bool made = prefixes_make(&all->contents, numbers, count, &all->prefixes);
    free(numbers);
    return made;
}

void special_tokens_free(special_tokens *all) {
    string_table_free(&all->contents);
    prefixes_free(&all->prefixes);
    free(all->rows);
    *all = (special_tokens){0};
}

static size_t space_before(const char *text, size_t end) {
    while (end > 0) {
        ucs4_t c;
        const uint8_t *last = u8_prev(&c, (const uint8_t *)text + end, (const uint8_t *)text);
        if (!last || !is_white_space(c)) break;
        end = (size_t)(last - (const uint8_t *)text);
    }
    return end;
}

static size_t space_behind(const char *text, size_t length, size_t start) {
    while (start < length) {
        ucs4_t c;
        int size = u8_mbtouc(&c, (const uint8_t *)text + start, length - start);
        if (!is_white_space(c)) break;
        start += (size_t)size;
    }
    return start;
}

const special_token *special_tokens_find(const special_tokens *all, const char *text, size_t length,
                                         size_t *start, size_t *end) {
    if (all->contents.count == 0) return NULL;
    for (size_t at = 0; at < length; ++at) {
        size_t used;
        uint32_t found = prefixes_longest(&all->prefixes, text + at, length - at, &used);
        if (found == STRING_UNKNOWN) continue;
        const special_token *row = &all->rows[found];
        *start = row->strips_left ? space_before(text, at) : at;
        *end = row->strips_right ? space_behind(text, length, at + used) : at + used;
        return row;
    }
    return NULL;
}
