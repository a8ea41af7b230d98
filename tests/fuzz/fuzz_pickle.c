/* A pickle inside an archive that is sound, so that the zip's checksums keep no mutation away: data/0 has 64
 * bytes. */
#include "core/weights/torch_tensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

enum { BEGIN = 8, BYTES = 64 };

static hl_status locate(void *container, const char *key, uint64_t *begin, uint64_t *bytes, hl_error *error) {
    (void)container;
    if (strcmp(key, "0") != 0) return hl_fail(error, HL_FAILED, "no such storage");
    *begin = BEGIN;
    *bytes = BYTES;
    return HL_OK;
}

static void check(const hl_weights *table, const tensor *each) {
    static float out[BYTES];
    hl_error error;
    bool inside = each->stored.elements == 0 || (each->begin >= BEGIN && each->end <= BEGIN + BYTES);
    if (!inside || each->stored.elements > BYTES) abort();
    hl_status status = table_read(table, &each->stored, 0, each->stored.elements, out, &error);
    if (status != HL_OK && each->stored.dtype <= HL_F64) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const uint8_t file[BEGIN + BYTES] = {0};
    const weights_file in_memory = {(char *)(uintptr_t) "fuzz", -1, file, sizeof file};
    hl_error error;
    pickle tree;
    hl_weights *table = table_new();
    if (!table || table_add_file(table, &in_memory, &error) != HL_OK) abort();
    if (pickle_read("fuzz", bytes, count, torch_may, &tree, &error) == HL_OK &&
        torch_add_tensors(table, &tree, locate, NULL, &error) == HL_OK) {
        for (size_t i = 0; i < table->count; ++i) check(table, &table->tensors[i]);
    }
    pickle_free(&tree);
    table_close(table);
    return 0;
}
