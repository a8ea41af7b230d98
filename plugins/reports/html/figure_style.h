/* How figures look: on the page, light or dark as the reader's system is, and in files of their own, as on
 * paper. */
#ifndef FIGURE_STYLE_H
#define FIGURE_STYLE_H

#include "html.h"

/* Rules for the page's style sheet. */
void figure_style_of_page(html *out);

/* A <style> for one file; `labels`: so many colours of labels, `cells`: those of a map's cells too. */
void figure_style_of_file(html *out, size_t labels, bool cells);

#endif
