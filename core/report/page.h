/* The report: one HTML file that needs nothing but itself. */
#ifndef PAGE_H
#define PAGE_H

#include "core/report/canvas.h"

/* root: the results' tree. */
hl_status page_write(const cJSON *root, canvas *canvas, const char *title, const char *experiment,
                     output *out, hl_error *error);

#endif
