/* The page's beginning: its styles, and what the run was: the experiment, model, backend, gallery, and
 * whatever of it was left out or done in another way than asked. */
#include "figure_style.h"
#include "page.h"
#include "style.h"

/* ---- the document's head ---- */

/* A colour map as a CSS gradient. */
static void gradient(html *out, const char *name, const colormap *map) {
    enum { STOPS = 17 };
    html_format(out, ":root{--%s:linear-gradient(90deg", name);
    for (int i = 0; i < STOPS; i++) {
        const uint8_t *rgb = colormap_at(map, (double)i / (STOPS - 1));
        html_format(out, ",#%02x%02x%02x", rgb[0], rgb[1], rgb[2]);
    }
    html_raw(out, ")}\n");
}

/* The properties' colours, of equal lightness, so that no property seems to matter more. */
static void property_colors(page *self, double lightness, double chroma) {
    size_t count = palette_colored(&self->palette);
    for (size_t i = 0; i < count; i++) {
        uint8_t rgb[3];
        colormap_category(i, count, lightness, chroma, rgb);
        html_format(&self->html, ".p%zu{--color:#%02x%02x%02x}", i, rgb[0], rgb[1], rgb[2]);
        if (self->has_figures)
            html_format(&self->html, ".fig .k%zu{fill:#%02x%02x%02x}", i, rgb[0], rgb[1], rgb[2]);
    }
}

void page_document_head(page *self) {
    html *out = &self->html;
    html_raw(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                  "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
                  "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                  "img-src data:; style-src 'unsafe-inline'\">\n<title>");
    html_text(out, self->report->title);
    html_raw(out, "</title>\n<style>\n");
    html_raw(out, page_style);
    gradient(out, "heat", &self->pictures.map);
    gradient(out, "difference", &self->pictures.difference);
    if (self->has_figures) figure_style_of_page(out);
    property_colors(self, 0.85, 0.08);
    html_raw(out, "\n@media(prefers-color-scheme:dark){");
    property_colors(self, 0.42, 0.075);
    html_raw(out, "}\n</style>\n</head>\n");
}

/* ---- descriptions ---- */

/* Fields whose value says by itself what it is. */
static bool explains_itself(const char *key) {
    static const char *const keys[] = {"name", "plugin", "summary", "backend", "description"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        if (strcmp(key, keys[i]) == 0) return true;
    }
    return false;
}

/* "image_size": image size */
static void field_name(page *self, const char *key) {
    for (const char *word = key; *word; word += strspn(word, "_")) {
        char part[64];
        size_t length = strcspn(word, "_");
        snprintf(part, sizeof part, "%.*s ", (int)length, word);
        html_text(&self->html, part);
        word += length;
    }
}

/* Whether an earlier text of the map says it already: a description names its kernel and its threads. */
static bool is_said(const hl_node *map, const hl_node *field) {
    char threads[32];
    const char *words = field->text;
    if (field->type == HL_WHOLE) {
        snprintf(threads, sizeof threads, " %lld thread", (long long)field->whole);
        words = threads;
    }
    for (const hl_node *earlier = map->first; earlier != field; earlier = earlier->next) {
        if (words && earlier->type == HL_TEXT && strstr(earlier->text, words)) return true;
    }
    return false;
}

/* The texts and the numbers that people ask for; other numbers are left to results.json. What has a place of
 * its own on the page is left to that. */
static bool belongs_to_description(const hl_node *field) {
    if (strcmp(field->key, "fallback") == 0) return false;
    static const char *const numbers[] = {"image_size", "threads", "logit_scale", "logit_bias"};
    bool found = field->type == HL_TEXT;
    for (size_t i = 0; !found && i < sizeof numbers / sizeof *numbers; ++i)
        found = strcmp(field->key, numbers[i]) == 0;
    return found;
}

static bool describes(const hl_node *of) {
    const hl_node *field = page_first(of);
    while (field && !belongs_to_description(field)) field = field->next;
    return field != NULL;
}

static void description(page *self, const char *name, const hl_node *of) {
    const char *between = "";
    if (!describes(of)) return;
    page_fact(self, name);
    for (const hl_node *field = of->first; field; field = field->next) {
        if (!belongs_to_description(field)) continue;
        if (!explains_itself(field->key) && is_said(of, field)) continue;
        html_raw(&self->html, between);
        if (!explains_itself(field->key)) field_name(self, field->key);
        if (field->type == HL_TEXT) {
            html_isolated(&self->html, field->text);
        } else {
            page_value(self, field);
        }
        between = " &middot; ";
    }
    page_end_fact(self);
}

static void count_of(page *self, const hl_node *gallery, const char *what) {
    double count = hl_get_number(gallery, what, 0);
    if (count > 0) html_format(&self->html, " &middot; %.0f %s", count, what);
}

/* How much of the gallery was searched: "400 images, 398 searched". */
static void gallery(page *self) {
    const hl_node *found = hl_get(self->root, "gallery"), *skipped = hl_get(found, "skipped");
    if (!found) return;
    page_fact(self, "gallery");
    html_format(&self->html, "%.0f images", hl_get_number(found, "images", 0));
    count_of(self, found, "searched");
    count_of(self, found, "missing");
    if (skipped && skipped->count > 0) html_format(&self->html, " &middot; %u skipped", skipped->count);
    page_end_fact(self);
}

/* ---- what was left out ---- */

