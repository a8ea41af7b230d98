/* Figures on the page: charts and maps of heads, with what they show in words, and each also as a file of its
 * own for a paper. */
#include "chart.h"
#include "figure_style.h"
#include "head_map.h"
#include "page.h"
#include "svg.h"

#include <math.h>

enum { TITLE_LINES = 3, FILE_NAME = 80 };

/* One picture, drawn on the page and into its file. */
typedef struct picture {
    bool is_map;
    chart chart;
    head_map map;
    const char *title;
    double width, height;
} picture;

static bool is_map(const hl_node *item) {
    return strcmp(hl_get_text(item, "schema"), HL_SCHEMA_HEAD_MAP) == 0;
}

bool page_draws_figure(const hl_node *item) {
    return is_map(item) || strcmp(hl_get_text(item, "schema"), HL_SCHEMA_CHART) == 0;
}

static hl_status open_picture(page *self, const hl_node *item, picture *out) {
    *out = (picture){.is_map = is_map(item), .title = hl_get_text(item, "title")};
    hl_status status;
    if (out->is_map) {
        status = head_map_open(&out->map, item, &self->palette, self->html.error);
        out->width = out->map.width, out->height = out->map.height;
    } else {
        status = chart_open(&out->chart, item, self->html.error);
        out->width = out->chart.width, out->height = out->chart.height;
    }
    return status;
}

static void close_picture(picture *of) {
    head_map_close(&of->map);
    chart_close(&of->chart);
}

static void draw(const picture *of, html *out) {
    if (of->is_map) {
        head_map_draw(&of->map, out);
    } else {
        chart_draw(&of->chart, out);
    }
}

static void label(html *out, const char *title) {
    html_raw(out, " role=\"img\" aria-label=\"");
    html_text(out, title);
    html_raw(out, "\">\n");
}

/* ---- a file of its own ---- */

/* "figures/03-variance-explained.svg": letters and digits of the title, the number keeps names apart. */
static void name_file(size_t number, const char *title, char out[FILE_NAME]) {
    int length = snprintf(out, FILE_NAME, "figures/%02zu", number);
    bool gap = true;
    for (const char *at = title; *at && length < FILE_NAME - 30; at++) {
        char c = *at >= 'A' && *at <= 'Z' ? (char)(*at - 'A' + 'a') : *at;
        bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain && gap) out[length++] = '-';
        if (plain) out[length++] = c;
        gap = !plain;
    }
    snprintf(out + length, (size_t)(FILE_NAME - length), ".svg");
}

/* Lines of the title above the drawing. */
static double title_height(const picture *of) {
    double lines = ceil(svg_width(of->title, SVG_TEXT) / (of->width * 0.9));
    return *of->title ? fmin(lines, TITLE_LINES) * SVG_TEXT * 1.35 + 8 : 0;
}

static void write_file(page *self, const picture *of, html *out) {
    static const double margin = 8;
    double above = title_height(of), width = of->width + 2 * margin, height = of->height + above + 2 * margin;
    html_format(out,
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
                "class=\"fig\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\"",
                ceil(width), ceil(height), ceil(width), ceil(height));
    label(out, of->title);
    figure_style_of_file(out, of->is_map ? palette_colored(&self->palette) : 0, of->is_map);
    html_format(out, "<rect fill=\"#fff\" width=\"%.0f\" height=\"%.0f\"/>\n", ceil(width), ceil(height));
    svg_paragraph(out, margin, margin + SVG_TEXT, "", of->title, of->width, TITLE_LINES);
    html_format(out, "<g transform=\"translate(%.0f %.0f)\">\n", margin, margin + above);
    draw(of, out);
    html_raw(out, "</g>\n</svg>\n");
}

static void save(page *self, const picture *of, const char *name) {
    const hl_report *report = self->report;
    html *page_of = &self->html;
    html out = {.report = report, .status = page_of->status, .error = page_of->error};
    if (out.status == HL_OK) out.status = report->file(report, name, &out.file, out.error);
    write_file(self, of, &out);
    if (out.status == HL_OK) out.status = report->finish(report, out.file, out.error);
    page_of->status = out.status;
}

/* ---- on the page ---- */

