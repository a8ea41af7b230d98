/* The texts that models tokenize, by every rule of cleaning: any bytes are refused or become valid UTF-8, and
 * of it ids of the vocabulary. */
#include "plugins/shared/byte-pairs/words.h"
#include "plugins/shared/text/clean.h"

#include <unistr.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { VOCABULARY = MERGES_FIXED + 4, ROOM = 1 << 16 };

static merges *small_table(void) {
    static const char text[] = "header\na a\naa a</w>\n\xc4\xa0 a\nc\xcc\xa7 t\n";
    merges *out;
    hl_error error;
    if (merges_parse("fuzz", text, sizeof text - 1, VOCABULARY, &out, &error)) __builtin_trap();
    return out;
}

static void check(const merges *table, const buffer *cleaned) {
    static int32_t ids[ROOM];
    token_ids all = {ids, 0, ROOM}, counted = {NULL, 0, SIZE_MAX}, few = {ids, 0, 3};
    hl_error error;
    if (u8_check((const uint8_t *)cleaned->bytes, cleaned->length)) __builtin_trap();
    if (words_encode(table, cleaned->bytes, cleaned->length, &all, &error)) __builtin_trap();
    for (size_t i = 0; i < all.count; ++i) {
        if (ids[i] < 0 || ids[i] >= VOCABULARY) __builtin_trap();
    }
    if (words_encode(table, cleaned->bytes, cleaned->length, &counted, &error)) __builtin_trap();
    if (words_encode(table, cleaned->bytes, cleaned->length, &few, &error)) __builtin_trap();
    if (all.count < ROOM && counted.count != all.count) __builtin_trap();
    if (few.count != (counted.count < 3 ? counted.count : 3)) __builtin_trap();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static merges *shared;
    if (!shared) shared = small_table();
    char *text = strndup((const char *)bytes, count);
    for (int how = TEXT_AS_IT_IS; text && how <= TEXT_SIGLIP; ++how) {
        hl_error error;
        buffer cleaned;
        if (clean_text(text, (text_cleaning)how, &cleaned, &error)) continue;
        check(shared, &cleaned);
        free(cleaned.bytes);
    }
    free(text);
    return 0;
}
