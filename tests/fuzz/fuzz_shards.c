/* Any bytes as an index of .safetensors and two shards beside it: the index up to the first NUL, then two
 * bytes that say how long one.safetensors is, that file, and two.safetensors. Of what is accepted every
 * tensor is read; what is refused is so by the name of one of the files. */
#include "tests/fuzz/any_weights.h"
#include "tests/fuzz/scratch.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

/* What follows the index; an input that ends before has two empty shards. */
static void write_shards(const uint8_t *bytes, size_t count) {
    size_t said = count >= 2 ? bytes[0] | (size_t)bytes[1] << 8 : 0, left = count >= 2 ? count - 2 : 0;
    size_t first = said < left ? said : left;
    const uint8_t *start = bytes + (count - left);
    scratch_write("one.safetensors", start, first);
    scratch_write("two.safetensors", start + first, left - first);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    const char *folder = scratch_folder();
    size_t length = strnlen((const char *)bytes, count), behind = length < count ? length + 1 : length;
    hl_weights *weights;
    hl_error error;
    if (count == 0) return 0;
    scratch_write("index.json", bytes, length);
    write_shards(bytes + behind, count - behind);
    if (weights_api.open(scratch_path("index.json"), &weights, &error) == HL_OK)
        read_opened_weights(weights, count);
    else if (strncmp(error.message, folder, strlen(folder)) != 0)
        abort();
    return 0;
}
