/* Writes HTML: text is escaped, bytes become base64. Knows nothing of the page. */
#ifndef HTML_H
#define HTML_H

#include "core/io/output.h"
#include "core/io/picture.h"

/* The first failure is remembered and later calls do nothing, so that only the end need be checked. */
typedef struct html {
    output *out;
    FILE *file;
    hl_status status;
    hl_error *error;
} html;

/* Markup, as it is. */
void html_raw(html *page, const char *markup);

/* Text or an attribute's value: nothing in it can become markup. */
void html_text(html *page, const char *text);

/* A number with two significant digits. */
void html_number(html *page, double number);

/* An <img> that carries its PNG bytes; `alternative` stands for it where it cannot be seen. */
void html_picture(html *page, const picture *image, const char *alternative);

#endif
