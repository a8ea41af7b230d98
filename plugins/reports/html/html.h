/* Writes HTML: text is escaped, bytes become base64. Knows nothing of the page. */
#ifndef HTML_H
#define HTML_H

#include <headlight/report.h>

/* The first failure is remembered and later calls do nothing, so that only the end need be checked. */
typedef struct html {
    const hl_report *report;
    hl_file *file;
    hl_status status;
    hl_error *error;
} html;

/* Markup, as it is. */
void html_raw(html *page, const char *markup);

/* Text or an attribute's value, any bytes: nothing in it can become markup, and the page stays UTF-8. */
void html_text(html *page, const char *text);

/* Text beside others in one line: the direction in which it is written does not touch theirs. */
void html_isolated(html *page, const char *text);

/* Markup with numbers in it, in printf's format; at most 255 bytes. */
void html_format(html *page, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A number with so many significant digits. */
void html_number(html *page, double number, int digits);

/* An <img> that carries its bytes, photos as HL_JPEG, a fifth of the size, what must keep every pixel as
 * HL_PNG; `alternative` stands for it where it cannot be seen. */
void html_picture(html *page, const hl_picture *image, hl_encoding encoding, const char *alternative);

/* The bytes alone, as an address. */
void html_picture_data(html *page, const hl_picture *image, hl_encoding encoding);

/* No memory for what the page is made of. */
void html_no_memory(html *page);

#endif
