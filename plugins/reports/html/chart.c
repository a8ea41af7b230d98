/* See chart.h: reads the item, finds the axes and the places, draws all but the marks. */
#include "chart.h"
#include "svg.h"

#include <math.h>
#include <search.h>

enum {
    WIDTH = 440,   /* of a column of a page; a telephone shows it a little smaller */
    PLOT = 230,    /* the height of lines' and points' plots */
    ROW = 16,      /* of the legend */
    LONGEST = 150, /* name of a bar */
    VALUE = 46     /* room behind bars for their numbers */
};

/* ---- reading ---- */

static chart_kind kind_of(const hl_node *item) {
    const char *kind = hl_get_text(item, "kind");
    if (strcmp(kind, "bar") == 0) return CHART_BAR;
    return strcmp(kind, "scatter") == 0 ? CHART_SCATTER : CHART_LINE;
}

static const hl_node *points_of(const hl_node *series) {
    const hl_node *points = hl_get(series, "points");
    return hl_is_list(points) ? points->first : NULL;
}

static const hl_node *series_of(const hl_node *item) {
    const hl_node *series = hl_get(item, "series");
    return hl_is_list(series) ? series->first : NULL;
}

/* Whether places along x are names: always those of bars. */
static bool finds_names(const hl_node *item) {
    if (kind_of(item) == CHART_BAR) return true;
    for (const hl_node *series = series_of(item); series; series = series->next) {
        for (const hl_node *point = points_of(series); point; point = point->next) {
            const hl_node *x = hl_get(point, "x");
            if (x && x->type == HL_TEXT) return true;
        }
    }
    return false;
}

typedef struct known_name {
    char *name;
    size_t number;
} known_name;

static int compare_names(const void *a, const void *b) {
    return strcmp(((const known_name *)a)->name, ((const known_name *)b)->name);
}

/* A name in words: bars may have numbers for names. */
static char *name_of(const hl_node *x) {
    char digits[40];
    if (x->type == HL_TEXT) return strdup(x->text);
    snprintf(digits, sizeof digits, "%.6g", x->number);
    return strdup(digits);
}

/* The number of a name; a new one gets the next. */
static bool find_name(chart *self, void **known, const hl_node *x, double *out) {
    known_name *made = calloc(1, sizeof *made);
    if (made) *made = (known_name){name_of(x), self->name_count};
    known_name **found = made && made->name ? tsearch(made, known, compare_names) : NULL;
    if (!found || *found != made) {
        if (found) *out = (double)(*found)->number;
        if (made) free(made->name);
        free(made);
        return found != NULL;
    }
    self->names[self->name_count++] = made->name;
    *out = (double)made->number;
    return true;
}

/* false: there is no memory. */
static bool read_point(chart *self, void **known, const hl_node *node, chart_series *into) {
    const hl_node *x = hl_get(node, "x"), *y = hl_get(node, "y");
    bool has_x = x && (hl_is_number(x) || (self->has_names && x->type == HL_TEXT));
    if (!has_x || !hl_is_number(y)) {
        self->left_out++;
        return true;
    }
    chart_point *point = &self->points[self->point_count];
    *point = (chart_point){.node = node, .x = x->number, .y = y->number, .low = 1, .high = 0};
    const hl_node *low = hl_get(node, "low"), *high = hl_get(node, "high");
    if (hl_is_number(low) && hl_is_number(high) && low->number <= high->number) {
        point->low = low->number, point->high = high->number;
    }
    if (self->has_names && !find_name(self, known, x, &point->x)) return false;
    self->point_count++;
    into->count++;
    return true;
}

static bool read_series(chart *self, const hl_node *item) {
    void *known = NULL;
    bool ok = true;
    size_t colored = 0, faint = 0;
    for (const hl_node *from = series_of(item); from && ok; from = from->next) {
        const hl_node *reference = hl_get(from, "reference");
        chart_series *into = &self->series[self->series_count++];
        *into = (chart_series){.name = hl_get_text(from, "name"), .points = self->points + self->point_count};
        into->is_reference = reference && reference->type == HL_TRUTH && reference->truth;
        into->color = into->is_reference ? faint++ : colored++;
        const hl_node *point = points_of(from);
        for (; point && ok; point = point->next) ok = read_point(self, &known, point, into);
    }
    tdestroy(known, free);
    return ok;
}

