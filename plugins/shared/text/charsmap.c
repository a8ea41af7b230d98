/* See charsmap.h. The array may hold anything: no step leaves it, and each takes a byte of the text. */
#include "charsmap.h"

#include <unistr.h>

static hl_status copy(const uint8_t *bytes, size_t trie, size_t count, charsmap *out, hl_error *error) {
    out->unit_count = trie / sizeof *out->units;
    out->length = count - trie;
    out->units = malloc(trie + 1);
    out->replacements = malloc(out->length + 1);
    if (!out->units || !out->replacements) {
        charsmap_free(out);
        return hl_no_memory(error, "a map of characters");
    }
    for (size_t i = 0; i < out->unit_count; ++i, bytes += 4) {
        out->units[i] =
            bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    }
    memcpy(out->replacements, bytes, out->length);
    out->replacements[out->length] = '\0';
    return HL_OK;
}

hl_status charsmap_read(const char *name, const void *bytes, size_t count, charsmap *out, hl_error *error) {
    const uint8_t *from = bytes;
    *out = (charsmap){0};
    if (count == 0) return HL_OK;
    size_t trie = 0;
    for (size_t i = 0; count >= 4 && i < 4; ++i) trie |= (size_t)from[i] << 8 * i;
    if (count < 4 || trie % 4 != 0 || trie == 0 || trie > count - 4) {
        return hl_fail(
            error, HL_FAILED,
            "%s: its precompiled_charsmap of %zu bytes says that %zu of them are a trie: get the file again",
            name, count, trie);
    }
    if (u8_check(from + 4 + trie, count - 4 - trie)) {
        return hl_fail(error, HL_FAILED,
                       "%s: its precompiled_charsmap is not valid UTF-8: get the file again", name);
    }
    return copy(from + 4, trie, count - 4, out, error);
}

void charsmap_free(charsmap *map) {
    free(map->units);
    free(map->replacements);
    *map = (charsmap){0};
}

/* A unit: bits 0 to 7 (and 31) the byte that leads to it, bit 8 whether something ends here, bits 10 to 30
 * how far its children are, times 256 where bit 9 is set. */
static uint32_t children(uint32_t at, uint32_t unit) {
    return at ^ ((unit >> 10) << ((unit & 1U << 9) >> 6));
}

/* Not inside a character of UTF-8. */
static bool begins_character(char byte) {
    return ((uint8_t)byte & 0xc0) != 0x80;
}

/* What ends at the unit; NULL: nothing. */
static const char *ends_here(const charsmap *map, uint32_t at, uint32_t unit) {
    uint32_t leaf = children(at, unit);
    if (!(unit & 1U << 8) || leaf >= map->unit_count) return NULL;
    uint32_t value = map->units[leaf] & 0x7fffffff;
    return value < map->length && begins_character(map->replacements[value]) ? map->replacements + value
                                                                             : NULL;
}

static const char *find(const charsmap *map, const char *text, size_t length, bool shortest, size_t *used) {
    const char *found = NULL;
    if (map->unit_count == 0) return NULL;
    uint32_t at = children(0, map->units[0]);
    for (size_t i = 0; i < length; ++i) {
        uint8_t byte = (uint8_t)text[i];
        at ^= byte;
        if (at >= map->unit_count) break;
        uint32_t unit = map->units[at];
        if ((unit & (1U << 31 | 0xff)) != byte) break;
        bool whole = i + 1 == length || begins_character(text[i + 1]);
        const char *ends = whole ? ends_here(map, at, unit) : NULL;
        if (ends) {
            found = ends;
            *used = i + 1;
            if (shortest) break;
        }
        at = children(at, unit);
    }
    return found;
}

const char *charsmap_longest(const charsmap *map, const char *text, size_t length, size_t *used) {
    return find(map, text, length, false, used);
}

const char *charsmap_shortest(const charsmap *map, const char *text, size_t length, size_t *used) {
    return find(map, text, length, true, used);
}
