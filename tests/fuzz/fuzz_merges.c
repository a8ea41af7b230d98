/* The merges file of model/clip-vit: any bytes are refused or become a table in which every merge can be
 * found. */
#include "plugins/shared/byte-pairs/merges.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    if (count < 1) return 0;
    hl_error error;
    merges *table;
    size_t wanted = bytes[0];
    if (merges_parse("fuzz", (const char *)bytes + 1, count - 1, MERGES_FIXED + wanted, &table, &error))
        return 0;
    const pair_table *pairs = merges_pairs(table);
    for (size_t i = 0; i < pairs->slot_count; ++i) {
        const pair *known = &pairs->pairs[i];
        if (known->key == 0) continue;
        uint64_t both = known->key - 1;
        const merge *found = pair_table_find(pairs, (uint32_t)(both >> 32), (uint32_t)both);
        if (found != &known->merge || merges_id(table, found->result) < 2 * MERGES_BYTES) __builtin_trap();
    }
    merges_free(table);
    return 0;
}
