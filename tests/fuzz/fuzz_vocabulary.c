/* vocab.txt, or vocab.json and, after a NUL, merges.txt, as the first byte says: any bytes are refused or
 * become a tokenizer, which gives ids for any text. */
#include "plugins/shared/tokenizer/parsing.h"
#include "tests/fuzz/tokenized.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

static hl_status parse(const char *text, size_t count, bool lines, pipeline *out, hl_error *error) {
    if (lines) return pipeline_parse_bert("fuzz", text, count, out, error);
    size_t json = strnlen(text, count);
    const char *merges = text + json + (json < count);
    return pipeline_parse_clip("fuzz", text, json, "merges", merges, count - (size_t)(merges - text), out,
                               error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count < 1) return 0;
    hl_error error;
    pipeline made;
    char *text = malloc(count);
    if (!text) return 0;
    memcpy(text, bytes + 1, count - 1);
    text[count - 1] = '\0';
    hl_status status = parse(text, count - 1, bytes[0] & 1, &made, &error);
    check_tokenized(&made, status, &error);
    free(text);
    return 0;
}