/* ---- axes ---- */

static void include(double number, double *low, double *high) {
    *low = fmin(*low, number), *high = fmax(*high, number);
}

/* Of nothing an axis from 0 to 1. */
static axis axis_around(double low, double high, int want) {
    return low <= high ? axis_make(low, high, want) : axis_make(0, 1, want);
}

/* Numbers that are all whole are counted in whole steps. */
static int steps_of_x(const chart *self, double low, double high) {
    enum { WANTED = 5 };
    for (size_t i = 0; i < self->point_count; i++) {
        if (self->points[i].x != rint(self->points[i].x)) return WANTED;
    }
    return high - low < WANTED ? (int)fmax(high - low, 1) : WANTED;
}

static void find_axes(chart *self) {
    double x_low = INFINITY, x_high = -INFINITY, low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < self->point_count; i++) {
        const chart_point *point = &self->points[i];
        include(point->x, &x_low, &x_high);
        include(point->y, &low, &high);
        if (point->low > point->high) continue;
        include(point->low, &low, &high);
        include(point->high, &low, &high);
    }
    bool near_zero = low > 0 && low <= high - low;
    if (self->point_count && (self->kind == CHART_BAR || near_zero)) include(0, &low, &high);
    self->y = axis_around(low, high, 5);
    self->x = axis_around(x_low, x_high, steps_of_x(self, x_low, x_high));
}

double chart_x(const chart *self, double x) {
    double place = self->has_names ? (x + 0.5) / fmax((double)self->name_count, 1) : axis_place(&self->x, x);
    return self->left + place * (self->right - self->left);
}

double chart_y(const chart *self, double y) {
    return self->bottom - axis_place(&self->y, y) * (self->bottom - self->top);
}

/* ---- places ---- */

static bool share_an_x(const chart_series *a, const chart_series *b) {
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < b->count; k++) {
            if (a->points[i].x == b->points[k].x) return true;
        }
    }
    return false;
}

/* Points of several series that have one x would hide each other and their intervals. */
static void set_aside(chart *self) {
    static const double step = 7;
    bool hidden = false;
    if (self->kind != CHART_SCATTER || self->point_count > 10 * CHART_FEW) return;
    for (size_t i = 0; i < self->series_count; i++) {
        for (size_t k = 0; k < i; k++) hidden |= share_an_x(&self->series[i], &self->series[k]);
    }
    for (size_t i = 0; i < self->series_count && hidden; i++) {
        double middle = ((double)self->series_count - 1) / 2;
        self->series[i].aside = fmin(step, 28 / fmax(middle, 1)) * ((double)i - middle);
    }
}

static double widest_tick(const axis *of) {
    double widest = 0;
    char label[AXIS_LABEL];
    for (size_t i = 0; i < of->ticks; i++) {
        axis_label(of, i, label);
        widest = fmax(widest, svg_width(label, SVG_TEXT));
    }
    return widest;
}

/* Names of series, one beside the other as far as there is room. */
typedef struct flow {
    double x, y;
} flow;

static const double swatch = 24, after_name = 14;

static flow place_entry(flow *at, const char *name) {
    double wide = fmin(swatch + svg_width(name, SVG_TEXT), WIDTH);
    if (at->x > 0 && at->x + wide > WIDTH) *at = (flow){0, at->y + ROW};
    flow place = *at;
    at->x += wide + after_name;
    return place;
}

static bool has_legend(const chart *self) {
    const char *only = self->series_count == 1 ? self->series[0].name : "";
    return self->series_count > 1 || (*only && strcmp(only, self->y_name) != 0);
}

static double legend_height(const chart *self) {
    flow at = {0, 0};
    if (!has_legend(self)) return 0;
    for (size_t i = 0; i < self->series_count; i++) place_entry(&at, self->series[i].name);
    return at.y + ROW;
}

