/* HTML output: escaping, base64, nothing else. */
#include "html.h"

#include <math.h>
#include <unictype.h>
#include <unistr.h>

static void put_bytes(html *page, const void *bytes, size_t count) {
    if (page->status != HL_OK || !count) return;
    page->status = page->report->write(page->report, page->file, bytes, count, page->error);
}

void html_raw(html *page, const char *markup) {
    put_bytes(page, markup, strlen(markup));
}

/* ---- text ---- */

#define REPLACEMENT_TEXT "\xef\xbf\xbd"
enum { REPLACEMENT = 0xfffd };

/* What stands for a character, NULL: itself. What has no place in HTML (controls but white space,
 * noncharacters) becomes U+FFFD. */
static const char *markup_of(ucs4_t character) {
    switch (character) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    case '\t':
    case '\n':
    case '\r':
        return NULL;
    default:
        break;
    }
    bool no_place = uc_is_general_category_withtable(character, UC_CATEGORY_MASK_Cc) ||
                    uc_is_property_not_a_character(character);
    return no_place ? REPLACEMENT_TEXT : NULL;
}

static bool is_ill_formed(ucs4_t character, const uint8_t *at, size_t left) {
    size_t length = strlen(REPLACEMENT_TEXT);
    return character == REPLACEMENT && (left < length || memcmp(at, REPLACEMENT_TEXT, length) != 0);
}

void html_text(html *page, const char *text) {
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text), *kept = at;
    while (at < end) {
        ucs4_t character;
        int length = u8_mbtouc(&character, at, (size_t)(end - at)); /* U+FFFD for what is ill-formed */
        bool wrong = is_ill_formed(character, at, (size_t)(end - at));
        const char *instead = wrong ? NULL : markup_of(character);
        if (wrong || instead) put_bytes(page, kept, (size_t)(at - kept));
        for (int i = 0; wrong && i < length; i++) html_format(page, "\\x%02x", at[i]);
        if (instead) html_raw(page, instead);
        at += length;
        if (wrong || instead) kept = at;
    }
    put_bytes(page, kept, (size_t)(end - kept));
}

void html_isolated(html *page, const char *text) {
    html_raw(page, "<bdi>");
    html_text(page, text);
    html_raw(page, "</bdi>");
}

/* ---- numbers ---- */

void html_format(html *page, const char *format, ...) {
    char markup[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(markup, sizeof markup, format, arguments);
    va_end(arguments);
    html_raw(page, markup);
}

/* The minus sign is as wide as a digit, a hyphen is not. */
static void write_decimal(html *page, const char *decimal) {
    if (*decimal == '-') html_raw(page, "\xe2\x88\x92");
    html_raw(page, decimal + (*decimal == '-'));
}

void html_number(html *page, double number, int digits) {
    static const double tiny = 1e-3; /* below it zeros after the point would take more room than digits */
    char decimal[40];
    if (number != 0 && fabs(number) < tiny) {
        snprintf(decimal, sizeof decimal, "%.*e", digits - 1, number);
        char *exponent = strchr(decimal, 'e');
        *exponent = '\0';
        write_decimal(page, decimal);
        html_raw(page, "e");
        snprintf(decimal, sizeof decimal, "%d", atoi(exponent + 1));
    } else {
        snprintf(decimal, sizeof decimal, "%#.*g", digits, number);
        size_t length = strlen(decimal);
        if (decimal[length - 1] == '.') decimal[length - 1] = '\0';
    }
    write_decimal(page, decimal);
}

void html_no_memory(html *page) {
    if (page->status == HL_OK) page->status = hl_no_memory(page->error, "the page");
}

/* ---- pictures ---- */

/* Three bytes (fewer at the end, zero padded) as four letters. */
static void encode_group(const uint8_t *bytes, size_t count, char letters[4]) {
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned group = (unsigned)bytes[0] << 16;
    if (count > 1) group |= (unsigned)bytes[1] << 8;
    if (count > 2) group |= bytes[2];
    for (unsigned i = 0; i < 4; i++) {
        letters[i] = i <= count ? alphabet[group >> (18 - 6 * i) & 63] : '=';
    }
}

static void base64(html *page, const uint8_t *bytes, size_t count) {
    char letters[4096];
    size_t used = 0;
    for (size_t i = 0; i < count; i += 3) {
        encode_group(bytes + i, count - i, letters + used);
        used += 4;
        if (used == sizeof letters || i + 3 >= count) {
            put_bytes(page, letters, used);
            used = 0;
        }
    }
}

void html_picture_data(html *page, const hl_picture *image, hl_encoding encoding) {
    uint8_t *bytes = NULL;
    size_t count = 0;
    if (page->status != HL_OK) return;
    page->status = page->report->encode(page->report, image, encoding, &bytes, &count, page->error);
    if (page->status != HL_OK) return;
    html_raw(page, encoding == HL_JPEG ? "data:image/jpeg;base64," : "data:image/png;base64,");
    base64(page, bytes, count);
    free(bytes);
}

void html_picture(html *page, const hl_picture *image, hl_encoding encoding, const char *alternative) {
    html_format(page, "<img width=\"%u\" height=\"%u\" alt=\"", image->width, image->height);
    html_text(page, alternative);
    html_raw(page, "\" src=\"");
    html_picture_data(page, image, encoding);
    html_raw(page, "\">");
}
