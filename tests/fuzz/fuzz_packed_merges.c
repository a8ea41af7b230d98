/* Any bytes as a merges file that may be packed: refused, or a table with a symbol for every byte. */
#include "plugins/shared/byte-pairs/merges.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count < 1) return 0;
    hl_error error;
    merges *table;
    char *copy = malloc(count); /* of the exact size, so that a byte too many is seen; and a NUL, as read */
    if (!copy) return 0;
    memcpy(copy, bytes + 1, count - 1);
    copy[count - 1] = '\0';
    if (merges_unpack("fuzz", copy, count - 1, MERGES_FIXED + bytes[0], &table, &error) == HL_OK) {
        if (merges_id(table, merges_byte(table, 255, true)) < MERGES_BYTES) __builtin_trap();
        merges_free(table);
    }
    free(copy);
    return 0;
}
