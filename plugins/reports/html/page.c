/* The results as a page. Pictures lie in it as data, styles too; there is no script, and a policy in its head
 * forbids the browser to fetch anything. It names no time and no machine, so the same run gives the same
 * bytes. Never knows which analyses there are: what a schema does not say how to draw becomes a table. */
#include "page.h"
#include "snippet.h"

#include <math.h>

const hl_node *page_first(const hl_node *of) {
    return of ? of->first : NULL;
}

bool page_same(const hl_node *a, const hl_node *b, const char *key) {
    return strcmp(hl_get_text(a, key), hl_get_text(b, key)) == 0;
}

/* ---- what the parts share ---- */

void page_start_group(page *self, const char *title) {
    html_raw(&self->html, "<article>\n<div><h3>");
    html_text(&self->html, title);
    html_raw(&self->html, "</h3>");
}

void page_scale(page *self, double low, double high) {
    html *out = &self->html;
    html_raw(out, "<div class=\"scale\">");
    html_number(out, low, 2);
    html_raw(out, "<i></i>");
    html_number(out, high, 2);
    html_raw(out, "</div>");
}

void page_image(page *self, const char *name) {
    html *out = &self->html;
    const hl_picture *image = NULL;
    if (out->status != HL_OK) return;
    out->status = canvas_image(&self->pictures, name, &image, out->error);
    if (out->status == HL_OK) html_picture(out, image, HL_JPEG, name);
}

void page_cut_mark(page *self, const char *text) {
    const hl_node *cut = page_first(hl_get(self->root, "truncated"));
    while (cut && strcmp(hl_get_text(cut, "text"), text) != 0) cut = cut->next;
    if (cut) html_raw(&self->html, " <span class=\"chip\">cut</span>");
}

void page_details(page *self) {
    html_raw(&self->html, "<details><summary>");
}

void page_end_headline(page *self) {
    html_raw(&self->html, "</summary>\n");
}

/* Fields that say which item it is; they are in its headline and in its experiment. */
static bool names_item(const char *key) {
    static const char *const names[] = {"schema", "image", "text",          "minus",
                                        "head",   "query", "query_is_image"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(key, names[i]) == 0) return true;
    }
    return false;
}

static void fields(page *self, const hl_node *item) {
    html_raw(&self->html, "<dl class=\"facts\">");
    for (const hl_node *field = page_first(item); field; field = field->next) {
        bool shown = hl_is_list(field) || field->type == HL_GRID; /* as a picture, or a row of them */
        if (names_item(field->key) || shown) continue;
        page_fact(self, field->key);
        page_value(self, field);
        page_end_fact(self);
    }
    html_raw(&self->html, "</dl>\n");
}

void page_end_details(page *self, const hl_node *analysis, const hl_node *item) {
    html *out = &self->html;
    char *yaml = NULL;
    fields(self, item);
    if (out->status == HL_OK) {
        out->status = snippet_make(self->report->sections, analysis, item, &yaml, out->error);
    }
    html_raw(out, "<pre class=\"copy\">");
    if (yaml) html_text(out, yaml);
    html_raw(out, "</pre></details>\n");
    free(yaml);
}

/* ---- contents ---- */

/* An analysis's heading: the title that its user gave it, else the plugin's name. */
static const char *heading(const hl_node *analysis) {
    const char *title = hl_get_text(analysis, "title");
    return *title ? title : hl_get_text(analysis, "plugin");
}

static void variant(page *self, const hl_node *analysis) {
    const char *name = hl_get_text(analysis, "variant");
    if (!*name) return;
    html_raw(&self->html, " <span class=\"chip\">");
    html_text(&self->html, name);
    html_raw(&self->html, "</span>");
}

static void content(page *self, const char *kind, size_t number, const char *title, const hl_node *of) {
    html *out = &self->html;
    html_format(out, "<li><a href=\"#%s-%zu\">", kind, number);
    html_text(out, title);
    html_raw(out, "</a>");
    variant(self, of);
    html_raw(out, " <span>");
    page_question(self, hl_get(of, "options"));
    html_raw(out, "</span></li>\n");
}

/* Only where there is a choice. */
static void contents(page *self, const hl_node *analyses, const hl_node *extractors) {
    html *out = &self->html;
    size_t number = 0;
    if ((analyses ? analyses->count : 0) + (extractors ? extractors->count : 0) < 2) return;
    html_raw(out, "<nav>\n<ol>\n");
    for (const hl_node *of = page_first(analyses); of; of = of->next) {
        content(self, "analysis", ++number, heading(of), of);
    }
    if (self->has_cards) html_raw(out, "<li><a href=\"#cards\">Head by head</a></li>\n");
    number = 0;
    for (const hl_node *of = page_first(extractors); of; of = of->next) {
        const char *name = hl_get_text(of, "name");
        content(self, "extractor", ++number, *name ? name : hl_get_text(of, "plugin"), of);
    }
    html_raw(out, "</ol>\n</nav>\n");
}

/* ---- the analyses ---- */

