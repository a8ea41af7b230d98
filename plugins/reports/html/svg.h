/* Pieces of a drawing as SVG: texts that stay where there is room for them, lines, numbers under the pointer.
 * Knows nothing of what is drawn. */
#ifndef SVG_H
#define SVG_H

#include "html.h"

enum { SVG_TEXT = 12, SVG_SMALL = 10 }; /* heights of letters, in units of the drawing */

typedef enum svg_anchor { SVG_START, SVG_MIDDLE, SVG_END } svg_anchor;

/* About how wide a text comes out; fonts differ. */
double svg_width(const char *text, double size);

/* A text of at most so wide; one that is cut shows the whole of itself under the pointer. `class`: further
 * class names, "" for none; "s" is small. */
void svg_text(html *out, double x, double y, svg_anchor anchor, const char *class, const char *text,
              double most);

/* The same upwards, for the name of an axis. */
void svg_text_upwards(html *out, double x, double y, const char *text, double most);

/* As many lines as it takes from `y` on down, at most `lines`; returns where the next would be. */
double svg_paragraph(html *out, double x, double y, const char *class, const char *text, double most,
                     int lines);

void svg_line(html *out, const char *class, double x1, double y1, double x2, double y2);

/* What shows under the pointer: begin, then texts and numbers of the caller, then end. */
void svg_start_title(html *out);
void svg_end_title(html *out);

/* A number with the digits that a reader of a figure can use; a file has them all. */
void svg_number(html *out, double number);

#endif
