/* See string_table.h. Open addressing; at most half of the slots are taken. */
#include "string_table.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The slot where the string is, or the free one where it would be. */
static size_t slot_of(const string_table *table, const char *bytes, size_t length) {
    size_t mask = table->slot_count - 1, slot = XXH3_64bits(bytes, length) & mask;
    for (; table->slots[slot]; slot = (slot + 1) & mask) {
        const string_span *known = &table->spans[table->slots[slot] - 1];
        if (known->length == length && memcmp(table->strings.bytes + known->offset, bytes, length) == 0)
            break;
    }
    return slot;
}

static bool resize_slots(string_table *table, size_t count) {
    uint32_t *old = table->slots, *slots = calloc(count, sizeof *slots);
    if (!slots) return false;
    table->slots = slots;
    table->slot_count = count;
    for (uint32_t i = 0; i < table->count; ++i) {
        slots[slot_of(table, string_table_bytes(table, i), table->spans[i].length)] = i + 1;
    }
    free(old);
    return true;
}

bool string_table_reserve(string_table *table, size_t count) {
    if (count >= INT32_MAX) return false;
    size_t slots = table->slot_count ? table->slot_count : 1024;
    while (slots < 2 * count) slots *= 2;
    if (slots > table->slot_count && !resize_slots(table, slots)) return false;
    if (count <= table->room) return true;
    string_span *grown = realloc(table->spans, count * sizeof *grown);
    if (!grown) return false;
    table->spans = grown;
    table->room = (uint32_t)count;
    return true;
}

static bool make_room(string_table *table) {
    if (table->count < table->room) return true;
    return string_table_reserve(table, table->room ? 2 * (size_t)table->room : 512);
}

uint32_t string_table_add(string_table *table, const char *bytes, size_t length, bool *fresh) {
    if (fresh) *fresh = false;
    if (table->failed || table->count >= INT32_MAX || length > UINT32_MAX || !make_room(table)) {
        table->failed = true;
        return STRING_UNKNOWN;
    }
    size_t slot = slot_of(table, bytes, length);
    if (table->slots[slot]) return table->slots[slot] - 1;
    table->spans[table->count] = (string_span){table->strings.length, (uint32_t)length};
    buffer_append(&table->strings, bytes, length);
    if (table->strings.failed) {
        table->failed = true;
        return STRING_UNKNOWN;
    }
    if (fresh) *fresh = true;
    table->slots[slot] = ++table->count;
    return table->count - 1;
}

uint32_t string_table_find(const string_table *table, const char *bytes, size_t length) {
    if (table->slot_count == 0) return STRING_UNKNOWN;
    uint32_t found = table->slots[slot_of(table, bytes, length)];
    return found ? found - 1 : STRING_UNKNOWN;
}

void string_table_free(string_table *table) {
    free(table->strings.bytes);
    free(table->spans);
    free(table->slots);
    *table = (string_table){0};
}
