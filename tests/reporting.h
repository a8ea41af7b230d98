/* What a report is given, made up: images without files, a file in memory. */
#ifndef TESTS_REPORTING_H
#define TESTS_REPORTING_H

#include "headlight/report.h"
#include "tests/plugins.h"
#include "tests/report.h"
#include "tests/tree.h"

/* Every image is there, 90 x 60, and those of the gallery, 40 x 20, unless the name says "missing"; one whose
 * name says "large" is 3000 x 2000. A grid is 2 x 2 patches of 10 pixels in a crop of 20. */
typedef struct reporting {
    hl_report report; /* first, so that the one can be cast to the other */
    hl_preprocess preprocess;
    hl_model_info model;
    char *page; /* what was written, with a NUL after it */
    size_t bytes;
    char *figure; /* the last file but the page, and how it is called */
    size_t figure_bytes, figures;
    char figure_name[128];
    size_t images, neighbors; /* so many were asked for */
    size_t stop_after;        /* pictures; 0: it is never cancelled */
    uint32_t largest;         /* side of a picture that was encoded */
    FILE *file, *figure_file;
} reporting;

void open_reporting(reporting *self, const hl_node *root);
void close_reporting(reporting *self);

/* Runs report/html of the build; an option is as its table has it where `side` or `megapixels` is 0. Between
 * open_plugins and close_plugins. */
hl_status write_html(reporting *self, size_t side, double megapixels, hl_error *error);

#endif
