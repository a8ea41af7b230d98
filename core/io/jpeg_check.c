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

static const char *const CUT = "a segment ends too early";

static int read_length(FILE *file) {
    int high = getc_unlocked(file), low = getc_unlocked(file);
    return high == EOF || low == EOF ? EOF : high << 8 | low;
}

/* A segment of Huffman tables: for each a byte of kind and number, the codes of length 1 to 16, the symbols.
 */
static const char *tables_problem(FILE *file, int left) {
    while (left > 0) {
        int codes = 0;
        if (getc_unlocked(file) == EOF) return CUT;
        for (int length = 1; length <= 16; ++length) {
            int count = getc_unlocked(file);
            if (count == EOF) return CUT;
            codes += count;
        }
        if (codes > MOST_CODES) return "a Huffman table of more than 256 codes";
        left -= 1 + 16 + codes;
        if (fseek(file, codes, SEEK_CUR) != 0) return CUT;
    }
    return left == 0 ? NULL : "a Huffman table longer than its segment";
}

static const char *segment_problem(FILE *file, int marker) {
    int left = read_length(file) - 2;
    if (left < 0) return CUT;
    if (marker == DHT) return tables_problem(file, left);
    return fseek(file, left, SEEK_CUR) == 0 ? NULL : CUT;
}

/* Markers that stand alone, and what is no marker: 0xff within image data is followed by 0. */
static bool has_segment(int marker) {
    return marker != 0 && marker != 0xff && marker != TEM && (marker < RST0 || marker > EOI);
}

const char *jpeg_problem(FILE *file) {
    if (getc_unlocked(file) != 0xff || getc_unlocked(file) != SOI) return NULL;
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
