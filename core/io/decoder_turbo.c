/* JPEG by libjpeg-turbo through TurboJPEG, whose errors are values. With its accurate transform, and colours
 * spread smoothly where they are stored more coarsely than brightness, pixels are Pillow's byte for byte, and
 * what is tolerated is what Pillow tolerates. Never knows what the pixels are for. */
#include "core/io/decoder_library.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <turbojpeg.h>

enum {
    RGB = 3,
    INKS = 4,
    MOST_SCANS = 100 /* each goes over all pixels and may need but a few bytes */
};

typedef struct survey {
    size_t scans;
    bool ended; /* there is an end marker; without it TurboJPEG would make one up */
} survey;

/* Walks over the marker segments (ITU T.81, annex B) as libjpeg does. In the data of a scan 0xff is followed
 * by 0 or by a restart marker, both without a segment. */
static survey survey_markers(const encoded_image *image) {
    enum { FIRST = 0xc0, RST0 = 0xd0, EOI = 0xd9, SOS = 0xda, FILL = 0xff };
    survey found = {0};
    const uint8_t *at = image->bytes + 2, *end = image->bytes + image->count;
    while ((at = memchr(at, FILL, (size_t)(end - at))) && end - at >= 2) {
        int marker = at[1];
        found.ended = marker == EOI;
        if (found.ended) break;
        bool has_segment = marker >= FIRST && marker != FILL && (marker < RST0 || marker > EOI);
        size_t step = marker == FILL ? 1 : 2;
        if (has_segment && end - at >= 4) step += (size_t)(at[2] << 8 | at[3]);
        if (step > (size_t)(end - at)) break;
        found.scans += marker == SOS;
        at += step;
    }
    return found;
}

static bool begins(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* TurboJPEG has one kind of failure for warnings and for errors that follow a warning; the text is the
 * error's, or else the first warning's. These are libjpeg's warnings about data that it can make do with. */
static bool only_warned(tjhandle decoder) {
    static const char *const WARNINGS[] = {"Corrupt JPEG data: ", "Inconsistent progression sequence ",
                                           "Invalid SOS parameters for sequential JPEG",
                                           "Unknown Adobe color transform ", "Warning: "};
    const char *text = tjGetErrorStr2(decoder);
    bool found = false;
    for (size_t i = 0; i < sizeof WARNINGS / sizeof *WARNINGS; ++i) found |= begins(text, WARNINGS[i]);
    return tjGetErrorCode(decoder) == TJERR_WARNING && found;
}

static hl_status explain(const char *name, tjhandle decoder, hl_error *error) {
    const char *reason = tjGetErrorStr2(decoder);
    if (strstr(reason, "Insufficient memory") || strstr(reason, "Memory allocation failure"))
        return hl_no_memory(error, name);
    return decoder_damaged(name, reason, error);
}

typedef struct header {
    int width, height, colours; /* of enum TJCS, or -1 */
} header;

/* TurboJPEG also complains about ways to store colours that it has no name for, although libjpeg may decode
 * them, and about what it warned of. Only when it leaves no size the header is really unreadable. */
static hl_status read_header(tjhandle decoder, const encoded_image *image, header *out, hl_error *error) {
    int sampling;
    *out = (header){0};
    int result = tjDecompressHeader3(decoder, image->bytes, image->count, &out->width, &out->height,
                                     &sampling, &out->colours);
    if (out->width > 0 && out->height > 0) return HL_OK;
    if (result == 0) return decoder_damaged(image->name, "it has no pixels", error);
    return explain(image->name, decoder, error);
}

/* Cyan, magenta, yellow and black, all as Adobe stores them: 255 is no ink. In place. */
static void inks_to_rgb(uint8_t *pixels, size_t count) {
    for (size_t i = 0; i < count; ++i) {
        const uint8_t *ink = pixels + INKS * i;
        int black = 255 - ink[RGB];
        for (int c = 0; c < RGB; ++c) pixels[RGB * i + (size_t)c] = decoder_light(255 - ink[c], black);
    }
}

static hl_status decode(tjhandle decoder, const encoded_image *image, picture *out, hl_error *error) {
    header head;
    hl_status status = read_header(decoder, image, &head, error);
    if (status != HL_OK) return status;
    bool inks = head.colours == TJCS_CMYK || head.colours == TJCS_YCCK;
    size_t count = out->width * out->height;
    out->rgb = malloc(count * (inks ? INKS : RGB));
    if (!out->rgb) return hl_no_memory(error, image->name);
    int result = tjDecompress2(decoder, image->bytes, image->count, out->rgb, head.width, 0, head.height,
                               inks ? TJPF_CMYK : TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS);
    if (result != 0 && !only_warned(decoder)) return explain(image->name, decoder, error);
    if (inks) inks_to_rgb(out->rgb, count);
    return HL_OK;
}

static hl_status turbo_size(const encoded_image *image, size_t *width, size_t *height, hl_error *error) {
    survey markers = survey_markers(image);
    if (!markers.ended) return decoder_truncated(image->name, error);
    if (markers.scans > MOST_SCANS) return decoder_damaged(image->name, "it has more than 100 scans", error);
    tjhandle decoder = tjInitDecompress();
    if (!decoder) return hl_no_memory(error, image->name);
    header head;
    hl_status status = read_header(decoder, image, &head, error);
    *width = (size_t)head.width;
    *height = (size_t)head.height;
    tjDestroy(decoder);
    return status;
}

static hl_status turbo_pixels(const encoded_image *image, size_t width, size_t height, picture *out,
                              hl_error *error) {
    tjhandle decoder = tjInitDecompress();
    if (!decoder) return hl_no_memory(error, image->name);
    *out = (picture){.width = width, .height = height};
    hl_status status = decode(decoder, image, out, error);
    if (status != HL_OK) picture_free(out);
    tjDestroy(decoder);
    return status;
}

const decoder_library DECODER_TURBO = {turbo_size, turbo_pixels};
