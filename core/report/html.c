/* HTML output: escaping, base64, nothing else. */
#include "core/report/html.h"

#include <stdlib.h>
#include <string.h>

static void write_bytes(html *page, const char *bytes, size_t count) {
    if (page->status == HL_OK && count)
        page->status = output_write(page->out, page->file, bytes, count, page->error);
}

void html_raw(html *page, const char *markup) {
    write_bytes(page, markup, strlen(markup));
}

static const char *escaped(char c) {
    switch (c) {
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
    default:
        return NULL;
    }
}

void html_text(html *page, const char *text) {
    while (*text) {
        size_t plain = strcspn(text, "&<>\"'");
        write_bytes(page, text, plain);
        text += plain;
        if (*text) html_raw(page, escaped(*text++));
    }
}

void html_number(html *page, double number) {
    char digits[32];
    snprintf(digits, sizeof digits, "%.2g", number);
    bool negative = digits[0] == '-';
    if (negative) html_raw(page, "\xe2\x88\x92"); /* the minus sign, as wide as a digit */
    html_raw(page, digits + negative);
}

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
            write_bytes(page, letters, used);
            used = 0;
        }
    }
}

void html_picture(html *page, const picture *image, const char *alternative) {
    uint8_t *png = NULL;
    size_t count = 0;
    if (page->status == HL_OK) page->status = picture_encode_png(image, &png, &count, page->error);
    if (page->status != HL_OK) return;
    char size[96];
    snprintf(size, sizeof size, "<img width=\"%zu\" height=\"%zu\" alt=\"", image->width, image->height);
    html_raw(page, size);
    html_text(page, alternative);
    html_raw(page, "\" src=\"data:image/png;base64,");
    base64(page, png, count);
    html_raw(page, "\">");
    free(png);
}
