/* Walks over the marker segments of a JPEG (ITU T.81, annex B) as a decoder does. A Huffman table of more
 * than 256 codes would be written over what lies behind it in stb_image's memory; and each scan goes over all
 * pixels but needs only a few bytes, so that a small file could keep a decoder busy for hours. Never knows
 * what the image shows. */
#include "core/io/jpeg_check.h"

#include <stdbool.h>

enum {
    SOI = 0xd8,
    EOI = 0xd9,
    SOS = 0xda,
    DHT = 0xc4,
    TEM = 0x01,
    RST0 = 0xd0,
    MOST_SCANS = 100,
    MOST_CODES = 256
};

/* To the end where there is less: that bytes are missing is the decoder's to notice. */
static void skip(FILE *file, int bytes) {
    if (fseek(file, bytes, SEEK_CUR) != 0) fseek(file, 0, SEEK_END);
}

/* A segment of Huffman tables: for each a byte of kind and number, the codes of length 1 to 16, the symbols.
 */
static const char *tables_problem(FILE *file, int left) {
    while (left > 0) {
        int codes = 0;
        (void)getc_unlocked(file);
        for (int length = 1; length <= 16; ++length) {
            int count = getc_unlocked(file);
            codes += count == EOF ? 0 : count; /* as the decoder reads on */
        }
        if (codes > MOST_CODES) return "a Huffman table of more than 256 codes";
        left -= 1 + 16 + codes;
        skip(file, codes);
    }
    return left == 0 ? NULL : "a Huffman table longer than its segment";
}

static const char *segment_problem(FILE *file, int marker) {
    int high = getc_unlocked(file), low = getc_unlocked(file);
    if (high == EOF || low == EOF) return NULL;
    int left = (high << 8 | low) - 2;
    if (left < 0) return "a segment without a length";
    if (marker == DHT) return tables_problem(file, left);
    skip(file, left);
    return NULL;
}

/* Markers that stand alone, and what is no marker: 0xff within image data is followed by 0. */
static bool has_segment(int marker) {
    return marker != 0 && marker != 0xff && marker != TEM && (marker < RST0 || marker > EOI);
}

/* Steps over 0xff, as often as it comes, and the start marker. */
static bool starts_jpeg(FILE *file) {
    if (getc_unlocked(file) != 0xff) return false;
    int byte;
    while ((byte = getc_unlocked(file)) == 0xff) {
    }
    return byte == SOI;
}

const char *jpeg_problem(FILE *file) {
    if (!starts_jpeg(file)) return NULL;
    const char *problem = NULL;
    int scans = 0;
    for (int last = 0, byte; !problem && (byte = getc_unlocked(file)) != EOF; last = byte) {
        if (last != 0xff) continue;
        if (byte == EOI) break;
        if (byte == SOS && ++scans > MOST_SCANS) return "more than 100 scans";
        if (has_segment(byte)) problem = segment_problem(file, byte);
    }
    return problem;
}
