/* Figures of the page: charts, maps of heads, tables of numbers. Every number of a chart is in its picture,
 * and every picture is in a file of its own, whatever the numbers and the names are. */
#include "drawing/axis.h"
#include "drawing/series.h"
#include "tests/experiment.h"
#include "tests/mini.h"
#include "tests/reporting.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct written {
    tree *tree;
    reporting by;
    const char *page, *file;
} written;

/* The page of an analysis with these items. */
static written write_items(const char *items) {
    written self;
    hl_error error;
    char *json = text("{\"version\":1,\"analyses\":[{\"plugin\":\"p\",\"summary\":\"s\",\"options\":{},"
                      "\"results\":[%s]}]}",
                      items);
    self.tree = make_tree(json);
    free(json);
    open_reporting(&self.by, tree_node(self.tree));
    assert_ok(write_html(&self.by, 0, 0, &error), error);
    self.page = self.by.page;
    self.file = self.by.figure ? self.by.figure : "";
    return self;
}

static void drop(written *self) {
    close_reporting(&self->by);
    tree_close(self->tree);
}

static void need(const char *in, const char *what) {
    if (!strstr(in, what)) fail_msg("lacks %s", what);
}

/* What is true of every figure: the drawing on the page is closed, no number is none, the file stands alone.
 */
static void need_sound(const written *it, size_t figures) {
    static const char *const wrong[] = {"nan", "NaN", "inf\"", "-inf", "Infinity", "<script"};
    assert_int_equal(it->by.figures, figures);
    assert_int_equal(count_words(it->page, "<figure class=\"chart"), figures);
    assert_int_equal(count_words(it->page, "<svg class=\"fig\""), figures);
    assert_int_equal(count_words(it->page, "<svg "), count_words(it->page, "</svg>"));
    assert_int_equal(count_words(it->page, "<g "), count_words(it->page, "</g>"));
    assert_int_equal(count_words(it->page, "<text "), count_words(it->page, "</text>"));
    for (size_t i = 0; i < COUNT(wrong); i++) {
        assert_null(strstr(it->page, wrong[i]));
        assert_null(strstr(it->file, wrong[i]));
    }
    if (!figures) return;
    need(it->file, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\"");
    assert_null(strstr(it->file, "var(--")); /* programs for papers know no variables */
    assert_null(strstr(it->file, "href"));
    assert_string_equal(it->file + strlen(it->file) - 7, "</svg>\n");
    need(it->page, it->by.figure_name);
}

#define CHART(KIND, SERIES)                                                                                  \
    "{\"schema\":\"chart\",\"title\":\"a title\",\"kind\":\"" KIND                                           \
    "\",\"x\":\"layer\",\"y\":\"share (%%)\",\"series\":[" SERIES "]}"
#define SERIES(NAME, POINTS) "{\"name\":\"" NAME "\",\"points\":[" POINTS "]}"

static written write_chart(char *items) {
    written it = write_items(items);
    free(items);
    return it;
}

/* ---- numbers ---- */

static void every_number_is_in_the_picture(void **state) {
    (void)state;
    static const char *const kinds[] = {"line", "scatter", "bar"};
    for (size_t i = 0; i < COUNT(kinds); i++) {
        const char *x = i == 2 ? "\"first\"" : "1";
        written it =
            write_chart(text(CHART("%s", SERIES("one", "{\"x\":%s,\"y\":0.123456,\"low\":0.0512,\"high\":"
                                                       "0.25,\"label\":\"here\"},{\"x\":7.5,\"y\":-0.75}")),
                             kinds[i], x));
        need_sound(&it, 1);
        for (int k = 0; k < 2; k++) {
            const char *in = k ? it.page : it.file;
            need(in, "a title<");
            need(in, ">layer<");
            need(in, ">share (%)<");
            need(in, ", 0.123456 [0.0512, 0.25]</title>");
            need(in, "7.5, \xe2\x88\x92"
                     "0.75</title>");
            need(in, "one: here: ");
            need(in, i == 2 ? "first" : ">here</text>");
        }
        drop(&it);
    }
}