/* What the drawing shows already, or the caption says. */
static bool is_drawn(const char *key) {
    static const char *const keys[] = {"schema", "title", "kind", "x",    "y",      "series",
                                       "heads",  "rest",  "low",  "high", "signed", "note"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i]) == 0) return true;
    }
    return false;
}

static bool is_short(const hl_node *field) {
    return field->type == HL_TEXT || field->type == HL_TRUTH || hl_is_number(field);
}

/* Whatever else the item says: short things in a line, tables below. */
static void say_rest(page *self, const hl_node *item) {
    html *out = &self->html;
    const char *note = hl_get_text(item, "note");
    if (*note) {
        html_raw(out, "<p>");
        html_text(out, note);
        html_raw(out, "</p>\n");
    }
    html_raw(out, "<dl class=\"facts\">");
    for (const hl_node *field = page_first(item); field; field = field->next) {
        if (is_drawn(field->key) || !is_short(field)) continue;
        page_fact(self, field->key);
        page_value(self, field);
        page_end_fact(self);
    }
    html_raw(out, "</dl>\n");
    for (const hl_node *field = page_first(item); field; field = field->next) {
        if (is_drawn(field->key) || is_short(field) || field->type == HL_NOTHING) continue;
        html_raw(out, "<details><summary>");
        html_text(out, field->key);
        html_raw(out, "</summary>\n");
        page_value(self, field);
        html_raw(out, "</details>\n");
    }
}

/* The numbers of a chart, for who cannot point at them; of long series results.json is the better place. */
static void numbers(page *self, const hl_node *item, const picture *of) {
    enum { FEW_POINTS = 100 };
    html *out = &self->html;
    if (of->is_map || !of->chart.point_count || of->chart.point_count > FEW_POINTS) return;
    html_raw(out, "<details><summary>numbers</summary>\n");
    for (const hl_node *series = page_first(hl_get(item, "series")); series; series = series->next) {
        const hl_node *points = hl_get(series, "points");
        if (!hl_is_list(points) || !points->count) continue;
        html_raw(out, "<h5>");
        html_text(out, hl_get_text(series, "name"));
        html_raw(out, "</h5>\n");
        page_number_rows(self, points->first, NULL);
    }
    html_raw(out, "</details>\n");
}

static void embed(page *self, picture *of) {
    html *out = &self->html;
    html_format(out, "<svg class=\"fig\" viewBox=\"0 0 %.0f %.0f\"", ceil(of->width), ceil(of->height));
    label(out, of->title);
    of->map.links = self->has_cards;
    draw(of, out);
    of->map.links = false;
    html_raw(out, "</svg>\n");
}

/* A drawing that is wider than a column has a width of its own, and is moved under a narrow window. */
static void start_drawing(page *self, const picture *of) {
    static const double column = 440;
    if (of->width > column) {
        html_format(&self->html, "<div class=\"table\"><div style=\"min-width:%.0fpx\">\n", of->width);
    } else {
        html_raw(&self->html, "<div><div>\n");
    }
}

static void figure(page *self, const hl_node *item) {
    html *out = &self->html;
    picture of;
    char name[FILE_NAME];
    if (out->status != HL_OK) return;
    out->status = open_picture(self, item, &of);
    if (out->status != HL_OK) return;
    size_t number = ++self->figures;
    name_file(number, of.title, name);
    html_format(out, "<figure class=\"chart%s\" id=\"figure-%zu\">\n<figcaption><b>Figure %zu.</b> ",
                of.width > 440 ? " wide" : "", number, number);
    html_text(out, of.title);
    html_raw(out, "</figcaption>\n");
    start_drawing(self, &of);
    embed(self, &of);
    html_raw(out, "</div></div>\n");
    say_rest(self, item);
    numbers(self, item, &of);
    html_raw(out, "<p class=\"get\"><a href=\"");
    html_text(out, name);
    html_raw(out, "\">SVG</a></p>\n</figure>\n");
    if (out->status == HL_OK) save(self, &of, name);
    close_picture(&of);
}

const hl_node *page_figures(page *self, const hl_node *item) {
    html_raw(&self->html, "<div class=\"charts\">\n");
    for (; item && page_draws_figure(item) && self->html.status == HL_OK; item = item->next) {
        figure(self, item);
    }
    html_raw(&self->html, "</div>\n");
    return item;
}
