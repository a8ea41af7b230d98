/* A chart (HL_SCHEMA_CHART) as SVG: lines, points, or bars that lie so that their names can be read. */
#ifndef CHART_H
#define CHART_H

#include "drawing/axis.h"
#include "html.h"

typedef enum chart_kind { CHART_LINE, CHART_SCATTER, CHART_BAR } chart_kind;

typedef struct chart_point {
    const hl_node *node;
    double x, y, low, high; /* x of named points: the number of the name; low > high: no interval */
} chart_point;

typedef struct chart_series {
    const char *name;
    bool is_reference; /* what the others are compared with: drawn faint */
    size_t color;      /* among those of its kind */
    const chart_point *points;
    size_t count;
    double aside; /* so far its points lie to the right of their place, where others lie there too */
} chart_series;

typedef struct chart {
    chart_kind kind;
    const char *x_name, *y_name;
    chart_series *series;
    chart_point *points; /* of all series, one after the other */
    char **names;        /* of x, where these are texts, in the order in which they come up */
    size_t series_count, point_count, name_count;
    bool has_names;
    size_t left_out; /* points that lack a number */
    axis x, y;
    double left, top, right, bottom; /* of the plot */
    double width, height;            /* of everything */
    double bar, group;               /* thickness of a bar; of all bars of a name and the gap behind them */
} chart;

/* Room for one picture. `item` outlives it. */
hl_status chart_open(chart *self, const hl_node *item, hl_error *error);
void chart_close(chart *self); /* accepts a zeroed one */

void chart_draw(const chart *self, html *out);

/* ---- for the drawing's parts ---- */

enum { CHART_FEW = 80 }; /* more points than these become dots, more bars thin lines */

double chart_x(const chart *self, double x);
double chart_y(const chart *self, double y);

/* The marks of all series, with their intervals, and what stands beside them. */
void chart_draw_marks(const chart *self, html *out);
void chart_draw_bars(const chart *self, html *out);

/* The group of a series, with its colours; </g> ends it. */
void chart_start_series(const chart_series *series, html *out);
/* A mark in the series' shape, without its end: the caller adds what shows under the pointer and "</path>".
 */
void chart_start_mark(const chart_series *series, html *out, double x, double y, double radius);
/* What shows under the pointer at a point: all its numbers. */
void chart_point_title(const chart *self, const chart_series *series, const chart_point *point, html *out);

#endif