/* Of a line: ten points make a path through ten places, and all ten can be pointed at. */
static void a_line_goes_through_its_points(void **state) {
    (void)state;
    char points[1024] = "";
    for (int i = 0; i < 10; i++) {
        sprintf(points + strlen(points), "%s{\"x\":%d,\"y\":%d,\"low\":%d,\"high\":%d}", i ? "," : "", i,
                i * i, i * i - 1, i * i + 1);
    }
    written it = write_chart(text(CHART("line", SERIES("squares", "%s")), points));
    need_sound(&it, 1);
    const char *path = strstr(it.file, "<path class=\"l\"");
    assert_non_null(path);
    char *line = strndup(path, (size_t)(strchr(path, '>') - path));
    assert_int_equal(count_words(line, "L"), 9);
    free(line);
    assert_int_equal(count_words(it.file, "<path class=\"band\""), 1);
    assert_int_equal(count_words(it.file, "<path class=\"e\""), 0);
    assert_int_equal(count_words(it.file, "</title></path>"), 10);
    drop(&it);
}

static void references_are_faint_and_series_differ_in_shape(void **state) {
    (void)state;
    written it = write_chart(
        text(CHART("scatter", SERIES("a", "{\"x\":1,\"y\":1}") "," SERIES(
                                  "b", "{\"x\":2,\"y\":2}") ",{\"name\":"
                                                            "\"chance\",\"reference\":true,\"points\":["
                                                            "{\"x\":1,"
                                                            "\"y\":0.5}]}")));
    need_sound(&it, 1);
    need(it.file, "<g class=\"s0 d0\">");
    need(it.file, "<g class=\"s1 d0\">");
    need(it.file, "<g class=\"ref r0\">");
    need(it.file, ">chance</text>");
    /* below the others */
    assert_true(strstr(strstr(it.file, "class=\"g\""), "class=\"ref") <
                strstr(strstr(it.file, "class=\"g\""), "class=\"s0"));
    drop(&it);
}

/* ---- few and many, near and far ---- */

#define EMPTY(MORE)     "{\"schema\":\"chart\",\"title\":\"t\"," MORE "}"
#define EMPTY_MAP(MORE) "{\"schema\":\"head-map\",\"title\":\"t\"," MORE "}"

static void nothing_is_a_figure_too(void **state) {
    (void)state;
    static const char *const items[] = {
        "{\"schema\":\"chart\"}",
        EMPTY("\"kind\":\"bar\",\"series\":[]"),
        EMPTY("\"kind\":\"line\",\"series\":[{\"name\":\"n\",\"points\":[]}]"),
        EMPTY("\"kind\":\"odd\",\"series\":[{\"points\":[{\"x\":1}]}]"),
        EMPTY("\"kind\":[],\"series\":\"none\""),
        "{\"schema\":\"head-map\"}",
        EMPTY_MAP("\"heads\":[]"),
        EMPTY_MAP("\"heads\":[{\"head\":\"L0.H0\"}],\"rest\":[{\"value\":1}]"),
        EMPTY_MAP("\"heads\":[3,\"x\",{}],\"rest\":{}"),
    };
    for (size_t i = 0; i < COUNT(items); i++) {
        written it = write_items(items[i]);
        need_sound(&it, 1);
        drop(&it);
    }
    written it = write_items("{\"schema\":\"table\"},{\"schema\":\"table\",\"title\":\"t\",\"rows\":[]}");
    need_sound(&it, 0);
    need(it.page, "<h4>t</h4>\n<p>It has no rows.</p>");
    drop(&it);
}

static void points_without_numbers_are_counted(void **state) {
    (void)state;
    written it = write_chart(
        text(CHART("line", SERIES("n", "{\"x\":1,\"y\":1},{\"x\":2},{\"y\":3},{\"x\":3,\"y\":\"high\"}"))));
    need_sound(&it, 1);
    need(it.file, "3 points without a number are not drawn");
    drop(&it);
}

static void one_point_and_extreme_numbers_have_a_place(void **state) {
    (void)state;
    static const char *const points[] = {
        "{\"x\":1,\"y\":1}",
        "{\"x\":0,\"y\":0}",
        "{\"x\":-3,\"y\":-3},{\"x\":-3,\"y\":-3}",
        "{\"x\":1e308,\"y\":-1e308},{\"x\":-1e308,\"y\":1e308}",
        "{\"x\":1e-300,\"y\":1e-320},{\"x\":2e-300,\"y\":0}",
        "{\"x\":1,\"y\":1e16},{\"x\":2,\"y\":1.0000000000000002e16}",
        "{\"x\":1,\"y\":1,\"low\":2,\"high\":0}",
        "{\"x\":1,\"y\":1,\"low\":-1e300,\"high\":1e300}",
    };
    static const char *const kinds[] = {"line", "scatter", "bar"};
    for (size_t i = 0; i < COUNT(points); i++) {
        for (size_t k = 0; k < COUNT(kinds); k++) {
            written it = write_chart(text(CHART("%s", SERIES("n", "%s")), kinds[k], points[i]));
            need_sound(&it, 1);
            drop(&it);
        }
    }
}

