/* What comes behind the magic number of PyTorch's older format: pickles, then storages. */
#include "tests/fuzz/any_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    static const uint8_t MAGIC[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46,
                                    0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, '.'};
    uint8_t *file = malloc(sizeof MAGIC + count);
    if (!file) return 0;
    memcpy(file, MAGIC, sizeof MAGIC);
    if (count) memcpy(file + sizeof MAGIC, bytes, count);
    read_any_weights(file, sizeof MAGIC + count);
    free(file);
    return 0;
}
