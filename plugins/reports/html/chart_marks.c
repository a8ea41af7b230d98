/* What a chart shows inside its plot: bands, lines, points, bars, their intervals and what stands beside
 * them. */
#include "chart.h"
#include "svg.h"

#include <math.h>

static bool has_interval(const chart_point *point) {
    return point->low <= point->high;
}

/* ---- under the pointer ---- */

static void title_numbers(const chart_point *point, html *out) {
    svg_number(out, point->y);
    if (!has_interval(point)) return;
    html_raw(out, " [");
    svg_number(out, point->low);
    html_raw(out, ", ");
    svg_number(out, point->high);
    html_raw(out, "]");
}

void chart_point_title(const chart *self, const chart_series *series, const chart_point *point, html *out) {
    const char *label = hl_get_text(point->node, "label");
    svg_start_title(out);
    if (*series->name) {
        html_text(out, series->name);
        html_raw(out, ": ");
    }
    if (*label) {
        html_text(out, label);
        html_raw(out, ": ");
    }
    if (self->has_names) {
        html_text(out, self->names[(size_t)point->x]);
    } else {
        svg_number(out, point->x);
    }
    html_raw(out, ", ");
    title_numbers(point, out);
    svg_end_title(out);
}

/* ---- points ---- */

/* Shapes as well as colours tell series apart. */
void chart_start_mark(const chart_series *series, html *out, double x, double y, double radius) {
    static const struct {
        size_t corners;
        double xy[4][2];
    } shapes[] = {{4, {{-0.9, -0.9}, {0.9, -0.9}, {0.9, 0.9}, {-0.9, 0.9}}},
                  {3, {{0, -1.25}, {1.15, 0.8}, {-1.15, 0.8}}},
                  {4, {{0, -1.35}, {1.35, 0}, {0, 1.35}, {-1.35, 0}}},
                  {3, {{0, 1.25}, {1.15, -0.8}, {-1.15, -0.8}}}};
    size_t shape = series->color % (1 + sizeof shapes / sizeof *shapes);
    if (shape == 0) { /* a circle */
        html_format(out, "<path class=\"m\" d=\"M%.1f %.1fa%.1f %.1f 0 1 0 %.1f 0a%.1f %.1f 0 1 0 %.1f 0z\">",
                    x - radius, y, radius, radius, 2 * radius, radius, radius, -2 * radius);
        return;
    }
    html_raw(out, "<path class=\"m\" d=\"");
    for (size_t i = 0; i < shapes[shape - 1].corners; i++) {
        html_format(out, "%s%.1f %.1f", i ? "L" : "M", x + radius * shapes[shape - 1].xy[i][0],
                    y + radius * shapes[shape - 1].xy[i][1]);
    }
    html_raw(out, "z\">");
}

static double radius_of(const chart *self) {
    return self->point_count > CHART_FEW ? 1.8 : 3.6;
}

static void draw_points(const chart *self, const chart_series *series, html *out) {
    for (size_t i = 0; i < series->count; i++) {
        const chart_point *point = &series->points[i];
        double x = chart_x(self, point->x) + series->aside;
        chart_start_mark(series, out, x, chart_y(self, point->y), radius_of(self));
        chart_point_title(self, series, point, out);
        html_raw(out, "</path>\n");
    }
}

/* ---- lines and bands ---- */

static void draw_path(const chart *self, const chart_series *series, html *out) {
    if (series->count < 2) return;
    html_raw(out, "<path class=\"l\" d=\"");
    for (size_t i = 0; i < series->count; i++) {
        html_format(out, "%s%.1f %.1f", i ? "L" : "M", chart_x(self, series->points[i].x),
                    chart_y(self, series->points[i].y));
    }
    html_raw(out, "\"/>\n");
}

/* The points from `from` on that have intervals, one after the other. */
static size_t run_of_intervals(const chart_series *series, size_t from) {
    size_t end = from;
    while (end < series->count && has_interval(&series->points[end])) end++;
    return end;
}

