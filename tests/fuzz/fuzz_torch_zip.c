/* Any bytes as a file of weights, meant to be a zip archive with a pickle in it: of what is accepted every
 * tensor lies inside the file and can be read. */
#include "tests/fuzz/any_weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    read_any_weights(bytes, count);
    return 0;
}
