/* Images in files or memory -> RGB bytes -> a model's pixels. Never knows which model wants them or why. */
#include "core/io/picture.h"

#include "core/io/decoder.h"
#include "core/io/input.h"
#include "core/io/resize.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CHANNELS = 3, LEVELS = 256, LARGEST_MODEL_SIZE = 1 << 13 };
/* No image that can be decoded needs more: 2^28 pixels of 16 bits for red, green, blue and opacity. */
static const size_t LARGEST_FILE = (size_t)1 << 31;

/* ---- files ---- */

static bool is_too_large(const char *path) {
    struct stat status;
    return stat(path, &status) == 0 && status.st_size > (off_t)LARGEST_FILE;
}

/* *bytes to be freed, also after a failure. Why a file cannot be read is no matter of what is in it. */
static hl_status read_file(const char *path, uint8_t **bytes, encoded_image *out, hl_error *error) {
    *out = (encoded_image){.name = path};
    hl_status status = input_read(path, LARGEST_FILE, bytes, &out->count, error);
    out->bytes = *bytes;
    if (status == HL_OK || status == HL_NO_MEMORY) return status;
    return is_too_large(path) ? HL_FAILED : HL_UNAVAILABLE;
}

hl_status picture_load(const char *path, picture *out, hl_error *error) {
    *out = (picture){0};
    uint8_t *bytes;
    encoded_image image;
    hl_status status = read_file(path, &bytes, &image, error);
    if (status == HL_OK) status = decode_pixels(&image, out, error);
    free(bytes);
    return status;
}

hl_status picture_size(const char *path, size_t *width, size_t *height, hl_error *error) {
    uint8_t *bytes;
    encoded_image image;
    hl_status status = read_file(path, &bytes, &image, error);
    if (status == HL_OK) status = decode_size(&image, width, height, error);
    free(bytes);
    return status;
}

hl_status picture_decode(const char *name, const uint8_t *bytes, size_t count, picture *out,
                         hl_error *error) {
    encoded_image image = {.name = name, .bytes = bytes, .count = count};
    return decode_pixels(&image, out, error);
}

void picture_free(picture *image) {
    free(image->rgb);
    *image = (picture){0};
}

/* ---- sizes ---- */

hl_status picture_resize(const picture *in, size_t width, size_t height, picture *out, hl_error *error) {
    *out = (picture){0};
    size_t bytes;
    if (in->width == 0 || in->height == 0 || width == 0 || height == 0 ||
        __builtin_mul_overflow(width, height, &bytes) ||
        __builtin_mul_overflow(bytes, (size_t)CHANNELS, &bytes)) {
        return hl_fail(error, HL_FAILED, "an image of %zu x %zu pixels cannot become one of %zu x %zu",
                       in->width, in->height, width, height);
    }
    uint8_t *rgb = malloc(bytes);
    if (!rgb) return hl_no_memory(error, "a resized image");
    resize_axis across = {.from = in->width, .to = width, .count = width};
    resize_axis down = {.from = in->height, .to = height, .count = height};
    hl_status status = resize_pixels(in->rgb, across, down, HL_BICUBIC, rgb, error);
    if (status == HL_OK) {
        *out = (picture){.width = width, .height = height, .rgb = rgb};
    } else {
        free(rgb);
    }
    return status;
}

static hl_status copy_picture(const picture *in, picture *out, hl_error *error) {
    size_t bytes = in->width * in->height * CHANNELS;
    *out = *in;
    out->rgb = malloc(bytes);
    if (!out->rgb) return hl_no_memory(error, "a picture");
    memcpy(out->rgb, in->rgb, bytes);
    return HL_OK;
}

hl_status picture_within(const picture *in, size_t side, picture *out, hl_error *error) {
    size_t longer = in->width > in->height ? in->width : in->height;
    if (side == 0 || side >= longer) return copy_picture(in, out, error);
    size_t width = (in->width * side + longer / 2) / longer;
    size_t height = (in->height * side + longer / 2) / longer;
    return picture_resize(in, width ? width : 1, height ? height : 1, out, error);
}

hl_status picture_load_within(const char *path, size_t side, picture *out, size_t original[2],
                              hl_error *error) {
    picture decoded = {0, 0, NULL};
    *out = decoded;
    hl_status status = picture_load(path, &decoded, error);
    original[0] = decoded.width;
    original[1] = decoded.height;
    if (status == HL_OK && side > 0) status = picture_within(&decoded, side, out, error);
    if (status == HL_OK && side == 0) {
        *out = decoded;
        return HL_OK;
    }
    picture_free(&decoded);
    return status;
}

