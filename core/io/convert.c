/* Conversions in plain loops without branches, which compilers turn into vector code. */
#include "core/io/convert.h"

#include <string.h>

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* f16: 1 bit sign, 5 bits exponent (bias 15), 10 bits fraction; f32: 1, 8 (bias 127), 23. */
static float f16_to_f32(uint16_t half) {
    uint32_t magnitude = (half & 0x7fffu) << 13, sign = (half & 0x8000u) << 16;
    uint32_t rebiased = magnitude + ((127 - 15) << 23);
    /* a subnormal is a fraction without the leading one: put one there, then take it off again */
    uint32_t subnormal = bits_of(float_of(magnitude + ((127 - 14) << 23)) - float_of((127 - 14) << 23));
    uint32_t special = magnitude | 0x7f800000u; /* infinity and NaN */
    uint32_t bits = magnitude < 1u << 23 ? subnormal : magnitude < 31u << 23 ? rebiased : special;
    return float_of(bits | sign);
}

void convert_f16(const uint8_t *from, size_t count, float *out) {
    for (size_t i = 0; i < count; ++i) {
        uint16_t half;
        memcpy(&half, from + i * sizeof half, sizeof half);
        out[i] = f16_to_f32(half);
    }
}

void convert_bf16(const uint8_t *from, size_t count, float *out) {
    for (size_t i = 0; i < count; ++i) {
        uint16_t top;
        memcpy(&top, from + i * sizeof top, sizeof top);
        out[i] = float_of((uint32_t)top << 16);
    }
}

void convert_f64(const uint8_t *from, size_t count, float *out) {
    for (size_t i = 0; i < count; ++i) {
        double value;
        memcpy(&value, from + i * sizeof value, sizeof value);
        out[i] = (float)value;
    }
}

static uint16_t f32_to_f16(float value) {
    uint32_t bits = bits_of(value), sign = bits >> 16 & 0x8000u, magnitude = bits & 0x7fffffffu;
    /* numbers around 0.5 lie as far apart as f16's subnormals: adding it rounds to one of them */
    uint32_t subnormal = bits_of(float_of(magnitude) + 0.5f) - bits_of(0.5f);
    uint32_t odd = magnitude >> 13 & 1; /* the last bit that stays: at a tie the even neighbour wins */
    uint32_t normal = (magnitude - ((127 - 15) << 23) + 0xfffu + odd) >> 13;
    return (uint16_t)(sign | (magnitude < (127 - 14) << 23 ? subnormal : normal));
}

size_t convert_to_f16(const float *from, size_t count, uint8_t *out) {
    const uint32_t limit = 0x477ff000u; /* 65520: from here on, infinity is nearest */
    size_t i = 0;
    for (; i < count && (bits_of(from[i]) & 0x7fffffffu) < limit; ++i) {
        uint16_t half = f32_to_f16(from[i]);
        memcpy(out + i * sizeof half, &half, sizeof half);
    }
    return i;
}