/* Bars become thinner when there are many, the picture higher. */
static void size_bars(chart *self) {
    static const double thick = 13, thin = 2.5, all = 900, gap = 0.6;
    double bars = (double)(self->name_count * self->series_count);
    self->bar = fmin(fmax(all / fmax(bars, 1), thin), thick);
    self->group = self->bar * ((double)self->series_count + gap);
}

static void find_places(chart *self) {
    static const double tick = 8, line = 18, point = 8;
    self->width = WIDTH;
    self->top = legend_height(self) + point;
    self->right = WIDTH - point;
    if (self->kind == CHART_BAR) {
        double widest = 0;
        size_bars(self);
        for (size_t i = 0; i < self->name_count; i++) {
            widest = fmax(widest, svg_width(self->names[i], SVG_TEXT));
        }
        self->left = fmin(widest, LONGEST) + tick + (*self->x_name ? line : 0);
        self->right = WIDTH - VALUE;
        self->bottom = self->top + fmax((double)self->name_count * self->group, 2 * ROW);
    } else {
        self->left = widest_tick(&self->y) + tick + (*self->y_name ? line : 0);
        self->bottom = self->top + PLOT;
    }
    const char *below = self->kind == CHART_BAR ? self->y_name : self->x_name;
    self->height = self->bottom + line + (*below ? line : 4) + (self->left_out ? ROW : 0);
}

hl_status chart_open(chart *self, const hl_node *item, hl_error *error) {
    size_t series = 0, points = 0;
    for (const hl_node *of = series_of(item); of; of = of->next) {
        series++;
        for (const hl_node *point = points_of(of); point; point = point->next) points++;
    }
    *self = (chart){.kind = kind_of(item),
                    .x_name = hl_get_text(item, "x"),
                    .y_name = hl_get_text(item, "y"),
                    .has_names = finds_names(item)};
    self->series = calloc(series + 1, sizeof *self->series);
    self->points = calloc(points + 1, sizeof *self->points);
    self->names = calloc(points + 1, sizeof *self->names);
    if (!self->series || !self->points || !self->names || !read_series(self, item)) {
        chart_close(self);
        return hl_no_memory(error, "a chart");
    }
    find_axes(self);
    set_aside(self);
    find_places(self);
    return HL_OK;
}

void chart_close(chart *self) {
    for (size_t i = 0; i < self->name_count; i++) free(self->names[i]);
    free(self->names);
    free(self->points);
    free(self->series);
    *self = (chart){0};
}

/* ---- drawing ---- */

void chart_start_series(const chart_series *series, html *out) {
    if (series->is_reference) {
        html_format(out, "<g class=\"ref r%zu\">\n", series->color % 3);
    } else {
        html_format(out, "<g class=\"s%zu d%zu\">\n", series->color % 8, series->color / 8 % 3);
    }
}

static void draw_legend(const chart *self, html *out) {
    flow at = {0, 0};
    if (!has_legend(self)) return;
    for (size_t i = 0; i < self->series_count; i++) {
        const chart_series *of = &self->series[i];
        flow place = place_entry(&at, of->name);
        double middle = place.y + ROW / 2.0, center = place.x + 9;
        chart_start_series(of, out);
        if (self->kind == CHART_BAR) {
            html_format(out, "<rect class=\"b\" x=\"%.1f\" y=\"%.1f\" width=\"11\" height=\"11\"/>\n",
                        place.x + 4, middle - 5.5);
        } else {
            if (self->kind == CHART_LINE) svg_line(out, "l", place.x, middle, place.x + 18, middle);
            chart_start_mark(of, out, center, middle, 3.5);
            html_raw(out, "</path>\n");
        }
        html_raw(out, "</g>\n");
        svg_text(out, place.x + swatch, middle + 4, SVG_START, "", of->name, WIDTH - swatch);
    }
}