/* Another backend than was meant. */
static void fallback(page *self, const hl_node *compute) {
    const char *why = hl_get_text(compute, "fallback");
    if (!*why) return;
    html_raw(&self->html, "<p class=\"note\">");
    html_text(&self->html, why);
    html_raw(&self->html, "</p>\n");
}

/* The texts that the model did not read to their end. */
static void cut_texts(page *self) {
    const hl_node *list = hl_get(self->root, "truncated");
    html *out = &self->html;
    if (!list || !list->count) return;
    html_format(out,
                "<details open><summary>%u text%s cut: what follows the last token that the model reads "
                "changes nothing</summary>\n<ul>\n",
                list->count, list->count == 1 ? " is" : "s are");
    for (const hl_node *entry = list->first; entry; entry = entry->next) {
        html_raw(out, "<li>");
        html_isolated(out, hl_get_text(entry, "text"));
        html_format(out, " <span class=\"quiet\">%.0f tokens, %.0f read</span></li>\n",
                    hl_get_number(entry, "tokens", 0), hl_get_number(entry, "context", 0));
    }
    html_raw(out, "</ul></details>\n");
}

/* Images that could not be read, each with the reason. */
static void skipped(page *self, const hl_node *list, const char *whose, bool open) {
    html *out = &self->html;
    if (!list || !list->count) return;
    html_format(out, "<details%s><summary>%u image%s of the %s skipped</summary>\n<ul>\n",
                open ? " open" : "", list->count, list->count == 1 ? "" : "s", whose);
    for (const hl_node *entry = list->first; entry; entry = entry->next) {
        html_raw(out, "<li>");
        html_isolated(out, hl_get_text(entry, "path"));
        html_raw(out, " <span class=\"quiet\">");
        html_text(out, hl_get_text(entry, "reason"));
        html_raw(out, "</span></li>\n");
    }
    html_raw(out, "</ul></details>\n");
}

void page_introduction(page *self) {
    html *out = &self->html;
    html_raw(out, "<header>\n<h1>");
    html_text(out, self->report->title);
    html_raw(out, "</h1>\n<dl class=\"facts\">");
    description(self, "model", hl_get(self->root, "model"));
    description(self, "compute", hl_get(self->root, "compute"));
    gallery(self);
    html_raw(out, "</dl>\n");
    fallback(self, hl_get(self->root, "compute"));
    html_raw(out, "<details><summary>The experiment</summary><pre class=\"copy\">");
    html_text(out, self->report->experiment);
    html_raw(out, "</pre></details>\n");
    cut_texts(self);
    skipped(self, hl_get(self->root, "skipped"), "experiment", true);
    skipped(self, hl_get(hl_get(self->root, "gallery"), "skipped"), "gallery", false);
    html_raw(out, "</header>\n");
}

/* ---- variants ---- */

/* What is true of the whole is said of the whole: there it is all that the reports have in common. */
static void own_description(page *self, const hl_node *report, const char *name) {
    const hl_node *own = hl_get(report, name), *shared = hl_get(self->root, name);
    if (own && shared && own->count == shared->count) return;
    description(self, name, own);
}

static void reports(page *self) {
    const hl_node *list = hl_get(self->root, "reports");
    if (!list || !list->count) return;
    html_raw(&self->html, "<section>\n<h2>Reports</h2>\n<p>What each variant found.</p>\n");
    for (const hl_node *report = list->first; report; report = report->next) {
        html_raw(&self->html, "<h3 class=\"variant\"><a href=\"");
        html_text(&self->html, hl_get_text(report, "variant"));
        html_raw(&self->html, "/report.html\">");
        html_text(&self->html, hl_get_text(report, "variant"));
        html_raw(&self->html, "</a></h3>\n<dl class=\"facts\">");
        own_description(self, report, "model");
        own_description(self, report, "compute");
        html_raw(&self->html, "</dl>\n");
        fallback(self, hl_get(report, "compute"));
    }
    html_raw(&self->html, "</section>\n");
}

/* Variants whose weights are not there, and where they would go. */
static void skipped_variants(page *self) {
    const hl_node *list = hl_get(self->root, "skipped_variants");
    if (!list || !list->count) return;
    html_format(&self->html, "<section id=\"skipped\">\n<h2>Left out</h2>\n<p>%u variant%s not run.</p>\n",
                list->count, list->count == 1 ? " was" : "s were");
    page_rows(self, list->first, NULL);
    html_raw(&self->html, "</section>\n");
}

/* What all variants found, side by side. */
static void comparison(page *self) {
    const hl_node *scores = page_first(hl_get(self->root, "scores"));
    const hl_node *item = page_first(hl_get(self->root, "comparison"));
    html *out = &self->html;
    if (!scores && !item) return;
    html_raw(out,
             "<section id=\"comparison\">\n<h2>Comparison</h2>\n<p>What was found of each variant, side by "
             "side.</p>\n");
    while (item && out->status == HL_OK) item = page_item(self, self->root, item);
    if (scores) {
        html_raw(out, "<div class=\"titled\"><h4>Scores</h4>\n");
        page_number_table(self, hl_get(self->root, "scores"));
        html_raw(out, "</div>\n");
    }
    html_raw(out, "</section>\n");
}

void page_variants(page *self) {
    const hl_node *differences = hl_get(self->root, "variants");
    reports(self);
    skipped_variants(self);
    comparison(self);
    if (!differences || !differences->count) return;
    html_raw(&self->html, "<section id=\"variants\">\n<h2>Variants</h2>\n"
                          "<p>How far each variant's results lie from those of the first.</p>\n");
    page_rows(self, differences->first, NULL);
    html_raw(&self->html, "</section>\n");
}