static bool is(const hl_node *item, const char *schema) {
    return strcmp(hl_get_text(item, "schema"), schema) == 0;
}

const hl_node *page_item(page *self, const hl_node *of, const hl_node *item) {
    if (canvas_draws(&self->pictures, item)) return page_heats(self, of, item);
    if (is(item, HL_SCHEMA_NEIGHBORS)) return page_neighbors(self, of, item);
    if (page_draws_figure(item)) return page_figures(self, item);
    if (is(item, HL_SCHEMA_TABLE)) return page_tables(self, item);
    const hl_node *end = item;
    while (end && page_same(end, item, "schema")) end = end->next;
    page_items(self, item, end);
    return end;
}

static void analysis(page *self, const hl_node *of, size_t number) {
    html *out = &self->html;
    html_format(out, "<section id=\"analysis-%zu\">\n<h2><a href=\"#analysis-%zu\">", number, number);
    html_text(out, heading(of));
    html_raw(out, "</a>");
    variant(self, of);
    html_raw(out, "</h2>\n<p>");
    if (*hl_get_text(of, "title")) {
        html_text(out, hl_get_text(of, "plugin"));
        html_raw(out, ": ");
    }
    html_text(out, hl_get_text(of, "summary"));
    html_raw(out, "</p>\n");
    page_options(self, hl_get(of, "options"));
    const hl_node *item = page_first(hl_get(of, "results"));
    while (item && out->status == HL_OK) item = page_item(self, of, item);
    html_raw(out, "</section>\n");
}

/* ---- how large pictures are ---- */

static size_t count_pictures(const hl_node *node) {
    if (node->type == HL_PICTURE) return 1;
    if (node->type == HL_NEIGHBORS) return node->count;
    size_t count = 0;
    for (const hl_node *entry = page_first(node); entry; entry = entry->next) count += count_pictures(entry);
    return count;
}

static size_t count_item(const page *self, const hl_node *item) {
    if (!canvas_draws(&self->pictures, item)) return count_pictures(item);
    return canvas_has_mask(item) ? 2 : 1;
}

static size_t count_results(const page *self, const hl_node *list) {
    size_t count = 0;
    for (const hl_node *of = page_first(list); of; of = of->next) {
        const hl_node *item = page_first(hl_get(of, "results"));
        for (; item; item = item->next) count += count_item(self, item);
    }
    return count;
}

/* The longer side of every picture, such that all together stay within the page's share. Steps have none but
 * images of the gallery, which are small on cards. */
static size_t choose_side(const page *self, const page_limits *limits) {
    static const double least = 96; /* however many pictures there are */
    size_t pictures = 1 + count_results(self, hl_get(self->root, "analyses"));
    double share = fmax(sqrt(limits->pixels / (double)pictures), least);
    return (size_t)fmin(share, (double)limits->side);
}

/* ---- figures ---- */

static bool any_figure(const hl_node *list) {
    for (const hl_node *of = page_first(list); of; of = of->next) {
        if (page_draws_figure(of) || any_figure(hl_get(of, "results"))) return true;
    }
    return false;
}

static bool has_figures(const hl_node *root) {
    return any_figure(hl_get(root, "analyses")) || any_figure(hl_get(root, "extractors")) ||
           any_figure(hl_get(root, "comparison"));
}

/* ---- the page ---- */

static void body(page *self) {
    const hl_node *analyses = hl_get(self->root, "analyses"), *extractors = hl_get(self->root, "extractors");
    size_t number = 0;
    html_raw(&self->html, "<body>\n");
    page_introduction(self);
    contents(self, analyses, extractors);
    page_variants(self);
    page_properties(self);
    for (const hl_node *of = page_first(analyses); of; of = of->next) analysis(self, of, ++number);
    page_cards(self);
    number = 0;
    for (const hl_node *of = page_first(extractors); of; of = of->next) page_extractor(self, of, ++number);
    html_raw(&self->html, "</body>\n</html>\n");
}

static void write_file(page *self) {
    html *out = &self->html;
    const hl_report *report = self->report;
    if (out->status == HL_OK) out->status = report->file(report, "report.html", &out->file, out->error);
    page_document_head(self);
    body(self);
    if (out->status == HL_OK) out->status = report->finish(report, out->file, out->error);
}

hl_status page_write(const hl_report *report, const page_limits *limits, hl_error *error) {
    static const double grow = 2; /* a small image, to be seen at all */
    page self = {.html = {.report = report, .error = error}, .report = report, .root = report->results};
    canvas_open(&self.pictures, report, limits->side, grow);
    self.pictures.side = choose_side(&self, limits);
    self.has_figures = has_figures(self.root);
    self.html.status = palette_open(&self.palette, self.root, error);
    if (self.html.status == HL_OK) self.html.status = gather(report, &self.said, error);
    self.has_cards = self.said.is_worth;
    write_file(&self);
    gathered_free(&self.said);
    page_forget_thumbnails(&self);
    palette_close(&self.palette);
    canvas_close(&self.pictures);
    return self.html.status;
}
