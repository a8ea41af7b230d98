/* See encoder.h. */
#include "encoder.h"

#include "byte-pairs/words.h"

static hl_status encode_words(const void *vocabulary, const char *text, size_t length, token_ids *out,
                              hl_error *error) {
    return words_encode(vocabulary, text, length, out, error);
}

static void free_merges(void *vocabulary) {
    merges_free(vocabulary);
}

static hl_status read_merges(const hl_host *host, const char *folder, const tokenizer_rules *rules,
                             encoder *out, hl_error *error) {
    merges *table;
    hl_status status = merges_read(host, folder, rules->vocab_size, &table, error);
    if (status) return status;
    *out =
        (encoder){table, encode_words, free_merges, rules->cleaning, merges_start(table), merges_end(table)};
    return HL_OK;
}

hl_status encoder_read(const hl_host *host, const char *folder, const tokenizer_rules *rules, encoder *out,
                       hl_error *error) {
    if (rules->style == TOKENIZER_SIMPLE) return read_merges(host, folder, rules, out, error);
    return hl_fail(error, HL_USAGE, "%s: texts need a tokenizer of a kind that is not read yet", folder);
}
