/* The texts that model/clip-vit tokenizes: any bytes are refused or become ids of the vocabulary that begin
 * with the start and hold an end. */
#include "plugins/shared/byte-pairs/clean.c"
#include "plugins/shared/byte-pairs/entities.c"
#include "plugins/shared/byte-pairs/merges.c"
#include "plugins/shared/byte-pairs/tokenizer.c"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { CONTEXT = 24, VOCABULARY = MERGES_FIXED + 4 };

static tokenizer *small_tokenizer(void) {
    static const char text[] = "header\na a\naa a</w>\n\xc4\xa0 a\nc\xcc\xa7 t\n";
    tokenizer *out = tokenizer_open(NULL, "/", VOCABULARY, 0);
    hl_error error;
    if (!out || merges_parse("fuzz", text, sizeof text - 1, VOCABULARY, &out->merges, &error))
        __builtin_trap();
    return out;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static tokenizer *shared;
    if (!shared) shared = small_tokenizer();
    char *text = strndup((const char *)bytes, count);
    int32_t ids[CONTEXT];
    hl_error error;
    bool ended = false;
    if (text && tokenizer_run(shared, text, CONTEXT, ids, &error) == HL_OK) {
        for (size_t i = 0; i < CONTEXT; ++i) {
            if (ids[i] < 0 || ids[i] >= VOCABULARY) __builtin_trap();
            ended |= ids[i] == VOCABULARY - 1;
        }
        if (ids[0] != VOCABULARY - 2 || !ended) __builtin_trap();
        size_t all = 0;
        if (tokenizer_count(shared, text, &all, &error) || all < 2) __builtin_trap();
        if (ids[(all < CONTEXT ? all : CONTEXT) - 1] != VOCABULARY - 1) __builtin_trap();
    }
    free(text);
    return 0;
}
