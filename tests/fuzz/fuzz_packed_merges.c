/* Any bytes as a packed merges file in a model's folder: refused, or a table of as many merges as were asked
 * for. */
#include "plugins/models/clip-vit/merges.c"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count < 1) return 0;
    hl_error error;
    merges *table;
    scratch_write("merges.txt.gz", bytes + 1, count - 1);
    if (merges_read(scratch_folder(), MERGES_FIXED + bytes[0], &table, &error) != HL_OK) return 0;
    if (table->symbol_count < MERGES_BYTES) __builtin_trap();
    merges_free(table);
    return 0;
}
