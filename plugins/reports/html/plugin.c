/* html: the results as one page that needs nothing but itself. */
#include "page.h"

#include <headlight/plugin.h>

/* In the order of the table. */
enum { PICTURE_SIDE, MEGAPIXELS };

static const hl_option options[] = {
    {.name = "picture-side",
     .type = HL_INT,
     .fallback = "512",
     .min = 16,
     .max = 8192,
     .help = "The longest side of a picture on the page, in pixels, however large its image is."},
    {.name = "megapixels",
     .type = HL_REAL,
     .fallback = "16",
     .min = 0.01,
     .max = 10000,
     .help = "What all pictures of the page hold together, in millions of pixels, so that a big experiment "
             "stays a page that opens: with more of them each becomes smaller, down to a side of 96."},
};

static hl_status write_page(const hl_report *report, const hl_value *const *values, hl_error *error) {
    page_limits limits = {.side = (size_t)values[PICTURE_SIDE]->integer,
                          .pixels = values[MEGAPIXELS]->real * 1e6};
    return page_write(report, &limits, error);
}

static const char *const files[] = {"report.html", NULL};

static const hl_report_api api = {
    .size = sizeof api, .write = write_page, .files = files, .page = "report.html"};

HL_EXPORT const hl_plugin headlight_plugin = {
    HL_PLUGIN(HL_REPORT, "html", "1.0.0",
              "one page with all pictures, tables and numbers, to be opened in a browser"),
    HL_OPTIONS(options), .api = &api};
