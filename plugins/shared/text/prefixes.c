/* See prefixes.h. */
#include "prefixes.h"

static int compare(const void *a, const void *b, void *of) {
    const string_table *table = of;
    const string_span *left = &table->spans[*(const uint32_t *)a],
                      *right = &table->spans[*(const uint32_t *)b];
    uint32_t shorter = left->length < right->length ? left->length : right->length;
    int order = memcmp(table->strings.bytes + left->offset, table->strings.bytes + right->offset, shorter);
    return order ? order : left->length < right->length ? -1 : left->length > right->length;
}

static uint8_t byte_at(const prefixes *p, uint32_t at, uint32_t depth) {
    return (uint8_t)string_table_bytes(p->table, p->sorted[at])[depth];
}

static uint32_t length_at(const prefixes *p, uint32_t at) {
    return p->table->spans[p->sorted[at]].length;
}

bool prefixes_make(const string_table *table, const uint32_t *numbers, uint32_t count, prefixes *out) {
    *out = (prefixes){.table = table, .count = count};
    out->sorted = malloc((count + (size_t)1) * sizeof *out->sorted);
    if (!out->sorted) return false;
    for (uint32_t i = 0; i < count; ++i) out->sorted[i] = numbers[i];
    qsort_r(out->sorted, count, sizeof *out->sorted, compare, (void *)(uintptr_t)table);
    uint32_t at = 0;
    for (unsigned byte = 0; byte < 256; ++byte) {
        while (at < count && byte_at(out, at, 0) < byte) ++at;
        out->first[byte] = at;
    }
    out->first[256] = count;
    return true;
}

void prefixes_free(prefixes *p) {
    free(p->sorted);
    *p = (prefixes){0};
}

prefix_walk prefixes_start(const prefixes *p) {
    return (prefix_walk){p, 0, p->count, 0};
}

/* The first of [low, high) whose byte at `depth` is at least `byte`; all of them are longer than that. */
static uint32_t lower_bound(const prefixes *p, uint32_t low, uint32_t high, uint32_t depth, unsigned byte) {
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (byte_at(p, middle, depth) < byte) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

bool prefixes_step(prefix_walk *walk, char byte) {
    const prefixes *p = walk->of;
    unsigned wanted = (uint8_t)byte;
    uint32_t low = walk->low, high = walk->high, depth = walk->depth++;
    if (depth == 0) {
        low = p->first[wanted];
        high = p->first[wanted + 1];
    } else {
        if (low < high && length_at(p, low) == depth) ++low; /* the one that has ended comes first */
        high = wanted == 255 ? high : lower_bound(p, low, high, depth, wanted + 1);
        low = lower_bound(p, low, high, depth, wanted);
    }
    walk->low = low;
    walk->high = high;
    return low < high;
}

uint32_t prefixes_here(const prefix_walk *walk) {
    bool ends = walk->depth > 0 && walk->low < walk->high && length_at(walk->of, walk->low) == walk->depth;
    return ends ? walk->of->sorted[walk->low] : STRING_UNKNOWN;
}

uint32_t prefixes_longest(const prefixes *p, const char *text, size_t length, size_t *used) {
    uint32_t found = STRING_UNKNOWN;
    prefix_walk walk = prefixes_start(p);
    for (size_t i = 0; i < length && prefixes_step(&walk, text[i]); ++i) {
        uint32_t here = prefixes_here(&walk);
        if (here == STRING_UNKNOWN) continue;
        found = here;
        *used = i + 1;
    }
    return found;
}