/* Half of the even or odd number of surplus pixels, a half rounded to even. */
static size_t centre_offset(size_t surplus) {
    size_t half = surplus / 2;
    return half + (surplus & half & 1);
}

/* What becomes of each axis of a picture. Squashed, all of it is wanted; else one side becomes exact, and of
 * the other, which is then at least as long as wanted, the middle. */
static void plan_axes(size_t width, size_t height, const hl_preprocess *preprocess, resize_axis *across,
                      resize_axis *down) {
    size_t wide = preprocess->width, high = preprocess->height;
    *across = (resize_axis){.from = width, .to = wide, .count = wide};
    *down = (resize_axis){.from = height, .to = high, .count = high};
    if (preprocess->resize == HL_RESIZE_SQUASH) return;
    if (width * high <= height * wide) {
        down->to = wide * height / width;
    } else {
        across->to = high * width / height;
    }
    across->first = centre_offset(across->to - wide);
    down->first = centre_offset(down->to - high);
}

hl_status picture_pixels(const char *path, const hl_preprocess *preprocess, float *pixels, hl_error *error) {
    picture decoded = {0, 0, NULL};
    hl_status status = picture_load(path, &decoded, error);
    if (status == HL_OK) status = picture_preprocess(&decoded, preprocess, pixels, error);
    picture_free(&decoded);
    return status;
}

picture_frame picture_crop_frame(size_t width, size_t height, const hl_preprocess *preprocess) {
    resize_axis across, down;
    plan_axes(width, height, preprocess, &across, &down);
    double wide = (double)across.from / (double)across.to, high = (double)down.from / (double)down.to;
    return (picture_frame){.left = (double)across.first * wide,
                           .top = (double)down.first * high,
                           .width = (double)across.count * wide,
                           .height = (double)down.count * high};
}

/* ---- pixels ---- */

/* Bytes of interleaved channels -> planes of normalised numbers. */
static void normalise(const uint8_t *rgb, size_t count, const hl_preprocess *preprocess, float *pixels) {
    for (size_t channel = 0; channel < CHANNELS; ++channel) {
        float value[LEVELS];
        for (int level = 0; level < LEVELS; ++level) {
            value[level] = ((float)level / 255 - preprocess->mean[channel]) / preprocess->deviation[channel];
        }
        for (size_t i = 0; i < count; ++i) pixels[channel * count + i] = value[rgb[i * CHANNELS + channel]];
    }
}

bool picture_can_preprocess(const hl_preprocess *preprocess) {
    return (preprocess->resize == HL_RESIZE_COVER || preprocess->resize == HL_RESIZE_SQUASH) &&
           preprocess->interpolation >= HL_BICUBIC && preprocess->interpolation <= HL_NEAREST &&
           preprocess->height >= 1 && preprocess->height <= LARGEST_MODEL_SIZE && preprocess->width >= 1 &&
           preprocess->width <= LARGEST_MODEL_SIZE;
}

hl_status picture_preprocess(const picture *in, const hl_preprocess *preprocess, float *pixels,
                             hl_error *error) {
    size_t count = (size_t)preprocess->height * preprocess->width;
    if (!picture_can_preprocess(preprocess) || in->width == 0 || in->height == 0) {
        return hl_fail(
            error, HL_FAILED,
            "an image of %zu x %zu pixels cannot be prepared by method %u with interpolation %u to "
            "%u x %u pixels; expected a method and an interpolation of hl_preprocess and 1 to %d "
            "pixels a side",
            in->width, in->height, preprocess->resize, preprocess->interpolation, preprocess->width,
            preprocess->height, LARGEST_MODEL_SIZE);
    }
    uint8_t *rgb = malloc(count * CHANNELS);
    if (!rgb) return hl_no_memory(error, "a resized image");
    resize_axis across, down;
    plan_axes(in->width, in->height, preprocess, &across, &down);
    hl_status status =
        resize_pixels(in->rgb, across, down, (hl_interpolation)preprocess->interpolation, rgb, error);
    if (status == HL_OK) normalise(rgb, count, preprocess, pixels);
    free(rgb);
    return status;
}
