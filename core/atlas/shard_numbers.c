/* See shard_numbers.h. Looks at exponents only: one of all ones is that of no number. */
#include "core/atlas/shard_numbers.h"

#include "core/io/safetensors_write.h"

enum { BLOCK = 4096 }; /* numbers that are looked at together, fast; the one among them is found afterwards */

#define DEFINE_FINDER(NAME, WORD, EXPONENT)                                                                  \
    static size_t NAME(const void *numbers, size_t count) {                                                  \
        const WORD *words = numbers;                                                                         \
        for (size_t first = 0; first < count; first += BLOCK) {                                              \
            size_t end = count - first < BLOCK ? count : first + BLOCK;                                      \
            WORD found = 0;                                                                                  \
            for (size_t i = first; i < end; ++i) found |= (words[i] & (EXPONENT)) == (EXPONENT);             \
            for (size_t i = first; found && i < end; ++i) {                                                  \
                if ((words[i] & (EXPONENT)) == (EXPONENT)) return i;                                         \
            }                                                                                                \
        }                                                                                                    \
        return count;                                                                                        \
    }

/* Each returns where the first one is, or `count`. */
DEFINE_FINDER(find_in_f16, uint16_t, 0x7c00)
DEFINE_FINDER(find_in_f32, uint32_t, 0x7f800000)
DEFINE_FINDER(find_in_f64, uint64_t, 0x7ff0000000000000)

static size_t find(hl_dtype dtype, const void *numbers, size_t count) {
    if (dtype == HL_F16) return find_in_f16(numbers, count);
    if (dtype == HL_F32) return find_in_f32(numbers, count);
    return dtype == HL_F64 ? find_in_f64(numbers, count) : count;
}

static hl_status report(const shard_file *self, const shard_tensor *tensor, size_t index, hl_error *error) {
    if (tensor->extent == SHARD_FIXED) {
        return hl_fail(error, HL_FAILED, "%s: tensor %s: element %zu is no number; make the atlas again",
                       self->path, tensor->name, index);
    }
    size_t row = index / tensor->row;
    return hl_fail(error, HL_FAILED,
                   "%s: tensor %s: row %zu (%s) holds a number that is none; make the atlas again",
                   self->path, tensor->name, row, self->paths[row]);
}

hl_status shard_check_numbers(const shard_file *self, size_t tensor, hl_error *error) {
    const shard_tensor *checked = &self->layout->tensors[tensor];
    bool is_real = checked->dtype == HL_F16 || checked->dtype == HL_F32 || checked->dtype == HL_F64;
    if (!is_real) return HL_OK;
    size_t count = self->bytes[tensor] / safetensors_item(checked->dtype);
    size_t index = find(checked->dtype, self->data[tensor], count);
    return index < count ? report(self, checked, index, error) : HL_OK;
}