static void a_thousand_points_are_all_there(void **state) {
    (void)state;
    static const char *const kinds[] = {"line", "scatter", "bar"};
    for (size_t k = 0; k < COUNT(kinds); k++) {
        char *points = calloc(1000, 80);
        assert_non_null(points);
        size_t length = 0;
        for (int i = 0; i < 1000; i++) {
            length += (size_t)sprintf(points + length, "%s{\"x\":%d,\"y\":%.6g,\"label\":\"point %d\"}",
                                      i ? "," : "", i, sin(i), i);
        }
        written it = write_chart(text(CHART("%s", SERIES("n", "%s")), kinds[k], points));
        need_sound(&it, 1);
        assert_int_equal(count_words(it.file, "<title>n: point "), 1000);
        need(it.file, "<title>n: point 999: 999, \xe2\x88\x92"
                      "0.0264608</title>");
        assert_true(strlen(it.file) < 400000);
        free(points);
        drop(&it);
    }
}

/* ---- names ---- */

#define HOSTILE "<b>\\\"&'</title></svg><script>alert(1)</script>\\u0001\\u202e]]>"

static void hostile_names_stay_words(void **state) {
    (void)state;
    written it = write_chart(
        text("{\"schema\":\"chart\",\"title\":\"" HOSTILE "\",\"kind\":\"scatter\",\"x\":\"" HOSTILE
             "\",\"y\":\"" HOSTILE "\",\"" HOSTILE "\":\"" HOSTILE "\",\"note\":\"" HOSTILE
             "\",\"series\":[{\"name\":\"" HOSTILE "\",\"points\":[{\"x\":1,\"y\":1,\"label\":\"" HOSTILE
             "\"}]}]},"
             "{\"schema\":\"head-map\",\"title\":\"" HOSTILE "\",\"heads\":[{\"head\":\"" HOSTILE
             "\",\"label\":\"" HOSTILE "\"}],\"rest\":[{\"name\":\"" HOSTILE "\",\"value\":1}]}"));
    need_sound(&it, 2);
    assert_null(strstr(it.page, "<b>\""));
    assert_int_equal(count_words(it.page, "</svg>"), 2);
    assert_string_equal(it.by.figure_name, "figures/02-b-title-svg-script-alert-1-script.svg");
    drop(&it);
}

static void long_names_are_cut_and_kept(void **state) {
    (void)state;
    char name[2001] = "";
    for (int i = 0; i < 100; i++) strcat(name, "a rather long word, ");
    written it = write_chart(text(CHART("bar", SERIES("%s", "{\"x\":\"%s\",\"y\":1}") ",%s"), name, name,
                                  SERIES("\xe3\x81\x82\xe3\x81\x84", "{\"x\":\"b\",\"y\":2}")));
    need_sound(&it, 1);
    need(it.file, "\xe2\x80\xa6</text>");
    assert_true(count_words(it.file, name) >= 2);
    drop(&it);
}

/* ---- maps of heads ---- */

static char *map_of(unsigned layers, unsigned heads, const char *more, const char *rest) {
    char *rows = calloc((size_t)layers * heads + 1, 64);
    size_t length = 0;
    assert_non_null(rows);
    for (unsigned i = 0; i < layers * heads; i++) {
        length += (size_t)sprintf(rows + length, "%s{\"head\":\"L%u.H%u\",\"value\":%.4f}", i ? "," : "",
                                  i / heads, i % heads, (double)i - layers * heads / 2.0);
    }
    char *item = text("{\"schema\":\"head-map\",\"title\":\"effects\",\"heads\":[%s],\"rest\":[%s]%s}", rows,
                      rest, more);
    free(rows);
    return item;
}

