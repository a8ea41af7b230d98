/* spiece.model: any bytes are refused or become a tokenizer, which gives ids for any text. The first byte
 * says for whom. */
#include "plugins/shared/tokenizer/parsing.h"
#include "tests/fuzz/tokenized.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count < 1) return 0;
    hl_error error;
    pipeline made;
    hl_status status = pipeline_parse_sentence("fuzz", bytes + 1, count - 1, bytes[0] & 1, &made, &error);
    check_tokenized(&made, status, &error);
    return 0;
}
