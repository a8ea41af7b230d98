/* Any bytes as an image; what can be decoded is prepared for a small model and written as PNG. Large images
 * are left out, to keep the runs short. */
#include "core/io/decoder.h"
#include "core/io/picture.h"

#include <stdbool.h>
#include <stdlib.h>

enum { LARGEST = 1 << 16, SIZE = 12 };

static bool is_small(const uint8_t *bytes, size_t count) {
    encoded_image image = {.name = "fuzz", .bytes = bytes, .count = count};
    size_t width, height;
    hl_error error;
    return decode_size(&image, &width, &height, &error) != HL_OK || width * height <= LARGEST;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count) {
    picture image;
    hl_error error;
    if (!is_small(bytes, count) || picture_decode("fuzz", bytes, count, &image, &error) != HL_OK) return 0;
    hl_preprocess preprocess = {.resize = HL_RESIZE_COVER,
                                .interpolation = HL_BICUBIC,
                                .height = SIZE,
                                .width = SIZE,
                                .deviation = {1, 1, 1}};
    float pixels[3 * SIZE * SIZE], sum = 0;
    if (picture_preprocess(&image, &preprocess, pixels, &error) != HL_OK) abort();
    for (size_t i = 0; i < sizeof pixels / sizeof *pixels; ++i) sum += pixels[i];
    if (!(sum >= 0)) abort(); /* also reads every pixel */
    uint8_t *png;
    size_t length;
    if (image.width * image.height < LARGEST / 16 &&
        picture_encode_png(&image, &png, &length, &error) == HL_OK) {
        free(png);
    }
    picture_free(&image);
    return 0;
}