static void towers_of_any_shape_are_mapped(void **state) {
    (void)state;
    static const unsigned shapes[][2] = {{4, 8}, {24, 16}, {1, 1}, {48, 25}, {2, 100}};
    for (size_t i = 0; i < COUNT(shapes); i++) {
        unsigned layers = shapes[i][0], heads = shapes[i][1];
        char *item = map_of(layers, heads, ",\"signed\":true",
                            "{\"name\":\"input\",\"value\":5000},{\"name\":\"L0.MLP\",\"value\":1}");
        written it = write_chart(item);
        need_sound(&it, 1);
        char *last = text("<title>L%u.H%u: ", layers - 1, heads - 1);
        need(it.file, last);
        assert_int_equal(count_words(it.file, "</title></rect>"), layers * heads + 2);
        need(it.file, "<title>input: 5000</title>");
        need(it.file, "<title>L0.MLP: 1</title>");
        need(it.file, "what lies beyond the scale has the colour of its end");
        free(last);
        drop(&it);
    }
}

/* Heads that are called otherwise have their names written. */
static void other_names_of_heads_are_listed(void **state) {
    (void)state;
    written it = write_items("{\"schema\":\"head-map\",\"title\":\"t\",\"heads\":[{\"head\":\"attention "
                             "pooling\",\"value\":0.5},{\"head\":\"L2.H1\",\"value\":0.25},{\"head\":"
                             "\"L2.H1x\",\"value\":1},{\"head\":\"L99999.H1\",\"value\":0}]}");
    need_sound(&it, 1);
    need(it.file, ">attention pooling</text>");
    need(it.file, "<title>L2.H1x: 1</title>");
    need(it.file, "<title>L99999.H1: 0</title>");
    drop(&it);
}

/* Signed: the same amount has the same distance from the middle; the colours' numbers say so. */
static void the_scale_is_even(void **state) {
    (void)state;
    written it = write_items("{\"schema\":\"head-map\",\"title\":\"t\",\"signed\":true,\"heads\":["
                             "{\"head\":\"L0.H0\",\"value\":-0.5},{\"head\":\"L0.H1\",\"value\":0},"
                             "{\"head\":\"L0.H2\",\"value\":0.25},{\"head\":\"L0.H3\",\"value\":0.5}]}");
    need_sound(&it, 1);
    static const char *const cells[] = {"class=\"d0\" x=\"32.0\"", "class=\"d16\" x=\"80.0\"",
                                        "class=\"d24\" x=\"128.0\"", "class=\"d32\" x=\"176.0\""};
    for (size_t i = 0; i < COUNT(cells); i++) need(it.file, cells[i]);
    drop(&it);
}

static void labels_have_colors_and_a_legend(void **state) {
    (void)state;
    written it =
        write_items("{\"schema\":\"head-map\",\"title\":\"a\",\"heads\":[{\"head\":\"L0.H0\",\"label\":"
                    "\"colors\"},{\"head\":\"L0.H1\",\"label\":\"colors\"},{\"head\":\"L1.H0\","
                    "\"label\":\"places\"}]},"
                    "{\"schema\":\"head-map\",\"title\":\"b\",\"heads\":[{\"head\":\"L0.H0\",\"label\":"
                    "\"places\"}]}");
    need_sound(&it, 2);
    need(it.page, "<rect class=\"k0\"");
    assert_int_equal(count_words(it.page, ".fig .k1{fill:#"), 2); /* light and dark */
    assert_int_equal(count_words(it.page, ">colors</text>"), 2);
    need(it.page, ">colors 2</text>"); /* the legend */
    /* the same label has the same colour in every map */
    need(it.file, "<rect class=\"k1\" x=\"32.0\"");
    assert_null(strstr(it.file, "colors"));
    drop(&it);
}

/* ---- tables ---- */

