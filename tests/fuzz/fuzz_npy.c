/* Any bytes as a .npy file. */
#include "core/io/npy.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    npy_array array;
    hl_error error;
    if (npy_parse("fuzz", bytes, count, &array, &error) != HL_OK) return 0;
    size_t elements = 1;
    for (size_t i = 0; i < array.rank; ++i) elements *= array.shape[i];
    if (elements != array.elements || array.elements * sizeof(float) > count) abort();
    free(array.data);
    return 0;
}
