/* See figure_style.h. Programs that place a figure into a paper know simple CSS only: a file has plain
 * colours where the page has variables. */
#include "figure_style.h"
#include "drawing/colormap.h"
#include "drawing/series.h"

typedef struct inks {
    const char *ink, *quiet, *line, *ground, *panel;
} inks;

static const inks of_page = {"var(--ink)", "var(--quiet)", "var(--line)", "var(--ground)", "var(--panel)"};
static const inks of_paper = {"#1d1c24", "#5c5a64", "#dddce2", "#fff", "#efeef2"};

static void rule(html *out, const char *selector, const char *property, const char *value, const char *more) {
    html_raw(out, selector);
    html_raw(out, "{");
    html_raw(out, property);
    html_raw(out, value);
    html_raw(out, more);
    html_raw(out, "}");
}

static void shapes(html *out, const inks *of) {
    rule(out, ".fig text", "font-size:12px;fill:", of->ink, "");
    rule(out, ".fig .s", "font-size:10px;fill:", of->ink, "");
    rule(out, ".fig .q", "fill:", of->quiet, "");
    rule(out, ".fig .o", "fill:", of->ground, "");
    rule(out, ".fig .g", "stroke:", of->line, ";stroke-width:1");
    rule(out, ".fig .z", "stroke:", of->quiet, ";stroke-width:1");
    rule(out, ".fig .m", "fill:currentColor;stroke:", of->ground, ";stroke-width:.7");
    rule(out, ".fig .w", "fill:none;stroke-width:1.1;stroke:", of->ink, "");
    rule(out, ".fig .ref", "color:", of->quiet, ";opacity:.75");
    rule(out, ".fig .u0", "fill:", of->panel, "");
    rule(out, ".fig .frame", "fill:none;stroke-width:1;stroke:", of->line, "");
    html_raw(out, ".fig .l{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round}"
                  ".fig .e{fill:none;stroke:currentColor;stroke-width:1.2}"
                  ".fig .b{fill:currentColor;fill-opacity:.8}.fig .band{fill:currentColor;opacity:.17}"
                  ".fig .ref .l{stroke-width:2.6;opacity:.7}.fig .ref .b{opacity:.55}"
                  ".fig .r1 .b,.fig .r1 .m{fill:none;stroke:currentColor;stroke-width:1;opacity:.9}"
                  ".fig .r2 .b{opacity:.25}"
                  ".fig .d1 .l{stroke-dasharray:7 3}.fig .d2 .l{stroke-dasharray:2 2}"
                  ".fig .r0 .l{stroke-dasharray:5 4}.fig .r1 .l{stroke-dasharray:2 3}"
                  ".fig .r2 .l{stroke-dasharray:8 3 2 3}\n");
}

static void color(html *out, const char *class, size_t index, const char *property, const uint8_t rgb[3]) {
    html_format(out, ".fig .%s%zu{%s:#%02x%02x%02x}", class, index, property, rgb[0], rgb[1], rgb[2]);
}

static void series_colors(html *out, bool dark) {
    uint8_t rgb[3];
    for (size_t i = 0; i < SERIES_COLORS; i++) {
        series_color(i, dark, rgb);
        color(out, "s", i, "color", rgb);
    }
    html_raw(out, "\n");
}

static void cell_colors(html *out, bool dark) {
    uint8_t rgb[3];
    for (size_t i = 0; i < 2 * LEVELS; i++) {
        bool is_signed = i >= LEVELS;
        level_color(i % LEVELS, is_signed, dark, rgb);
        color(out, is_signed ? "d" : "v", i % LEVELS, "fill", rgb);
    }
    html_raw(out, "\n");
}

void figure_style_of_page(html *out) {
    html_raw(out, ".fig{background:none;border-radius:0;overflow:visible}"
                  ".fig text{unicode-bidi:isolate}.fig a{text-decoration:none}\n");
    shapes(out, &of_page);
    series_colors(out, false);
    cell_colors(out, false);
    html_raw(out, "@media(prefers-color-scheme:dark){");
    series_colors(out, true);
    cell_colors(out, true);
    html_raw(out, "}\n");
}

void figure_style_of_file(html *out, size_t labels, bool cells) {
    uint8_t rgb[3];
    html_raw(out, "<style>.fig{font-family:Helvetica,Arial,'DejaVu Sans',sans-serif}\n");
    shapes(out, &of_paper);
    if (!cells) series_colors(out, false);
    if (cells) cell_colors(out, false);
    for (size_t i = 0; i < labels; i++) {
        colormap_category(i, labels, 0.85, 0.08, rgb);
        color(out, "k", i, "fill", rgb);
    }
    html_raw(out, "</style>\n");
}
