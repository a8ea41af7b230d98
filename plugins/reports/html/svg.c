/* See svg.h. */
#include "svg.h"

#include <math.h>
#include <unistr.h>
#include <uniwidth.h>

static const double letter = 0.6; /* of its height, the mean width of a letter; few fonts are wider */

/* Columns of a character: none for what stands over another, two for what is as wide as high. */
static double columns_of(ucs4_t character) {
    int columns = uc_width(character, "UTF-8");
    return columns < 0 ? 1 : columns;
}

/* The length in bytes of as much of a text as is `columns` wide at most. */
static size_t fitting(const char *text, double columns) {
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    double used = 0;
    while (at < end) {
        ucs4_t character;
        int length = u8_mbtouc(&character, at, (size_t)(end - at));
        used += columns_of(character);
        if (used > columns) break;
        at += length;
    }
    return (size_t)((const char *)at - text);
}

double svg_width(const char *text, double size) {
    const uint8_t *at = (const uint8_t *)text, *end = at + strlen(text);
    double columns = 0;
    while (at < end) {
        ucs4_t character;
        at += u8_mbtouc(&character, at, (size_t)(end - at));
        columns += columns_of(character);
    }
    return columns * letter * size;
}

static void put_part(html *out, const char *text, size_t length) {
    char *part = strndup(text, length);
    if (!part) {
        html_no_memory(out);
        return;
    }
    html_text(out, part);
    free(part);
}

/* The text, or its beginning and all of it under the pointer. */
static void put_fitting(html *out, const char *text, double most, double size) {
    double columns = most / (letter * size);
    if (svg_width(text, size) <= most) {
        html_text(out, text);
        return;
    }
    svg_start_title(out);
    html_text(out, text);
    svg_end_title(out);
    put_part(out, text, fitting(text, columns - 1));
    html_raw(out, "\xe2\x80\xa6");
}

static bool is_small(const char *class) {
    return class[0] == 's' && (class[1] == '\0' || class[1] == ' ');
}

static void start_text(html *out, double x, double y, svg_anchor anchor, const char *class) {
    static const char *const anchors[] = {"", " text-anchor=\"middle\"", " text-anchor=\"end\""};
    html_format(out, "<text x=\"%.1f\" y=\"%.1f\"%s", x, y, anchors[anchor]);
    if (*class) html_format(out, " class=\"%s\"", class);
}

void svg_text(html *out, double x, double y, svg_anchor anchor, const char *class, const char *text,
              double most) {
    start_text(out, x, y, anchor, class);
    html_raw(out, ">");
    put_fitting(out, text, most, is_small(class) ? SVG_SMALL : SVG_TEXT);
    html_raw(out, "</text>\n");
}

void svg_text_upwards(html *out, double x, double y, const char *text, double most) {
    bool small = svg_width(text, SVG_TEXT) > most;
    start_text(out, x, y, SVG_MIDDLE, small ? "s q" : "q");
    html_format(out, " transform=\"rotate(-90 %.1f %.1f)\">", x, y);
    put_fitting(out, text, most, small ? SVG_SMALL : SVG_TEXT);
    html_raw(out, "</text>\n");
}

/* Where a line that may be so wide ends: behind a word where there is one. */
static size_t line_end(const char *text, double columns) {
    size_t room = fitting(text, columns), end = room;
    if (!text[room]) return room;
    while (end > 0 && text[end] != ' ') end--;
    if (end > 0) return end;
    return room > 0 ? room : strlen(text);
}

double svg_paragraph(html *out, double x, double y, const char *class, const char *text, double most,
                     int lines) {
    static const double leading = 1.35;
    double size = is_small(class) ? SVG_SMALL : SVG_TEXT;
    for (; *text && lines > 1; lines--) {
        size_t end = line_end(text, most / (letter * size));
        start_text(out, x, y, SVG_START, class);
        html_raw(out, ">");
        put_part(out, text, end);
        html_raw(out, "</text>\n");
        y += leading * size;
        text += end;
        text += strspn(text, " ");
    }
    if (!*text) return y;
    svg_text(out, x, y, SVG_START, class, text, most);
    return y + leading * size;
}

void svg_line(html *out, const char *class, double x1, double y1, double x2, double y2) {
    html_format(out, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", class, x1, y1,
                x2, y2);
}

void svg_start_title(html *out) {
    html_raw(out, "<title>");
}

void svg_end_title(html *out) {
    html_raw(out, "</title>");
}

void svg_number(html *out, double number) {
    char digits[40];
    snprintf(digits, sizeof digits, "%.6g", number);
    if (*digits == '-') html_raw(out, "\xe2\x88\x92");
    html_text(out, digits + (*digits == '-'));
}