static void draw_error_bar(const chart *self, const chart_series *series, const chart_point *point,
                           html *out) {
    static const double cap = 3;
    double x = chart_x(self, point->x) + series->aside, low = chart_y(self, point->low),
           high = chart_y(self, point->high);
    html_format(out, "<path class=\"e\" d=\"M%.1f %.1fh%.1fm%.1f 0V%.1fm%.1f 0h%.1f\"/>\n", x - cap, low,
                2 * cap, -cap, high, -cap, 2 * cap);
}

static void draw_band(const chart *self, const chart_series *series, size_t from, size_t end, html *out) {
    html_raw(out, "<path class=\"band\" d=\"");
    for (size_t i = from; i < end; i++) {
        html_format(out, "%s%.1f %.1f", i > from ? "L" : "M", chart_x(self, series->points[i].x),
                    chart_y(self, series->points[i].high));
    }
    for (size_t i = end; i-- > from;) {
        html_format(out, "L%.1f %.1f", chart_x(self, series->points[i].x),
                    chart_y(self, series->points[i].low));
    }
    html_raw(out, "z\"/>\n");
}

/* A band where a line has several in a row; else a bar for each. */
static void draw_intervals(const chart *self, const chart_series *series, html *out) {
    for (size_t from = 0; from < series->count;) {
        size_t end = run_of_intervals(series, from);
        if (self->kind == CHART_LINE && end > from + 1) {
            draw_band(self, series, from, end, out);
        } else {
            for (size_t i = from; i < end; i++) draw_error_bar(self, series, &series->points[i], out);
        }
        from = end > from ? end : from + 1;
    }
}

/* ---- what stands beside points ---- */

typedef struct box {
    double left, top, right, bottom;
} box;

static bool overlap(const box *a, const box *b) {
    return a->left < b->right && b->left < a->right && a->top < b->bottom && b->top < a->bottom;
}

typedef struct labels {
    box *taken; /* by points, intervals and labels */
    size_t count;
} labels;

static bool is_free(const labels *self, const chart *of, const box *place) {
    if (place->left < of->left || place->right > of->width || place->top < of->top - 8) return false;
    if (place->bottom > of->bottom) return false;
    for (size_t i = 0; i < self->count; i++) {
        if (overlap(&self->taken[i], place)) return false;
    }
    return true;
}

enum { SIDES = 6, LABEL_MOST = 130, MOST_LABELLED = 5000 };

/* To the right of a point, to its left, above, below; further to the right, to the left. */
static box beside(double x, double y, double wide, int side) {
    static const double away = 6, far = 17, high = 6;
    switch (side) {
    case 0:
        return (box){x + away, y - high, x + away + wide, y + high};
    case 1:
        return (box){x - away - wide, y - high, x - away, y + high};
    case 2:
        return (box){x - wide / 2, y - away - 2 * high, x + wide / 2, y - away};
    case 3:
        return (box){x - wide / 2, y + away, x + wide / 2, y + away + 2 * high};
    case 4:
        return (box){x + far, y - high, x + far + wide, y + high};
    default:
        return (box){x - far - wide, y - high, x - far, y + high};
    }
}

/* Where a label has room; of few labels every one is shown, at the side that has the plot. */
static bool find_room(const labels *self, const chart *of, double x, double y, double wide, box *out) {
    for (int side = 0; side < SIDES; side++) {
        *out = beside(x, y, wide, side);
        if (is_free(self, of, out)) return true;
    }
    *out = beside(x, y, wide, x + wide + 6 > of->width ? 1 : 0);
    return of->point_count <= CHART_FEW / 2;
}

static void draw_label(labels *self, const chart *of, const chart_series *series, const chart_point *point,
                       html *out) {
    const char *label = hl_get_text(point->node, "label");
    double wide = fmin(svg_width(label, SVG_SMALL), LABEL_MOST);
    box place;
    double x = chart_x(of, point->x) + series->aside;
    if (!*label || !find_room(self, of, x, chart_y(of, point->y), wide, &place)) return;
    svg_text(out, (place.left + place.right) / 2, place.bottom - 2.5, SVG_MIDDLE, "s", label, LABEL_MOST);
    self->taken[self->count++] = place;
}