static void intervals_stand_beside_their_values(void **state) {
    (void)state;
    written it = write_items(
        "{\"schema\":\"table\",\"title\":\"scores "
        "<1>\",\"n\":12,\"rows\":[{\"model\":\"a\",\"value\":0.5,\"low\":"
        "0.25,\"high\":0.75,\"share\":0.1,\"share_low\":0.05,\"share_high\":0.2,\"a random\":2,\"a random "
        "low\":1,\"a random high\":3},{\"model\":\"b\",\"value\":"
        "1}]},"
        "{\"schema\":\"table\",\"title\":\"ends alone\",\"rows\":[{\"low\":1,\"high\":2,\"much_low\":3}]}");
    need_sound(&it, 0);
    need(it.page, "<h4>scores &lt;1&gt;</h4>");
    need(it.page, "<tr><th>model</th><th class=\"n\">value</th><th class=\"n\">share</th><th class=\"n\">a "
                  "random</th></tr>");
    need(it.page,
         "<td class=\"n\">0.5 <span class=\"quiet\">[0.25, 0.75]</span></td><td class=\"n\">0.1 <span "
         "class=\"quiet\">[0.05, 0.2]</span></td><td class=\"n\">2 <span class=\"quiet\">[1, 3]</span></td>");
    need(it.page, "<dt>n</dt> <dd>12</dd>");
    need(it.page, "<th class=\"n\">low</th><th class=\"n\">high</th><th class=\"n\">much_low</th>");
    drop(&it);
}

/* ---- axes ---- */

/* Whatever is between the ends has a place between them, and ticks are round. */
static void axes_hold_what_they_are_made_for(void **state) {
    (void)state;
    static const double ends[][2] = {{0, 1},        {-1, 1},          {0.37, 0.38},      {1e6, 3.2e8},
                                     {-5e-9, 2e-9}, {1e16, 1e16 + 2}, {0, DBL_TRUE_MIN}, {-DBL_MAX, DBL_MAX},
                                     {7, 7},        {0, 0},           {-3e-320, 4},      {0, 1e-310}};
    for (size_t i = 0; i < COUNT(ends); i++) {
        axis of = axis_make(ends[i][0], ends[i][1], 5);
        assert_true(isfinite(of.low) && isfinite(of.high) && of.step > 0);
        assert_in_range(of.ticks, 2, 14);
        assert_true(isfinite(axis_place(&of, ends[i][0])) && isfinite(axis_place(&of, ends[i][1])));
        if (fabs(ends[i][1]) < 1e300) {
            assert_true(axis_place(&of, ends[i][0]) > -1e-6 && axis_place(&of, ends[i][1]) < 1 + 1e-6);
        }
        char last[AXIS_LABEL] = "", label[AXIS_LABEL];
        for (size_t k = 0; k < of.ticks; k++) {
            axis_label(&of, k, label);
            assert_true(strcmp(label, last) != 0 && strlen(label) < 24);
            strcpy(last, label);
        }
    }
    static const struct {
        double low, high;
        const char *first, *second;
    } labels[] = {{0, 1, "0.0", "0.2"},
                  {0, 428e6, "0", "100M"},
                  {-0.05, 0.05,
                   "\xe2\x88\x92"
                   "0.06",
                   "\xe2\x88\x92"
                   "0.04"},
                  {0, 24, "0", "5"},
                  {0, 3e-6, "0", "1e-6"},
                  {86e6, 90e6, "86M", "87M"},
                  {1200, 1400, "1200", "1250"}};
    for (size_t i = 0; i < COUNT(labels); i++) {
        axis of = axis_make(labels[i].low, labels[i].high, 5);
        char label[AXIS_LABEL];
        axis_label(&of, 0, label);
        assert_string_equal(label, labels[i].first);
        axis_label(&of, 1, label);
        assert_string_equal(label, labels[i].second);
    }
}

/* ---- colours ---- */

/* How an eye without one kind of cones sees a colour: Machado, Oliveira and Fernandes 2009, severity 1. */
static void seen_without(int cones, const double linear[3], double out[3]) {
    static const double matrices[4][3][3] = {
        {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}},
        {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}},
        {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}},
        {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}};
    for (int i = 0; i < 3; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++) sum += matrices[cones][i][k] * linear[k];
        out[i] = fmin(fmax(sum, 0), 1);
    }
}

static double to_linear(uint8_t byte) {
    double x = byte / 255.0;
    return x <= 0.04045 ? x / 12.92 : pow((x + 0.055) / 1.055, 2.4);
}

static uint8_t to_byte(double x) {
    return (uint8_t)lround(255 * (x <= 0.0031308 ? 12.92 * x : 1.055 * pow(x, 1 / 2.4) - 0.055));
}

static lab seen(int cones, const uint8_t rgb[3]) {
    double linear[3] = {to_linear(rgb[0]), to_linear(rgb[1]), to_linear(rgb[2])}, out[3];
    seen_without(cones, linear, out);
    return to_lab((uint8_t[3]){to_byte(out[0]), to_byte(out[1]), to_byte(out[2])});
}

