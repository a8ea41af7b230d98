/* tokenizer.json: any bytes are refused or become a tokenizer, which gives ids for any text. */
#include "plugins/shared/tokenizer/parsing.h"
#include "tests/fuzz/tokenized.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    hl_error error;
    pipeline made;
    char *text = malloc(count + 1);
    if (!text) return 0;
    memcpy(text, bytes, count);
    text[count] = '\0';
    hl_status status = pipeline_parse_json("fuzz", text, count, &made, &error);
    check_tokenized(&made, status, &error);
    free(text);
    return 0;
}
