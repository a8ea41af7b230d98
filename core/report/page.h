/* The report: one HTML file that needs nothing but itself. */
#ifndef PAGE_H
#define PAGE_H

#include "core/report/canvas.h"

typedef struct page_texts {
    const char *title;      /* the page's heading */
    const char *experiment; /* the YAML file that was run */
    const char *sections;   /* of it, all but its analyses; NULL: snippets show the analysis alone */
} page_texts;

/* root: the results' tree. */
hl_status page_write(const cJSON *root, canvas *canvas, const page_texts *texts, output *out,
                     hl_error *error);

#endif