static void series_can_be_told_apart_by_every_eye(void **state) {
    (void)state;
    for (int dark = 0; dark < 2; dark++) {
        for (size_t i = 0; i < SERIES_COLORS; i++) {
            for (size_t k = 0; k < i; k++) {
                uint8_t a[3], b[3];
                series_color(i, dark, a);
                series_color(k, dark, b);
                for (int cones = 0; cones < 4; cones++) {
                    lab p = seen(cones, a), q = seen(cones, b);
                    double distance = sqrt(pow(p.l - q.l, 2) + pow(p.a - q.a, 2) + pow(p.b - q.b, 2));
                    assert_true(distance > 0.1); /* 0.02 is just seen */
                }
            }
        }
    }
}

/* More is darker on paper and lighter on a dark ground, step by step; of a difference either way. */
static void cells_become_stronger_with_their_amount(void **state) {
    (void)state;
    for (int dark = 0; dark < 2; dark++) {
        for (size_t i = 1; i < LEVELS; i++) {
            uint8_t a[3], b[3];
            level_color(i - 1, false, dark, a);
            level_color(i, false, dark, b);
            assert_true(dark ? to_lab(b).l > to_lab(a).l : to_lab(b).l < to_lab(a).l);
            level_color(i - 1, true, dark, a);
            level_color(i, true, dark, b);
            bool outwards = i > LEVELS / 2;
            assert_true((to_lab(b).l > to_lab(a).l) == (dark ? outwards : !outwards));
        }
    }
    assert_int_equal(level_at(0), 0);
    assert_int_equal(level_at(0.5), LEVELS / 2);
    assert_int_equal(level_at(7), LEVELS - 1);
}

/* ---- from a plugin to the files ---- */

static void figures_are_files_beside_the_page(void **state) {
    (void)state;
    char *folder = make_folder(), *so = text("%s/sample_figures.so", folder);
    copy_file(TEST_FIXTURES "/sample_figures.fixture", so);
    setenv("HEADLIGHT_PLUGIN_PATH", folder, 1);
    outcome got = run_well(MINI, "reference", "  - {plugin: sample-figures}\n");
    unsetenv("HEADLIGHT_PLUGIN_PATH");
    char *page_path = text("%s/out/report.html", got.folder), *page = read_file(page_path, NULL);
    assert_int_equal(count_words(page, "<svg class=\"fig\""), 8);
    assert_int_equal(cJSON_GetArraySize(results_of(&got, 0)), 9);
    const char *at = page;
    for (int i = 0; i < 8; i++) {
        at = strstr(at, "<a href=\"figures/") + 9;
        char *name = strndup(at, strcspn(at, "\"")), *path = text("%s/out/%s", got.folder, name);
        char *drawing = read_file(path, NULL);
        need(drawing, "</svg>\n");
        free(drawing);
        free(path);
        free(name);
    }
    free(page);
    free(page_path);
    end(&got);
    free(so);
    remove_folder(folder);
}

static int open_all(void **state) {
    (void)state;
    open_plugins(1, NULL);
    return 0;
}

static int close_all(void **state) {
    (void)state;
    close_plugins();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_is_in_the_picture),
        cmocka_unit_test(a_line_goes_through_its_points),
        cmocka_unit_test(references_are_faint_and_series_differ_in_shape),
        cmocka_unit_test(nothing_is_a_figure_too),
        cmocka_unit_test(points_without_numbers_are_counted),
        cmocka_unit_test(one_point_and_extreme_numbers_have_a_place),
        cmocka_unit_test(a_thousand_points_are_all_there),
        cmocka_unit_test(hostile_names_stay_words),
        cmocka_unit_test(long_names_are_cut_and_kept),
        cmocka_unit_test(towers_of_any_shape_are_mapped),
        cmocka_unit_test(other_names_of_heads_are_listed),
        cmocka_unit_test(the_scale_is_even),
        cmocka_unit_test(labels_have_colors_and_a_legend),
        cmocka_unit_test(intervals_stand_beside_their_values),
        cmocka_unit_test(figures_are_files_beside_the_page),
        cmocka_unit_test(axes_hold_what_they_are_made_for),
        cmocka_unit_test(series_can_be_told_apart_by_every_eye),
        cmocka_unit_test(cells_become_stronger_with_their_amount),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