/* The axis of numbers: from below, for bars, or from the left. */
static void draw_values(const chart *self, html *out) {
    char label[AXIS_LABEL];
    for (size_t i = 0; i < self->y.ticks; i++) {
        double value = axis_tick(&self->y, i), place = axis_place(&self->y, value);
        const char *class = value == 0 ? "z" : "g";
        axis_label(&self->y, i, label);
        if (self->kind == CHART_BAR) {
            double x = self->left + place * (self->right - self->left);
            svg_line(out, class, x, self->top, x, self->bottom);
            svg_text(out, x, self->bottom + 14, SVG_MIDDLE, "q", label, WIDTH);
        } else {
            svg_line(out, class, self->left, chart_y(self, value), self->right, chart_y(self, value));
            svg_text(out, self->left - 6, chart_y(self, value) + 4, SVG_END, "q", label, WIDTH);
        }
    }
}

/* Every so many of `count` things, each `size` large, that those shown are `room` apart at least. */
static size_t every(double size, double room) {
    return size >= room ? 1 : (size_t)ceil(room / size);
}

static void draw_numbers_below(const chart *self, html *out) {
    char label[AXIS_LABEL];
    double step = (self->right - self->left) / (double)(self->x.ticks - 1);
    size_t shown = every(step, widest_tick(&self->x) + 6);
    for (size_t i = 0; i < self->x.ticks; i += shown) {
        double x = chart_x(self, axis_tick(&self->x, i));
        axis_label(&self->x, i, label);
        svg_line(out, "z", x, self->bottom, x, self->bottom + 4);
        svg_text(out, x, self->bottom + 16, SVG_MIDDLE, "q", label, WIDTH);
    }
    svg_line(out, "z", self->left, self->bottom, self->right, self->bottom);
}

static void draw_names_below(const chart *self, html *out) {
    double step = (self->right - self->left) / fmax((double)self->name_count, 1), widest = 0;
    for (size_t i = 0; i < self->name_count; i++) {
        widest = fmax(widest, svg_width(self->names[i], SVG_TEXT));
    }
    size_t shown = every(step, fmin(widest, 60) + 6);
    for (size_t i = 0; i < self->name_count; i += shown) {
        svg_text(out, chart_x(self, (double)i), self->bottom + 16, SVG_MIDDLE, "q", self->names[i],
                 step * (double)shown - 4);
    }
    svg_line(out, "z", self->left, self->bottom, self->right, self->bottom);
}

static void draw_names_beside(const chart *self, html *out) {
    size_t shown = every(self->group, SVG_TEXT);
    double most = self->left - 8 - (*self->x_name ? 18 : 0);
    for (size_t i = 0; i < self->name_count; i += shown) {
        double middle = self->top + ((double)i + 0.5) * self->group - 0.3 * self->bar;
        svg_text(out, self->left - 6, middle + 4, SVG_END, "", self->names[i], most);
    }
}

static void draw_axis_names(const chart *self, html *out) {
    const char *below = self->kind == CHART_BAR ? self->y_name : self->x_name;
    const char *beside = self->kind == CHART_BAR ? self->x_name : self->y_name;
    double middle = (self->left + self->right) / 2, center = (self->top + self->bottom) / 2;
    svg_text(out, middle, self->bottom + 33, SVG_MIDDLE, "q", below, WIDTH - 2 * fabs(middle - WIDTH / 2.0));
    svg_text_upwards(out, 11, center, beside, self->bottom - self->top + 2 * self->top);
}

static void draw_left_out(const chart *self, html *out) {
    char words[80];
    if (!self->left_out) return;
    snprintf(words, sizeof words, "%zu point%s without a number %s not drawn", self->left_out,
             self->left_out == 1 ? "" : "s", self->left_out == 1 ? "is" : "are");
    svg_text(out, 0, self->height - 4, SVG_START, "s q", words, WIDTH);
}

void chart_draw(const chart *self, html *out) {
    draw_legend(self, out);
    draw_values(self, out);
    if (self->kind == CHART_BAR) {
        draw_names_beside(self, out);
        chart_draw_bars(self, out);
    } else {
        if (self->has_names) draw_names_below(self, out);
        if (!self->has_names) draw_numbers_below(self, out);
        chart_draw_marks(self, out);
    }
    draw_axis_names(self, out);
    draw_left_out(self, out);
    if (!self->point_count) {
        svg_text(out, (self->left + self->right) / 2, (self->top + self->bottom) / 2, SVG_MIDDLE, "q",
                 "no points", WIDTH);
    }
}