static bool has_labels(const chart *self) {
    for (size_t i = 0; i < self->point_count; i++) {
        if (*hl_get_text(self->points[i].node, "label")) return true;
    }
    return false;
}

static void draw_labels(const chart *self, html *out) {
    static const double half = 3.6;
    labels of = {0};
    if (self->point_count > MOST_LABELLED || !has_labels(self)) return;
    of.taken = calloc(3 * self->point_count, sizeof *of.taken);
    if (!of.taken) {
        html_no_memory(out);
        return;
    }
    for (size_t i = 0; i < self->series_count; i++) {
        const chart_series *series = &self->series[i];
        for (size_t k = 0; k < series->count; k++) {
            double x = chart_x(self, series->points[k].x) + series->aside,
                   y = chart_y(self, series->points[k].y);
            of.taken[of.count++] = (box){x - half, y - half, x + half, y + half};
            if (!has_interval(&series->points[k])) continue;
            double low = chart_y(self, series->points[k].low), high = chart_y(self, series->points[k].high);
            of.taken[of.count++] = (box){x - half, high, x + half, low};
        }
    }
    for (size_t i = 0; i < self->series_count; i++) {
        const chart_series *series = &self->series[i];
        for (size_t k = 0; k < series->count; k++) draw_label(&of, self, series, &series->points[k], out);
    }
    free(of.taken);
}

static void draw_series(const chart *self, const chart_series *series, html *out) {
    chart_start_series(series, out);
    draw_intervals(self, series, out);
    if (self->kind == CHART_LINE) draw_path(self, series, out);
    draw_points(self, series, out);
    html_raw(out, "</g>\n");
}

void chart_draw_marks(const chart *self, html *out) {
    for (int pass = 0; pass < 2; pass++) { /* what is faint lies below */
        for (size_t i = 0; i < self->series_count; i++) {
            if (self->series[i].is_reference == (pass == 0)) draw_series(self, &self->series[i], out);
        }
    }
    draw_labels(self, out);
}

/* ---- bars ---- */

static double along(const chart *self, double value) {
    return self->left + axis_place(&self->y, value) * (self->right - self->left);
}

/* The number at the end of a bar, where bars are thick enough for it. */
static void draw_value(const chart *self, const chart_point *point, double middle, html *out) {
    const char *label = hl_get_text(point->node, "label");
    char words[32];
    double end = along(self, fmax(point->y, 0));
    if (has_interval(point)) end = fmax(end, along(self, point->high));
    if (self->bar < SVG_SMALL - 2) return;
    snprintf(words, sizeof words, "%s%.3g", point->y < 0 ? "\xe2\x88\x92" : "", fabs(point->y));
    svg_text(out, end + 5, middle + 3.5, SVG_START, "s", *label ? label : words, self->width - end - 5);
}

static void draw_bar(const chart *self, const chart_series *series, const chart_point *point, double top,
                     html *out) {
    static const double cap = 2.5;
    double from = along(self, fmin(point->y, 0)), to = along(self, fmax(point->y, 0));
    double middle = top + self->bar / 2;
    html_format(out, "<rect class=\"b\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">", from, top,
                fmax(to - from, 0.5), fmax(self->bar - 1, 1));
    chart_point_title(self, series, point, out);
    html_raw(out, "</rect>\n");
    if (has_interval(point)) {
        double low = along(self, point->low), high = along(self, point->high);
        html_format(out, "<path class=\"w\" d=\"M%.1f %.1fv%.1fm0 %.1fH%.1fm0 %.1fv%.1f\"/>\n", low,
                    middle - cap, 2 * cap, -cap, high, -cap, 2 * cap);
    }
    draw_value(self, point, middle, out);
}

void chart_draw_bars(const chart *self, html *out) {
    for (size_t i = 0; i < self->series_count; i++) {
        const chart_series *series = &self->series[i];
        chart_start_series(series, out);
        for (size_t k = 0; k < series->count; k++) {
            const chart_point *point = &series->points[k];
            draw_bar(self, series, point, self->top + point->x * self->group + (double)i * self->bar, out);
        }
        html_raw(out, "</g>\n");
    }
}
