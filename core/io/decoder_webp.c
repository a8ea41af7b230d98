/* WebP by libwebp; of a moving one the first picture, on a canvas that is black where it does not reach.
 * Opacity is decoded and dropped: Pillow refuses a picture where it is damaged. Never knows what the pixels
 * are for. */
#include "core/io/decoder_library.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

enum { RGB = 3, RGBA = 4 };

typedef struct reader {
    WebPDemuxer *container;
    WebPIterator frame;
    bool has_frame;
} reader;

static void close_reader(reader *in) {
    if (in->has_frame) WebPDemuxReleaseIterator(&in->frame);
    WebPDemuxDelete(in->container);
}

/* To be closed, also after a failure. */
static hl_status open_reader(const encoded_image *image, reader *in, hl_error *error) {
    *in = (reader){0};
    WebPData data = {image->bytes, image->count};
    WebPDemuxState state;
    errno = 0;
    in->container = WebPDemuxPartial(&data, &state);
    if (state == WEBP_DEMUX_PARSING_HEADER || state == WEBP_DEMUX_PARSED_HEADER)
        return decoder_truncated(image->name, error);
    if (errno == ENOMEM) return hl_no_memory(error, image->name);
    if (state == WEBP_DEMUX_PARSE_ERROR || !in->container)
        return decoder_damaged(image->name, "its parts do not fit", error);
    in->has_frame = WebPDemuxGetFrame(in->container, 1, &in->frame);
    return in->has_frame ? HL_OK : decoder_damaged(image->name, "it has no picture", error);
}

static hl_status webp_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    reader in;
    hl_status status = open_reader(image, &in, error);
    if (status == HL_OK) {
        *width = WebPDemuxGetI(in.container, WEBP_FF_CANVAS_WIDTH);
        *height = WebPDemuxGetI(in.container, WEBP_FF_CANVAS_HEIGHT);
    }
    close_reader(&in);
    return status;
}

static hl_status explain(const char *name, VP8StatusCode code, hl_error *error) {
    if (code == VP8_STATUS_OUT_OF_MEMORY || errno == ENOMEM) return hl_no_memory(error, name);
    if (code == VP8_STATUS_NOT_ENOUGH_DATA) return decoder_truncated(name, error);
    return decoder_damaged(
        name, code == VP8_STATUS_UNSUPPORTED_FEATURE ? "unknown to libwebp" : "its data is wrong", error);
}

/* Into the frame's place on a canvas of red, green, blue and opacity. */
static hl_status decode(const char *name, const WebPIterator *frame, size_t canvas_width, uint8_t *canvas,
                        hl_error *error) {
    WebPDecoderConfig config;
    if (!WebPInitDecoderConfig(&config)) return decoder_damaged(name, "libwebp is of another version", error);
    size_t stride = RGBA * canvas_width,
           place = stride * (size_t)frame->y_offset + RGBA * (size_t)frame->x_offset;
    config.output.colorspace = MODE_RGBA;
    config.output.is_external_memory = 1;
    config.output.u.RGBA.rgba = canvas + place;
    config.output.u.RGBA.stride = (int)stride;
    config.output.u.RGBA.size = stride * (size_t)(frame->height - 1) + RGBA * (size_t)frame->width;
    errno = 0; /* libwebp takes missing memory for wrong data, too */
    VP8StatusCode code = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
    WebPFreeDecBuffer(&config.output);
    return code == VP8_STATUS_OK ? HL_OK : explain(name, code, error);
}

static void drop_opacity(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; ++i) memmove(pixels + RGB * i, pixels + RGBA * i, RGB);
}

static hl_status webp_pixels(const encoded_image *image, size_t width, size_t height, picture *out,
                             hl_error *error) {
    reader in;
    hl_status status = open_reader(image, &in, error);
    if (status == HL_OK) {
        *out = (picture){.width = width, .height = height, .rgb = calloc(width * height, RGBA)};
        status = out->rgb ? decode(image->name, &in.frame, width, out->rgb, error)
                          : hl_no_memory(error, image->name);
    }
    if (status == HL_OK) drop_opacity(out->rgb, width * height);
    if (status != HL_OK) picture_free(out);
    close_reader(&in);
    return status;
}

const decoder_library DECODER_WEBP = {webp_size, webp_pixels};
